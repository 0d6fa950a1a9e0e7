/* comm/exchange.h - one unit gathered into, and reduced out of, the windows of all nodes
 *
 * A unit is P equal slices of `slice` elements; world rank r owns slice r. Inside a node nothing
 * is sent: slices are written in place in the shared window. Between nodes each foreign slice is
 * fetched by one local rank (owner's local rank modulo this node's size), so every local rank
 * works on its own lane.
 *
 *   begin   the own slice is in place in the window; sends and receives are posted
 *   end     waits until this rank's share of the foreign slices has arrived
 * Whoever calls then lets the node's ranks meet (window flags). World size 1 takes the same path
 * and does nothing. The work is a schedule (comm/schedule.h) in units of slices, built once at create.
 *
 * Algorithms  "direct": every pair of nodes at once; any node sizes
 *             "ring":   over nodes of equal size; else RT_EINVAL
 * Numbers     reduce: fp32 sums. First the local ranks' buffers in local rank order, then the
 *             node sums in node order (direct), or around the ring from the owner's next node
 *             on (ring): fixed, so a run repeats bit for bit. wire bf16: node sums are rounded to
 *             bf16 when sent and summed in fp32 (direct only).
 */
#ifndef COMM_EXCHANGE_H
#define COMM_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>

#include "comm/comm.h"
#include "runtime/dtype.h"
#include "runtime/vector/vector.h"

struct comm_exchange;

enum { COMM_TICKETS = 16 }; /* gathers that may be under way at once */

struct comm_exchange_options {
    const char *algorithm; /* "direct", "ring", or "auto" (ring from 3 equal nodes on, fp32 wire) */
    rt_dtype wire;         /* of reduced data between nodes */
    size_t slice_max;      /* elements of the largest slice */
    const struct rt_vector *vector;
    void *staging; /* comm_exchange_staging_bytes(), lent, private; NULL: no reduce */
};

/* Not collective, and needs no MPI: only node, nodes, local_rank and first of `nodes` are read.
 * 0 also where the algorithm is not known or does not fit: create says so. */
size_t comm_exchange_staging_bytes(const struct comm_nodes *nodes,
                                   const struct comm_exchange_options *o);

/* Collective over world. */
RT_NODISCARD rt_status comm_exchange_create(const struct comm_nodes *nodes,
                                            const struct comm_exchange_options *o,
                                            struct comm_exchange **out);
void comm_exchange_destroy(struct comm_exchange **x);
const char *comm_exchange_algorithm(const struct comm_exchange *x); /* what auto chose */

/* unit (P*slice of `type`) in this node's window; slice r in place on its owner's node.
 * Several may be under way (`ticket` 0..COMM_TICKETS-1 tells them apart), ended in the order
 * begun. Every rank begins the same units in the same order. */
RT_NODISCARD rt_status comm_gather_begin(struct comm_exchange *x, int ticket, void *unit,
                                         size_t slice, rt_dtype type);
RT_NODISCARD rt_status comm_gather_end(struct comm_exchange *x, int ticket);

/* grads[l] (P*slice f32): the unit gradient buffer of local rank l, in the window, complete.
 * own (slice f32, private): becomes, or with add gets added, the sum over all ranks of the slice
 * that this rank owns. Collective over world: every rank calls it for the same unit in the same
 * order. The caller has made sure that the local buffers are complete, and may tell the others
 * that this rank has read them once it returns. */
RT_NODISCARD rt_status comm_reduce(struct comm_exchange *x, const float *const *grads, float *own,
                                   size_t slice, bool add);

#endif
