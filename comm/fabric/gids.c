/* comm/fabric/gids.c - which GID RDMA over Ethernet takes
 *
 * The order is the one in which UCX looks when it is left to itself: RoCE v2 over IPv4, v2 over
 * a routable IPv6 address, v2 over a link-local one, v1.
 * Source   UCX, ib_device.c, uct_ib_device_select_gid
 */
#include "comm/fabric/impl.h"

#include <stdio.h>
#include <string.h>

#include "comm/fabric/parse.h"

enum { MOST_GIDS = 256, ORDER_V1 = 3, ORDER_NONE };

struct gid {
    char text[COMM_READER_LINE];
    comm_gid_scope scope;
};

static void attribute(const struct comm_reader *r, const struct comm_nic *nic, const char *what,
                      int index, char *out, size_t size)
{
    char path[COMM_READER_PATH];

    snprintf(path, sizeof path, "/sys/class/infiniband/%s/ports/%d/gid_attrs/%s/%d", nic->device,
             nic->port, what, index);
    if (comm_reader_line(r, path, out, size) != COMM_READ_OK) out[0] = '\0';
}

/* 0 is best; ORDER_NONE is none. */
static int order_of(const struct comm_reader *r, const struct comm_nic *nic, int index,
                    comm_gid_scope scope)
{
    char type[COMM_READER_NAME];

    attribute(r, nic, "types", index, type, sizeof type);
    if (strcmp(type, "IB/RoCE v1") == 0) return ORDER_V1;
    if (strcmp(type, "RoCE v2") != 0) return ORDER_NONE;
    return scope == COMM_GID_IPV4 ? 0 : scope == COMM_GID_GLOBAL ? 1 : 2;
}

void comm_fabric_read_gids(struct comm_fabric *f, const struct comm_reader *r, struct comm_nic *nic,
                           bool *v2)
{
    int best = ORDER_NONE, odd = 0, first_odd = 0;

    for (int i = 0; i < MOST_GIDS; i++) {
        char path[COMM_READER_PATH];
        struct gid g = {.scope = COMM_GID_ZERO};

        snprintf(path, sizeof path, "/sys/class/infiniband/%s/ports/%d/gids/%d", nic->device,
                 nic->port, i);
        comm_read got = comm_reader_line(r, path, g.text, sizeof g.text);
        if (got == COMM_READ_ABSENT) break;
        if (got != COMM_READ_OK || !comm_parse_gid(g.text, &g.scope)) {
            if (odd++ == 0) first_odd = i;
            continue;
        }
        int order = g.scope == COMM_GID_ZERO ? ORDER_NONE : order_of(r, nic, i, g.scope);
        if (order >= best) continue;
        best = order;
        nic->gid_index = i;
        snprintf(nic->gid, sizeof nic->gid, "%.39s", g.text);
    }
    if (odd > 0)
        comm_fabric_warn(f, "nonsense",
                         "%s port %d: %d of its GIDs cannot be read as such, the first is gids/%d",
                         nic->device, nic->port, odd, first_odd);
    *v2 = best < ORDER_V1;
    nic->link_local = best == 2;
    if (nic->gid_index >= 0)
        attribute(r, nic, "ndevs", nic->gid_index, nic->netdev, sizeof nic->netdev);
}
