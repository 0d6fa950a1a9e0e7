/* comm/exact.h - where sums over ranks may be a binary tree that does not depend on their number
 *
 * A node adds its local buffers by a binary tree over its ranks, the owner adds the node sums by a
 * binary tree over the nodes. With nodes of equal size, a power of two, and a power of two of ranks
 * the two are one binary tree over all ranks, whatever the nodes; and twice as many ranks that hold
 * half the leaves each only move the cut between this tree and the one below it.
 */
#ifndef COMM_EXACT_H
#define COMM_EXACT_H

#include "comm/comm.h"
#include "runtime/dtype.h"

/* RT_EINVAL where it is not so: another number of ranks, other nodes, an algorithm that adds on the
 * way, a wire that rounds. Not collective, needs no MPI: only `nodes` and `first` are read. */
RT_NODISCARD rt_status comm_exact_check(const struct comm_nodes *nodes, const char *algorithm,
                                        rt_dtype wire);

#endif
