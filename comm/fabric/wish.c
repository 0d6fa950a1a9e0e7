/* comm/fabric/wish.c - the NICs that the user names
 *
 * RECUA_NIC is ours: "all" (no rank is tied to one), "none" (nothing is set), or names with
 * commas between, each a device (mlx5_0), a port (mlx5_0:1) or an interface (eth0, which means
 * TCP over it). UCX_NET_DEVICES is UCX's; only plain names in it are understood.
 */
#include "comm/fabric/impl.h"

#include <stdio.h>
#include <string.h>

enum { LIST_BYTES = 600 };

/* All that could have been named, for the message. */
static const char *list_all(const struct comm_fabric *f, char *out)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < f->nic_count && used + 80 < LIST_BYTES; i++)
        used += (size_t)snprintf(out + used, LIST_BYTES - used, " %s:%d", f->nics[i].device,
                                 f->nics[i].port);
    for (size_t i = 0; i < f->net_count && used + 80 < LIST_BYTES; i++)
        used += (size_t)snprintf(out + used, LIST_BYTES - used, " %s", f->nets[i].name);
    return out[0] == '\0' ? " nothing" : out;
}

/* Marks the ports that a name means: how many. */
static int mark(const struct comm_fabric *f, const char *name, bool *allowed)
{
    int found = 0;

    for (size_t i = 0; i < f->nic_count; i++) {
        char full[COMM_READER_NAME + 16];
        snprintf(full, sizeof full, "%s:%d", f->nics[i].device, f->nics[i].port);
        if (strcmp(name, full) != 0 && strcmp(name, f->nics[i].device) != 0) continue;
        allowed[i] = true;
        found++;
    }
    return found;
}

static const struct comm_net *find_net(const struct comm_fabric *f, const char *name)
{
    for (size_t i = 0; i < f->net_count; i++)
        if (strcmp(f->nets[i].name, name) == 0) return &f->nets[i];
    return NULL;
}

/* One list of names. ports: how many it marked; interface: the last one it names, or "". */
static rt_status read_list(const struct comm_fabric *f, const char *variable, const char *list,
                           bool *allowed, int *ports, char *interface)
{
    char name[COMM_READER_NAME + 16], all[LIST_BYTES];

    for (const char *at = list; *at != '\0';) {
        size_t n = strcspn(at, ",");
        snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name - 1), at);
        at += n + (at[n] == ',');
        if (n == 0) continue;
        int found = n < sizeof name ? mark(f, name, allowed) : 0;
        *ports += found;
        if (found > 0) continue;
        if (n >= COMM_READER_NAME || find_net(f, name) == NULL)
            return RT_FAIL(RT_EINVAL, "%s names '%s', but %s has no such network device; it has:%s",
                           variable, name, f->node[0] != '\0' ? f->node : "this node",
                           list_all(f, all));
        snprintf(interface, COMM_READER_NAME, "%.63s", name);
    }
    return RT_OK;
}

/* At least one of the named ports must be up: the job would hang or quietly go elsewhere. */
static rt_status check_up(const struct comm_fabric *f, const char *list, const bool *allowed)
{
    const struct comm_nic *last = NULL;

    for (size_t i = 0; i < f->nic_count; i++) {
        if (!allowed[i]) continue;
        last = &f->nics[i];
        if (last->state == COMM_NIC_UP) return RT_OK;
    }
    if (last == NULL) return RT_OK;
    return RT_FAIL(RT_EINVAL,
                   "RECUA_NIC is '%.200s', but %s port %d of %s is not up: %s; name "
                   "another, or unset it",
                   list, last->device, last->port, f->node[0] != '\0' ? f->node : "this node",
                   last->reason);
}

static rt_status read_ours(struct comm_fabric *f, const char *list, bool *allowed)
{
    int ports = 0;

    f->pinned = strcmp(list, "all") != 0;
    f->off = strcmp(list, "none") == 0;
    if (f->off || !f->pinned) return RT_OK;
    memset(allowed, 0, f->nic_count * sizeof *allowed);
    RT_TRY(read_list(f, "RECUA_NIC", list, allowed, &ports, f->interface));
    if (ports > 0 && f->interface[0] != '\0')
        return RT_FAIL(RT_EINVAL,
                       "RECUA_NIC is '%.200s': %s is an interface for TCP, the rest is "
                       "RDMA; name one kind",
                       list, f->interface);
    return check_up(f, list, allowed);
}

rt_status comm_fabric_wish(struct comm_fabric *f, const struct comm_reader *r, bool *allowed)
{
    const char *ours = comm_reader_env(r, "RECUA_NIC");
    const char *ucx = comm_reader_env(r, "UCX_NET_DEVICES");
    char interface[COMM_READER_NAME] = "";
    bool theirs[COMM_FABRIC_NICS] = {false};
    int ports = 0;

    f->pinned = true;
    for (size_t i = 0; i < f->nic_count; i++) allowed[i] = true;
    if (ours != NULL) RT_TRY(read_ours(f, ours, allowed));
    if (ucx == NULL || strcmp(ucx, "all") == 0 || strpbrk(ucx, "*?[^") != NULL) return RT_OK;
    RT_TRY(read_list(f, "UCX_NET_DEVICES", ucx, theirs, &ports, interface));
    if (ours == NULL && ports > 0) memcpy(allowed, theirs, f->nic_count * sizeof *allowed);
    return RT_OK;
}
