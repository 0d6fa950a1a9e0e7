/* comm/fabric/nics.c - the ports of /sys/class/infiniband */
#include "comm/fabric/impl.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/fabric/parse.h"

enum { MOST_PORTS = 8, PRIORITIES = 8, RNIC = 4, LINK_ACTIVE = 4 };

/* What RoCE adds to a message before Ethernet's own header: GRH 40, UDP 8, BTH 12, XRC and atomic
 * headers 32, ICRC 4 (Linux, rdma/ib_addr.h, iboe_get_mtu). */
enum { ROCE_HEADER_BYTES = 96 };

static int roce_mtu(int ethernet)
{
    for (int mtu = 4096; mtu >= 256; mtu /= 2)
        if (ethernet - ROCE_HEADER_BYTES >= mtu) return mtu;
    return -1;
}

static const char *below(char *path, const struct comm_nic *n, const char *file)
{
    snprintf(path, COMM_READER_PATH, "/sys/class/infiniband/%s/ports/%d/%s", n->device, n->port,
             file);
    return path;
}

static void set_reason(struct comm_nic *n, comm_nic_state state, const char *what, const char *why)
{
    n->state = state;
    snprintf(n->reason, sizeof n->reason, "%.60s%s%s", what, why[0] != '\0' ? ": " : "", why);
}

static void read_state(struct comm_fabric *f, const struct comm_reader *r, struct comm_nic *n)
{
    static const char *const words[] = {"NOP", "DOWN", "INIT", "ARMED", "ACTIVE", "ACTIVE_DEFER"};
    static const char *const why[] = {"",
                                      "no link",
                                      "the link is there, but no subnet manager has set it up",
                                      "the subnet manager has not finished",
                                      "",
                                      "the link is being retrained"};
    char path[COMM_READER_PATH], text[COMM_READER_LINE];
    const char *word = "";
    int number = -1;

    if (!comm_fabric_line(f, r, below(path, n, "state"), text, sizeof text)) {
        set_reason(n, COMM_NIC_NONSENSE, "its state cannot be read", "");
        return;
    }
    if (!comm_parse_numbered(text, &number, &word) || number > 5 ||
        strcmp(word, words[number]) != 0) {
        set_reason(n, COMM_NIC_NONSENSE, text, "no state that is known");
        comm_fabric_warn(f, "nonsense", "%s is '%.80s', no state that is known", path, text);
        return;
    }
    if (number != LINK_ACTIVE) set_reason(n, COMM_NIC_DOWN, word, why[number]);
}

static void read_rate(struct comm_fabric *f, const struct comm_reader *r, struct comm_nic *n)
{
    char path[COMM_READER_PATH], text[COMM_READER_LINE];

    if (!comm_fabric_line(f, r, below(path, n, "rate"), text, sizeof text)) return;
    if (!comm_parse_rate(text, &n->rate_gbit_per_s)) {
        n->rate_gbit_per_s = NAN;
        comm_fabric_warn(f, "nonsense", "%s is '%.80s', no rate such as 200 Gb/sec (4X HDR)", path,
                         text);
    }
}

/* The interface of a port, where no GID names it: the only one of the device, or the one whose
 * dev_port is the port's. */
static void find_netdev(struct comm_fabric *f, const struct comm_reader *r, struct comm_nic *n)
{
    char path[COMM_READER_PATH];
    comm_reader_name names[MOST_PORTS] = {{0}};

    snprintf(path, sizeof path, "/sys/class/infiniband/%s/device/net", n->device);
    int count = n->netdev[0] == '\0' ? comm_reader_names(r, path, names, MOST_PORTS) : 0;
    for (int i = 0; i < count && i < MOST_PORTS; i++) {
        int port = -1;
        snprintf(path, sizeof path, "/sys/class/net/%.63s/dev_port", names[i]);
        if (count > 1 && (!comm_fabric_integer(f, r, path, 0, 255, &port) || port != n->port - 1))
            continue;
        memcpy(n->netdev, names[i], sizeof n->netdev);
        break;
    }
    for (size_t i = 0; i < f->net_count; i++)
        if (strcmp(f->nets[i].name, n->netdev) == 0) n->net = (int)i;
    if (n->net < 0) n->netdev[0] = '\0'; /* a name that is nobody's */
}

