/* tests/comm/exchange_rig.h - one exchange with the memory around it, for the tests of exchanges
 *
 * With a window: UNITS gathered units, then a gradient buffer a local rank, in the node's window.
 * Flat: the same for this rank alone.
 */
#ifndef TESTS_COMM_EXCHANGE_RIG_H
#define TESTS_COMM_EXCHANGE_RIG_H

#include "comm/exchange.h"
#include "comm/comm.h"

enum { SLICE_MAX = 1000, UNITS = 3, MOST_LOCAL = 16 };

struct rig {
    struct comm_nodes *nodes;
    struct comm_window *window;
    struct comm_exchange *exchange;
    void *staging;
    float *own; /* (P*SLICE_MAX) */
    const void *grads[MOST_LOCAL];
    float *mine;      /* this rank's gradient buffer */
    uint64_t meets;   /* how often the node's ranks have met */
    uint64_t gathers; /* posted so far, with done flags of flag 2 */
    size_t P, rank;
};

/* o: all but slice_max and staging; vector NULL: ref. Collective over g. */
rt_status rig_open(struct rig *s, struct comm *g, int ranks_per_node,
                   const struct comm_exchange_options *o);
void rig_close(struct rig *s);
void rig_meet(struct rig *s); /* the ranks of the node */
void *rig_unit(const struct rig *s, int i);

/* Small integers: every sum of them is exact, in bf16 too where they are below 256. */
float rig_value(size_t rank, size_t i);
void rig_put(void *at, rt_dtype type, size_t i, float v);
float rig_get(const void *at, rt_dtype type, size_t i);

struct comm_flag rig_done(struct rig *s); /* of the next gather */
rt_status rig_gather(struct rig *s, int unit, size_t slice, rt_dtype type, int name);
rt_status rig_reduce(struct rig *s, size_t slice, bool add);

#endif
