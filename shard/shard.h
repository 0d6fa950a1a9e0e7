/* shard/shard.h - who owns which slice of the weights; gather, free, prefetch, reduce
 *
 * Each unit's flat buffer (runtime/tensor.h) is padded to P equal slices; rank r owns slice r of
 * every unit. A rank's own slices lie one after the other in its master array.
 *
 *     unit u      [ slice 0 ][ slice 1 ] ... [ slice P-1 | padding ]     slice = ceil(n_u / P)
 *     own, rank r [ unit 0's slice r ][ unit 1's slice r ] ...           shard_own_elements
 *
 * In mode HYBRID the P of this are the ranks of a node, each node holds a replica of the whole, and
 * a slice is padded to equal blocks, one a node. Gathers and reductions stay inside the node; what
 * a step has reduced is then summed over the ranks with one local rank, so that replicas stay
 * equal.
 *
 * Weights are lent unit by unit from k+1 slots in the node's window (k = prefetch depth; in mode
 * GRADS every unit has its own slot and stays). Gradients are written into one of two unit
 * buffers a rank, then reduced into the own gradient array. The order of acquire and release is
 * known before the first step: a static schedule, printed by --explain, checked at every call.
 *
 * Source   Zhao et al. 2023, "PyTorch FSDP", arXiv:2304.11277; Rajbhandari et al. 2020, "ZeRO",
 *          arXiv:1910.02054
 */
#ifndef SHARD_SHARD_H
#define SHARD_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "comm/comm.h"
#include "runtime/dtype.h"
#include "runtime/memory.h"
#include "runtime/status.h"
#include "runtime/tensor.h"
#include "runtime/trace.h"
#include "runtime/vector/vector.h"

typedef enum { SHARD_FULL, SHARD_GRADS, SHARD_HYBRID } shard_mode;

struct shard_options {
    shard_mode mode;
    int prefetch;          /* k units ahead, 0..COMM_TICKETS-2 */
    rt_dtype compute;      /* of lent weights */
    rt_dtype wire;         /* of gradients between nodes; hybrid: until their owner has summed */
    const char *algorithm; /* comm_exchange's; "auto" */
    const char *gather, *reduce;      /* the same for each alone; NULL: algorithm */
    const struct comm_tuning *tuning; /* lent; as in comm_exchange_options, like the next two */
    const char *fabric;
    double rate_gbit;
    bool training;   /* false: no gradients at all */
    bool exact;      /* the same bits on 1, 2, 4, ... ranks: comm/exact.h, shard/partials.h */
    int micro_steps; /* training: TRAIN passes of a step; exact: a power of two */
    const struct rt_vector *vector;
    struct rt_trace *trace; /* lent; may be NULL */
};

struct comm_tuning;
struct shard;

/* Add this rank's buffers ("shard/...") to the plan; not collective, needs no MPI: nodes and
 * ranks may be those of a machine that is not here. rank in 0..P-1, local_size of its node.
 * first: (nodes+1) as in struct comm_nodes, so that the plan is of this very machine; NULL: equal
 * nodes, of which the last may have fewer ranks. */
struct shard_shape {
    int size, rank, nodes, local_size;
    const int *first;
};
RT_NODISCARD rt_status shard_plan(const struct rt_tensors *t, const struct shard_options *o,
                                  const struct shard_shape *shape, struct rt_plan *plan);

/* Elements of the own arrays of such a rank, as shard_own_elements. */
size_t shard_planned_elements(const struct rt_tensors *t, shard_mode mode,
                              const struct shard_shape *shape);

/* RT_EINVAL: hybrid or exact on nodes that do not fit. Not collective, needs no MPI: only `nodes`
 * and `first` are read. */
RT_NODISCARD rt_status shard_check_nodes(const struct shard_options *o,
                                         const struct comm_nodes *nodes);

/* Collective over world. Tensors and nodes are lent for the life of the shard. */
RT_NODISCARD rt_status shard_create(const struct rt_tensors *t, const struct shard_options *o,
                                    const struct comm_nodes *nodes, struct rt_memory *memory,
                                    struct shard **out);
void shard_destroy(struct shard **s); /* collective */

/* What this rank owns: where each piece of a tensor lies in the own arrays. Sorted by `own`. */
struct shard_extent {
    size_t tensor;  /* index into rt_tensors.items */
    uint64_t start; /* first element within the tensor */
    uint64_t count;
    size_t own; /* first element within the own arrays */
};
size_t shard_own_elements(const struct shard *s); /* with padding */
const struct shard_extent *shard_extents(const struct shard *s, size_t *count);
/* hybrid: which replica this rank belongs to, 0..nodes-1; else 0. Whatever is counted or written
 * once, a norm or a checkpoint, is left to replica 0, whose ranks own every element once. */
int shard_replica(const struct shard *s);
float *shard_master(struct shard *s); /* (own elements) fp32 weights */
/* (own elements) fp32; NULL unless training. exact: the step's sum behind its last micro-step */
float *shard_gradients(struct shard *s);

/* One pass over the units begins: TRAIN acquires 0..L in forward, then L+1..0 in backward;
 * FORWARD acquires 0..L+1. Every rank begins the same passes in the same order. In TRAIN, `micro`
 * (0..micro_steps-1) is which micro-step of the step it is: 0 writes the gradients, the others add
 * to them, with the last they are complete. RT_EINVAL: neither 0 nor the next. */
typedef enum { SHARD_PASS_TRAIN, SHARD_PASS_FORWARD } shard_pass;
RT_NODISCARD rt_status shard_begin(struct shard *s, shard_pass pass, int micro);

/* Lend unit's weights (compute dtype) and, in backward, its gradient buffer (f32, undefined
 * bytes, padding included: release zeroes the padding). Waits for the gather. RT_EINVAL: not what
 * the schedule says comes next. */
struct shard_lent {
    const void *weights;
    float *gradients;
};
RT_NODISCARD rt_status shard_acquire(struct shard *s, int unit, bool backward,
                                     struct shard_lent *out);
/* Take it back; in backward, start its reduction. Prefetch of units ahead is begun here. */
RT_NODISCARD rt_status shard_release(struct shard *s, int unit, bool backward);

/* All reductions of this pass are complete. After it the own gradients are this rank's sum over
 * ranks (and over micro-steps); hybrid: over the node's ranks until the last micro-step has ended.
 * Collective. */
RT_NODISCARD rt_status shard_end(struct shard *s);

/* The master weights have changed: lent copies are stale (mode GRADS gathers anew). */
void shard_weights_changed(struct shard *s);

/* The algorithms taken, by name. hybrid: reduce is that of the sum over replicas. */
const char *shard_gather_algorithm(const struct shard *s);
const char *shard_reduce_algorithm(const struct shard *s);

/* The static schedule, one line an event, for --explain. */
void shard_explain(const struct shard *s, FILE *out);

/* Counters since the last call, for metrics. */
struct shard_counters {
    uint64_t gathered_bytes, reduced_bytes; /* of this rank's units, as if whole */
    double gather_s, reduce_s;              /* how long they were under way, though some overlap */
};
void shard_take_counters(struct shard *s, struct shard_counters *out);

#endif