/* What an administrator of RoCE may have set: a forced traffic class, ECN by priority. */
static void read_quality(struct comm_fabric *f, const struct comm_reader *r, struct comm_nic *n)
{
    char path[COMM_READER_PATH], text[COMM_READER_LINE];
    int tclass = -1, end = 0, known = 0, on = 0;

    snprintf(path, sizeof path, "/sys/class/infiniband/%s/tc/%d/traffic_class", n->device, n->port);
    if (comm_reader_line(r, path, text, sizeof text) == COMM_READ_OK && text[0] != '\0') {
        if (sscanf(text, "Global tclass=%3d%n", &tclass, &end) == 1 && text[end] == '\0' &&
            tclass >= 0 && tclass <= 255)
            n->traffic_class = tclass;
        else
            comm_fabric_warn(f, "nonsense", "%s is '%.80s', no traffic class", path, text);
    }
    for (int p = 0; p < PRIORITIES && n->netdev[0] != '\0'; p++) {
        int sends = 0, answers = 0;
        snprintf(path, sizeof path, "/sys/class/net/%s/ecn/roce_rp/enable/%d", n->netdev, p);
        bool there = comm_fabric_integer(f, r, path, 0, 1, &sends);
        snprintf(path, sizeof path, "/sys/class/net/%s/ecn/roce_np/enable/%d", n->netdev, p);
        there = comm_fabric_integer(f, r, path, 0, 1, &answers) && there;
        known |= (int)there << p;
        on |= (int)(there && sends == 1 && answers == 1) << p;
    }
    if (known != 0) n->ecn = on;
}

static void read_ethernet(struct comm_fabric *f, const struct comm_reader *r, struct comm_nic *n,
                          int node_type)
{
    bool v2 = false;

    comm_fabric_read_gids(f, r, n, &v2);
    find_netdev(f, r, n);
    if (node_type == RNIC) {
        n->kind = COMM_FABRIC_IWARP;
        n->gid_index = -1;
        n->gid[0] = '\0';
        n->link_local = false;
        return;
    }
    if (n->net >= 0 && f->nets[n->net].mtu_bytes > 0)
        n->mtu_bytes = roce_mtu(f->nets[n->net].mtu_bytes);
    read_quality(f, r, n);
    if (n->gid_index >= 0) {
        n->kind = v2 ? COMM_FABRIC_ROCE_V2 : COMM_FABRIC_ROCE_V1;
    } else if (n->state == COMM_NIC_UP) {
        set_reason(n, COMM_NIC_DOWN, "no GID", "its interface has no address");
        comm_fabric_warn(f, "no-gid",
                         "%s port %d is up but has no GID, so RoCE cannot use it; bring %s up and "
                         "give it an address",
                         n->device, n->port, n->netdev[0] != '\0' ? n->netdev : "its interface");
    }
}

static void read_infiniband(struct comm_fabric *f, const struct comm_reader *r, struct comm_nic *n)
{
    char path[COMM_READER_PATH];

    n->kind = COMM_FABRIC_INFINIBAND;
    comm_fabric_integer(f, r, below(path, n, "lid"), 0, 0xffff, &n->lid);
    comm_fabric_integer(f, r, below(path, n, "lid_mask_count"), 0, 7, &n->lmc);
    find_netdev(f, r, n);
    if (n->state == COMM_NIC_UP && n->lid == 0)
        comm_fabric_warn(f, "no-lid",
                         "%s port %d is active without a LID: look at the subnet manager",
                         n->device, n->port);
}

