/* comm/fabric/json.c - the probe's answer for programs; what is unknown is null */
#include "comm/fabric/fabric.h"

#include <jansson.h>
#include <math.h>

static json_t *text(const char *s) { return s[0] == '\0' ? json_null() : json_string(s); }
static json_t *whole(int v) { return v < 0 ? json_null() : json_integer(v); }
static json_t *real(double v) { return isnan(v) ? json_null() : json_real(v); }

static json_t *kind(comm_fabric_kind k)
{
    return k == COMM_FABRIC_NONE ? json_null() : json_string(comm_fabric_kind_name(k));
}

/* The priorities that ECN is on for. */
static json_t *priorities(int mask)
{
    json_t *all = mask < 0 ? json_null() : json_array();

    for (int p = 0; mask >= 0 && p < 8; p++)
        if ((mask >> p) & 1) json_array_append_new(all, json_integer(p));
    return all;
}

static json_t *nic(const struct comm_nic *n)
{
    static const char *const states[] = {"up", "down", "nonsense"};

    return json_pack("{s:s, s:i, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
                     "s:o, s:o, s:o}",
                     "device", n->device, "port", n->port, "vendor", text(comm_nic_vendor_name(n)),
                     "driver", text(n->driver_name), "kind", kind(n->kind), "state",
                     states[n->state], "reason", text(n->reason), "rate_gbit_per_s",
                     real(n->rate_gbit_per_s), "mtu_bytes", whole(n->mtu_bytes), "interface",
                     text(n->netdev), "gid_index", whole(n->gid_index), "gid", text(n->gid), "lid",
                     whole(n->lid), "lmc", whole(n->lmc), "numa_node", whole(n->numa), "firmware",
                     text(n->firmware), "traffic_class", whole(n->traffic_class), "ecn_priorities",
                     priorities(n->ecn));
}

static json_t *nets(const struct comm_fabric *f)
{
    static const char *const types[] = {"physical", "bond", "virtual", "loopback"};
    json_t *all = json_array();

    for (size_t i = 0; i < f->net_count; i++)
        json_array_append_new(all, json_pack("{s:s, s:s, s:b, s:o, s:o}", "name", f->nets[i].name,
                                             "type", types[f->nets[i].type], "up", f->nets[i].up,
                                             "rate_gbit_per_s", real(f->nets[i].rate_gbit_per_s),
                                             "mtu_bytes", whole(f->nets[i].mtu_bytes)));
    return all;
}

static json_t *names(const struct comm_fabric *f, const int *at, size_t count)
{
    json_t *all = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(all,
                              json_sprintf("%s:%d", f->nics[at[i]].device, f->nics[at[i]].port));
    return all;
}

/* An array with a list of NICs for each local rank. */
static json_t *choice(const struct comm_fabric *f)
{
    json_t *all = json_array();

    for (int l = 0; l < f->place.local_ranks; l++) {
        int at[COMM_FABRIC_SHARE];
        size_t n = comm_fabric_choose(f, l, f->place.local_ranks, at);
        json_array_append_new(all, names(f, at, n));
    }
    return all;
}

static json_t *settings(const struct comm_fabric *f)
{
    json_t *all = json_array();

    for (size_t i = 0; i < f->setting_count; i++)
        json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:b}", "name", f->settings[i].name,
                                             "value", f->settings[i].value, "reason",
                                             f->settings[i].reason, "users", f->settings[i].users));
    return all;
}

static json_t *warnings(const struct comm_fabric *f)
{
    json_t *all = json_array();

    for (size_t i = 0; i < f->warning_count; i++)
        json_array_append_new(
            all, json_pack("{s:s, s:s}", "code", f->warnings[i].code, "text", f->warnings[i].text));
    return all;
}

rt_status comm_fabric_print_json(FILE *out, const struct comm_fabric *f)
{
    json_t *nics = json_array();

    for (size_t i = 0; i < f->nic_count; i++) json_array_append_new(nics, nic(&f->nics[i]));
    json_t *all = json_pack(
        "{s:o, s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "node", text(f->node),
        "kind", kind(f->kind), "rdma", comm_fabric_is_rdma(f), "mixed", f->mixed, "ranks",
        f->place.ranks > 0 ? json_integer(f->place.ranks) : json_null(), "ranks_per_node",
        f->place.local_ranks > 0 ? json_integer(f->place.local_ranks) : json_null(), "rdma_ports",
        nics, "interfaces", nets(f), "rails", names(f, f->rails, f->rail_count),
        "nics_of_local_rank", choice(f), "settings", settings(f), "warnings", warnings(f));
    if (all == NULL) return RT_FAIL(RT_ENOMEM, "the network's page as JSON");
    int failed = json_dumpf(all, out, JSON_INDENT(2));
    json_decref(all);
    fputc('\n', out);
    return failed != 0 ? RT_FAIL(RT_EIO, "writing the network's page as JSON") : RT_OK;
}
