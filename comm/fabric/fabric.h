/* comm/fabric/fabric.h - the probe: what network this node has, and the settings that suit it
 *
 * It reads small files below /sys and the environment, before MPI starts, and speaks to nobody:
 * nothing here is collective. Whatever cannot be read or makes no sense becomes unknown and a
 * warning with a name, never an error. What the settings are for: docs/fabric.md.
 *
 * Units    rates in Gb/s as the kernel gives them (10^9 bits), NaN where unknown; -1 is an
 *          unknown whole number, "" an unknown text
 * Limits   COMM_FABRIC_NICS ports, COMM_FABRIC_NETS interfaces, 16 NUMA nodes; more is a warning
 * Source   file formats: Linux, drivers/infiniband/core/sysfs.c; what UCX and Open MPI do with a
 *          setting: UCX 1.13 to 1.20 (ucp_worker.c, ib_iface.c), Open MPI 4.1 (common_ucx.c)
 */
#ifndef COMM_FABRIC_FABRIC_H
#define COMM_FABRIC_FABRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "comm/fabric/place.h"
#include "comm/fabric/reader.h"
#include "runtime/status.h"

enum {
    COMM_FABRIC_NICS = 64,
    COMM_FABRIC_NETS = 128,
    COMM_FABRIC_NUMA = 16,
    COMM_FABRIC_SHARE = 4, /* the most NICs that one rank uses: UCX's lanes end there */
    COMM_FABRIC_SETTINGS = 12,
    COMM_FABRIC_WARNINGS = 64
};

/* By rising preference at equal rates. */
typedef enum {
    COMM_FABRIC_NONE, /* of a NIC: unknown; of a node: nothing is up */
    COMM_FABRIC_TCP,
    COMM_FABRIC_IWARP,
    COMM_FABRIC_ROCE_V1,
    COMM_FABRIC_ROCE_V2,
    COMM_FABRIC_INFINIBAND
} comm_fabric_kind;

typedef enum { COMM_NIC_UP, COMM_NIC_DOWN, COMM_NIC_NONSENSE } comm_nic_state;

typedef enum {
    COMM_DRIVER_OTHER, /* the settings here are not known to suit it */
    COMM_DRIVER_MLX5,
    COMM_DRIVER_MLX4,
    COMM_DRIVER_BROADCOM,
    COMM_DRIVER_INTEL,
    COMM_DRIVER_SOFT /* rxe, siw */
} comm_nic_driver;

/* One port of an RDMA device. */
struct comm_nic {
    char device[COMM_READER_NAME]; /* as /sys/class/infiniband has it: mlx5_0, rocep1s0f0 */
    int port;
    comm_nic_driver driver;
    char driver_name[32]; /* mlx5_core */
    comm_fabric_kind kind;
    comm_nic_state state;
    char reason[128]; /* why it is not up */
    double rate_gbit_per_s;
    int mtu_bytes; /* RoCE: the path MTU that its interface allows; sysfs has no InfiniBand MTU */
    char netdev[COMM_READER_NAME]; /* its Ethernet or IPoIB interface */
    int net;                       /* where that is in nets, or -1 */
    int gid_index;                 /* the GID that RDMA takes, or -1; only RoCE chooses */
    char gid[40];
    bool link_local; /* only link-local GIDs: reaches its own subnet alone */
    int lid, lmc;
    int numa;
    char firmware[32];
    int traffic_class; /* forced by the administrator through sysfs */
    int ecn;           /* bit p: RoCE's ECN is on for priority p; -1 unknown */
};

typedef enum {
    COMM_NET_PHYSICAL,
    COMM_NET_BOND,
    COMM_NET_VIRTUAL,
    COMM_NET_LOOPBACK
} comm_net_type;

/* One network interface. */
struct comm_net {
    char name[COMM_READER_NAME];
    comm_net_type type; /* virtual: no hardware of its own (bridge, veth, tap) */
    bool up;
    int mtu_bytes;
    double rate_gbit_per_s;
};

