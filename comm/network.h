/* comm/network.h - what all ranks take the network for: its kind and rate, and a tuning file
 *
 * Rank 0 looks, the others hear of it, so that every rank chooses the same algorithms.
 */
#ifndef COMM_NETWORK_H
#define COMM_NETWORK_H

#include "comm/comm.h"
#include "comm/tuning.h"

struct comm_network {
    char kind[8];      /* ib, roce, tcp */
    double gbit_per_s; /* of a node's NICs that jobs use, one way; 0: not known */
};

/* What sysfs says of this node. Not collective. RT_EINVAL: the user names a NIC that is not here. */
RT_NODISCARD rt_status comm_network_probe(struct comm_network *out);

/* What it says on rank 0. Collective over world. */
RT_NODISCARD rt_status comm_network_share(struct comm *world, struct comm_network *out);

/* A tuning file, read on rank 0. *out is NULL where path is NULL or empty, and where the file is
 * ignored, which a warning tells. Collective over world; RT_ENOMEM. */
RT_NODISCARD rt_status comm_network_tuning(struct comm *world, const struct comm_network *n,
                                           const char *path, struct comm_tuning **out);

#endif
