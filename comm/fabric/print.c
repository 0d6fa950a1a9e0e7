/* comm/fabric/print.c - the page of `recua fabric`, for people */
#include "comm/fabric/fabric.h"

#include <math.h>
#include <string.h>

static const char *state_name(comm_nic_state s)
{
    return s == COMM_NIC_UP ? "up" : s == COMM_NIC_DOWN ? "down" : "nonsense";
}

static const char *type_name(comm_net_type t)
{
    static const char *const names[] = {"physical", "bond", "virtual", "loopback"};
    return names[t];
}

/* "-" for what is unknown. */
static const char *rate(double gbit_per_s, char *out, size_t size)
{
    snprintf(out, size, isnan(gbit_per_s) ? "-" : "%g Gb/s", gbit_per_s);
    return out;
}

static const char *whole(int value, char *out, size_t size)
{
    snprintf(out, size, value < 0 ? "-" : "%d", value);
    return out;
}

static const char *or_dash(const char *text) { return text[0] == '\0' ? "-" : text; }

static void print_nics(FILE *out, const struct comm_fabric *f)
{
    char a[32], b[32], c[32];

    if (f->nic_count == 0) {
        fputs("no RDMA device\n", out);
        return;
    }
    fprintf(out, "\n%-16s %-11s %-9s %10s %5s %-12s %4s %-10s %s\n", "RDMA port", "kind", "state",
            "rate", "MTU", "interface", "NUMA", "driver", "firmware");
    for (size_t i = 0; i < f->nic_count; i++) {
        const struct comm_nic *n = &f->nics[i];
        char port[COMM_READER_NAME + 8];
        snprintf(port, sizeof port, "%s:%d", n->device, n->port);
        fprintf(out, "%-16s %-11s %-9s %10s %5s %-12s %4s %-10s %s\n", port,
                n->kind == COMM_FABRIC_NONE ? "-" : comm_fabric_kind_name(n->kind),
                state_name(n->state), rate(n->rate_gbit_per_s, a, sizeof a),
                whole(n->mtu_bytes, b, sizeof b), or_dash(n->netdev), whole(n->numa, c, sizeof c),
                or_dash(n->driver_name), or_dash(n->firmware));
        if (n->gid[0] != '\0') fprintf(out, "%-16s GID %d %s\n", "", n->gid_index, n->gid);
        if (n->lid > 0) fprintf(out, "%-16s LID %d\n", "", n->lid);
    }
}

static void print_nets(FILE *out, const struct comm_fabric *f)
{
    char a[32], b[32];

    if (f->net_count == 0) {
        fputs("no network interface\n", out);
        return;
    }
    fprintf(out, "\n%-16s %-9s %-5s %10s %6s\n", "interface", "type", "state", "rate", "MTU");
    for (size_t i = 0; i < f->net_count; i++)
        fprintf(out, "%-16s %-9s %-5s %10s %6s\n", f->nets[i].name, type_name(f->nets[i].type),
                f->nets[i].up ? "up" : "down", rate(f->nets[i].rate_gbit_per_s, a, sizeof a),
                whole(f->nets[i].mtu_bytes, b, sizeof b));
}

/* A line for each run of ranks with the same NICs. */
static void print_choice(FILE *out, const struct comm_fabric *f)
{
    const int ranks = f->place.local_ranks;
    int last[COMM_FABRIC_SHARE] = {0}, now[COMM_FABRIC_SHARE], first = 0;
    size_t had = 0;

    if (f->rail_count == 0 || ranks < 1) return;
    fprintf(out, "\n%s\n",
            f->pinned ? "local ranks and their NICs" : "local ranks, were they tied to NICs");
    for (int l = 0; l <= ranks; l++) {
        size_t n = l < ranks ? comm_fabric_choose(f, l, ranks, now) : 0;
        if (l > 0 && (l == ranks || n != had || memcmp(now, last, n * sizeof *now) != 0)) {
            fprintf(out, first == l - 1 ? "  %d:" : "  %d to %d:", first, l - 1);
            for (size_t i = 0; i < had; i++)
                fprintf(out, " %s:%d", f->nics[last[i]].device, f->nics[last[i]].port);
            fputc('\n', out);
            first = l;
        }
        memcpy(last, now, n * sizeof *now);
        had = n;
    }
}

void comm_fabric_print(FILE *out, const struct comm_fabric *f)
{
    char a[32];

    fprintf(out, "%s: %s", f->node[0] != '\0' ? f->node : "this node",
            f->kind == COMM_FABRIC_NONE ? "no network" : comm_fabric_kind_name(f->kind));
    if (f->rail_count > 0)
        fprintf(out, ", %zu rail%s of %s", f->rail_count, f->rail_count == 1 ? "" : "s",
                rate(f->nics[f->rails[0]].rate_gbit_per_s, a, sizeof a));
    fputs(f->mixed ? ", beside other RDMA\n" : "\n", out);
    print_nics(out, f);
    print_nets(out, f);
    print_choice(out, f);
    fputs(f->off ? "\nRECUA_NIC is none: nothing is set\n"
          : f->setting_count == 0
              ? "\nnothing is set\n"
              : "\nset before MPI starts in jobs of several nodes, on local rank 0\n",
          out);
    for (size_t i = 0; i < f->setting_count; i++)
        fprintf(out, "  %s=%s\n      %s\n", f->settings[i].name, f->settings[i].value,
                f->settings[i].users ? "kept: the user's" : f->settings[i].reason);
    if (f->warning_count > 0) fputs("\nwarnings\n", out);
    for (size_t i = 0; i < f->warning_count; i++)
        fprintf(out, "  %s: %s\n", f->warnings[i].code, f->warnings[i].text);
}