static void read_port(struct comm_fabric *f, const struct comm_reader *r, struct comm_nic *n)
{
    char path[COMM_READER_PATH], text[COMM_READER_LINE];
    const char *word = "";
    int node_type = -1;

    n->driver = comm_fabric_driver(r, n->device, n->driver_name, sizeof n->driver_name);
    read_state(f, r, n);
    read_rate(f, r, n);
    snprintf(path, sizeof path, "/sys/class/infiniband/%s/device/numa_node", n->device);
    comm_fabric_integer(f, r, path, -1, 1023, &n->numa);
    snprintf(path, sizeof path, "/sys/class/infiniband/%s/fw_ver", n->device);
    comm_fabric_line(f, r, path, n->firmware, sizeof n->firmware);
    snprintf(path, sizeof path, "/sys/class/infiniband/%s/node_type", n->device);
    if (comm_fabric_line(f, r, path, text, sizeof text) &&
        !comm_parse_numbered(text, &node_type, &word))
        comm_fabric_warn(f, "nonsense", "%s is '%.80s', no type such as 1: CA", path, text);
    comm_fabric_line(f, r, below(path, n, "link_layer"), text, sizeof text);
    if (strcmp(text, "InfiniBand") == 0) {
        read_infiniband(f, r, n);
    } else if (strcmp(text, "Ethernet") == 0) {
        read_ethernet(f, r, n, node_type);
    } else {
        set_reason(n, COMM_NIC_NONSENSE, "its link layer", "neither InfiniBand nor Ethernet");
        comm_fabric_warn(f, "nonsense", "%s is '%.80s', neither InfiniBand nor Ethernet", path,
                         text);
    }
}

static void read_device(struct comm_fabric *f, const struct comm_reader *r, const char *device)
{
    char path[COMM_READER_PATH];
    comm_reader_name ports[MOST_PORTS] = {{0}};

    snprintf(path, sizeof path, "/sys/class/infiniband/%.63s/ports", device);
    int count = comm_reader_names(r, path, ports, MOST_PORTS);
    if (count <= 0) comm_fabric_warn(f, "unreadable", "%s: no port can be read there", path);
    for (int i = 0; i < count && i < MOST_PORTS; i++) {
        int port = 0, end = 0;
        if (sscanf(ports[i], "%3d%n", &port, &end) != 1 || ports[i][end] != '\0' || port < 1) {
            comm_fabric_warn(f, "nonsense", "%s/%s is no port", path, ports[i]);
            continue;
        }
        if (f->nic_count == COMM_FABRIC_NICS) {
            comm_fabric_warn(f, "too-many",
                             "more than %d ports: %s port %d and what follows are "
                             "left out",
                             COMM_FABRIC_NICS, device, port);
            return;
        }
        struct comm_nic *n = &f->nics[f->nic_count++];
        *n = (struct comm_nic){.port = port,
                               .rate_gbit_per_s = NAN,
                               .mtu_bytes = -1,
                               .net = -1,
                               .gid_index = -1,
                               .lid = -1,
                               .lmc = -1,
                               .numa = -1,
                               .traffic_class = -1,
                               .ecn = -1};
        snprintf(n->device, sizeof n->device, "%.63s", device);
        read_port(f, r, n);
    }
}

void comm_fabric_read_nics(struct comm_fabric *f, const struct comm_reader *r)
{
    comm_reader_name names[COMM_FABRIC_NICS] = {{0}};
    int count = comm_reader_names(r, "/sys/class/infiniband", names, COMM_FABRIC_NICS);

    if (count > COMM_FABRIC_NICS)
        comm_fabric_warn(f, "too-many", "%d RDMA devices, of which %d are looked at", count,
                         COMM_FABRIC_NICS);
    for (int i = 0; i < count && i < COMM_FABRIC_NICS; i++) {
        if (comm_fabric_name_is_odd(names[i]))
            comm_fabric_warn(f, "nonsense",
                             "/sys/class/infiniband has a name that is none: left out");
        else
            read_device(f, r, names[i]);
    }
}
