/* shard/state.h - what a shard holds, and how far it is in a pass
 *
 * The ranks of a node meet by four counters each, in the window; they only go up, over passes:
 *     RELEASED  uses that this rank has released
 *     FILLED    fills to which this rank has brought its share
 *     READY     unit gradients that this rank has written
 *     SUMMED    unit gradients of which this rank has summed its slice
 */
#ifndef SHARD_STATE_H
#define SHARD_STATE_H

#include "comm/exchange.h"
#include "comm/window.h"
#include "shard/layout.h"
#include "shard/order.h"
#include "shard/partials.h"

enum { SHARD_RELEASED, SHARD_FILLED, SHARD_READY, SHARD_SUMMED, SHARD_FLAGS };

struct shard {
    struct shard_options options;
    const struct rt_tensors *tensors; /* lent, as the next two */
    const struct comm_nodes *nodes;
    struct rt_memory *memory;
    struct shard_layout layout;
    struct shard_sizes sizes;
    struct shard_order orders[2][2]; /* [pass][1: nothing is stale] */
    struct comm_window *window;
    struct comm_exchange *exchange;
    float *master, *gradients;      /* own arrays */
    struct shard_partials partials; /* exact */
    void *staging;
    const void **buffers[SHARD_BUFFERS]; /* (local_size) the unit gradient buffers of each rank */

    const struct shard_order *order; /* of the pass under way; NULL: none */
    float *target;                   /* the own array that the pass reduces into */
    bool add;                        /* to what is there; else it is written */
    int micro;                       /* which micro-step the pass is */
    bool joins;                      /* hybrid: what it reduces is then summed over replicas */
    bool stale;                      /* lent copies are older than the master weights */
    bool lent;                       /* use `use` is out */
    int use;                         /* uses released */
    int filled, arrived;             /* fills posted, arrived */
    int reduced, joined;             /* reductions, sums over replicas waited for */
    comm_ticket fill_tickets[COMM_TICKETS], back_tickets[SHARD_BUFFERS];
    comm_ticket join_tickets[SHARD_BUFFERS];
    uint64_t uses_before, fills_before, backs_before; /* in earlier passes */
    struct shard_counters counters;
};

/* Unit gradient buffer b of a local rank. */
static inline float *shard_buffer(const struct shard *s, int local_rank, int b)
{
    const size_t before = (size_t)(local_rank * SHARD_BUFFERS + b);
    char *base = comm_window_base(s->window);
    return (float *)(void *)(base + s->sizes.slots_bytes + before * s->sizes.buffer_bytes);
}

#endif
