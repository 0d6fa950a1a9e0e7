/* comm/fabric/nets.c - the interfaces of /sys/class/net */
#include "comm/fabric/impl.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TYPE_LOOPBACK = 772, FLAG_UP = 1, MOST_MTU = 1 << 20, MOST_MBIT_PER_S = 10000000 };

static const char *below(char *path, const struct comm_net *n, const char *file)
{
    snprintf(path, COMM_READER_PATH, "/sys/class/net/%s/%s", n->name, file);
    return path;
}

/* A driver without a notion of its link says "unknown": then the administrator's word counts. */
static bool is_up(struct comm_fabric *f, const struct comm_reader *r, const struct comm_net *n)
{
    char path[COMM_READER_PATH], state[COMM_READER_LINE];
    int flags = 0;

    comm_fabric_line(f, r, below(path, n, "operstate"), state, sizeof state);
    if (strcmp(state, "unknown") != 0) return strcmp(state, "up") == 0;
    comm_fabric_integer(f, r, below(path, n, "flags"), 0, 0x7fffffff, &flags);
    return (flags & FLAG_UP) != 0;
}

static comm_net_type type_of(const struct comm_reader *r, const struct comm_net *n, int type)
{
    char path[COMM_READER_PATH];
    comm_reader_name name[1];

    if (type == TYPE_LOOPBACK) return COMM_NET_LOOPBACK;
    if (r->list(r->context, below(path, n, "bonding"), name, 1) >= 0) return COMM_NET_BOND;
    if (r->list(r->context, below(path, n, "device"), name, 1) >= 0) return COMM_NET_PHYSICAL;
    return COMM_NET_VIRTUAL;
}

/* False: it is none (the bonding driver leaves a plain file among them). */
static bool read_net(struct comm_fabric *f, const struct comm_reader *r, const char *name,
                     struct comm_net *n)
{
    char path[COMM_READER_PATH], text[COMM_READER_LINE];
    int type = -1, mbit = -1;

    *n = (struct comm_net){.mtu_bytes = -1, .rate_gbit_per_s = NAN};
    snprintf(n->name, sizeof n->name, "%.63s", name);
    if (r->read(r->context, below(path, n, "type"), text, sizeof text) == -ENOTDIR) return false;
    comm_fabric_integer(f, r, path, 0, 0xffff, &type);
    n->type = type_of(r, n, type);
    n->up = is_up(f, r, n);
    comm_fabric_integer(f, r, below(path, n, "mtu"), 1, MOST_MTU, &n->mtu_bytes);
    /* -1 is the kernel's unknown. */
    if (comm_fabric_integer(f, r, below(path, n, "speed"), -1, MOST_MBIT_PER_S, &mbit) && mbit > 0)
        n->rate_gbit_per_s = mbit / 1000.0;
    return true;
}

void comm_fabric_read_nets(struct comm_fabric *f, const struct comm_reader *r)
{
    comm_reader_name names[COMM_FABRIC_NETS] = {{0}};
    int count = comm_reader_names(r, "/sys/class/net", names, COMM_FABRIC_NETS);

    if (count > COMM_FABRIC_NETS)
        comm_fabric_warn(f, "too-many", "%d network interfaces, of which %d are looked at", count,
                         COMM_FABRIC_NETS);
    for (int i = 0; i < count && i < COMM_FABRIC_NETS; i++) {
        if (comm_fabric_name_is_odd(names[i]))
            comm_fabric_warn(f, "nonsense", "/sys/class/net has a name that is none: left out");
        else if (read_net(f, r, names[i], &f->nets[f->net_count]))
            f->net_count++;
    }
}
