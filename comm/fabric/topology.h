/* comm/fabric/topology.h - the leaf switch of a host, and the order of ranks that follows it
 *
 * Where it is known from, the first that says something:
 *   RECUA_TOPOLOGY   a file with lines `host leaf [leaf of rail 1] [of rail 2]...`, # comments
 *   SLURM_TOPOLOGY_ADDR and _PATTERN   "root.s4.n17", "switch.switch.node": Slurm with a topology
 *                    plug-in; the leaf is what stands before the node
 * Neighbours in a ring that share a leaf need no link between switches; a ring over hosts in any
 * order was several times slower on a simulated fat tree.
 */
#ifndef COMM_FABRIC_TOPOLOGY_H
#define COMM_FABRIC_TOPOLOGY_H

#include <stddef.h>

#include "comm/fabric/reader.h"
#include "runtime/status.h"

/* The leaf of a host's rail (0 where a host has one NIC); beyond the rails of a line its last one
 * counts. "" where it is unknown. A host may stand in the file with or without its domain. A file
 * that is damaged is named with its line in a warning (once, on rank 0) and not used; Slurm's
 * word is taken then. Not collective. */
void comm_topology_leaf(const struct comm_reader *r, const char *host, int rail, char *leaf,
                        size_t size);

/* What one rank says of itself. Texts are lent. */
struct comm_topology_place {
    const char *host, *leaf; /* leaf "": unknown */
    int local_rank;
};

/* The order of count ranks for rings: order[i] is who comes i-th. By leaf (natural order of their
 * names, unknown ones last), then by host as first seen, then by local rank; a host's ranks stay
 * together on the leaf of the first of them. RT_ENOMEM. Not collective: the same on every rank
 * that has the same places. */
RT_NODISCARD rt_status comm_topology_order(const struct comm_topology_place *places, size_t count,
                                           int *order);

#endif