struct comm_numa {
    int count;                                        /* 0: unknown */
    int id[COMM_FABRIC_NUMA];                         /* as in node<id> */
    bool bare[COMM_FABRIC_NUMA];                      /* memory without CPUs: no rank is there */
    int distance[COMM_FABRIC_NUMA][COMM_FABRIC_NUMA]; /* between places in id */
    int mine;  /* place in id of the one node that this process may run on, or -1 */
    int first; /* of that node's CPUs, counted from 0, the first that this process may use */
    int width; /* CPUs in a row that it may use from there */
};

struct comm_setting {
    char name[48], value[160], reason[192];
    bool users; /* the user has set it: value is the user's and stays */
};

struct comm_warning {
    char code[24]; /* stable: docs/fabric.md lists them */
    char text[320];
};

struct comm_fabric {
    char node[COMM_READER_NAME];
    struct comm_nic nics[COMM_FABRIC_NICS];
    size_t nic_count;
    struct comm_net nets[COMM_FABRIC_NETS];
    size_t net_count;
    struct comm_numa numa;

    comm_fabric_kind kind;       /* what jobs use: the fastest that is up */
    bool mixed;                  /* several kinds of RDMA are up */
    int rails[COMM_FABRIC_NICS]; /* the NICs that jobs use, in nics: of that kind, equally fast */
    size_t rail_count;
    bool pinned;                      /* ranks are tied to their NICs; false with RECUA_NIC=all */
    bool off;                         /* RECUA_NIC=none: nothing is set */
    char interface[COMM_READER_NAME]; /* RECUA_NIC names an interface: TCP over it */

    struct comm_location place;  /* of this rank, or as the options say */
    int mine[COMM_FABRIC_SHARE]; /* this rank's NICs, in nics */
    size_t mine_count;
    struct comm_setting settings[COMM_FABRIC_SETTINGS];
    size_t setting_count;
    struct comm_warning warnings[COMM_FABRIC_WARNINGS];
    size_t warning_count;
};

struct comm_fabric_options {
    const struct comm_reader *reader; /* NULL: comm_reader_at(root) */
    int ranks, local_ranks;           /* 0: as the launcher's environment says */
    int local_rank;                   /* with local_ranks; below it */
};

/* root "": this machine; else a folder that holds sys/, etc/ and proc/ as a machine does.
 * options may be NULL. *out is the caller's, NULL on failure.
 * RT_EINVAL: RECUA_NIC or UCX_NET_DEVICES names what is not here (the message lists what is), or
 * RECUA_NIC only ports that are down. */
RT_NODISCARD rt_status comm_fabric_probe(const char *root,
                                         const struct comm_fabric_options *options,
                                         struct comm_fabric **out);
void comm_fabric_destroy(struct comm_fabric **f);

/* The NICs (in nics) of one of a node's ranks: equally many ranks a NIC, near ones first. Ranks
 * count as spread over the NUMA nodes in blocks, unless this process' own node says otherwise.
 * out (COMM_FABRIC_SHARE): how many. */
size_t comm_fabric_choose(const struct comm_fabric *f, int local_rank, int local_ranks, int *out);

/* Put the settings into the environment, none over what is there. How many were set. */
size_t comm_fabric_apply(const struct comm_fabric *f);

/* What comm_init does before MPI starts: nothing on one node; else probe, apply, and on the first
 * rank one line of log. RT_EINVAL as the probe; other failures are only logged. */
RT_NODISCARD rt_status comm_fabric_launch(void);

const char *comm_fabric_kind_name(comm_fabric_kind kind);   /* "RoCE v2" */
const char *comm_nic_vendor_name(const struct comm_nic *n); /* "NVIDIA"; "" where unknown */
bool comm_fabric_is_rdma(const struct comm_fabric *f);

/* For people; for programs (one JSON object, unknown is null). Both show the choice for each of
 * the place's local ranks. RT_ENOMEM. */
void comm_fabric_print(FILE *out, const struct comm_fabric *f);
RT_NODISCARD rt_status comm_fabric_print_json(FILE *out, const struct comm_fabric *f);

#endif
