/* shard/partials.h - the own gradients of a step's micro-steps, added by a binary tree
 *
 * Each micro-step leaves one array: its sum over ranks. The arrays are added as a binary counter
 * counts: two sums meet as soon as they cover as many micro-steps, the older one on the left.
 *
 *     after micro-step 0   level 0: 0
 *                      1   level 1: 0+1
 *                      2   level 1: 0+1         level 0: 2
 *                      3   level 2: (0+1)+(2+3)
 *
 * The last level is the gradient array itself. So log2(steps)+1 arrays are all there is, and the
 * last micro-step folds every level into the gradients: steps is a power of two.
 *
 * Memory   log2(steps) arrays of own elements beside the gradients: "shard/partials" in the plan
 * Cost     (steps - 1) additions an element in all; at most log2(steps)+1 arrays read in one pass
 * Source   pairwise summation by a counter: Higham 1993, SIAM J. Sci. Comput. 14(4)
 */
#ifndef SHARD_PARTIALS_H
#define SHARD_PARTIALS_H

#include <stddef.h>

#include "runtime/status.h"
#include "runtime/vector/vector.h"

struct shard_partials {
    int steps;        /* micro-steps of a step: a power of two */
    size_t n;         /* elements of one array */
    float *levels;    /* (log2(steps), n), lent, as the next; NULL for one step */
    float *gradients; /* (n) */
};

/* log2(steps): how many arrays lie beside the gradients. RT_EINVAL: not a power of two. */
RT_NODISCARD rt_status shard_partials_levels(int steps, int *out);

/* The array that micro-step m (0..steps-1) writes whole: each step once, in order. */
float *shard_partials_target(const struct shard_partials *p, int m);

/* It is written. After the last micro-step the gradients are the sum over all. */
RT_NODISCARD rt_status shard_partials_push(const struct shard_partials *p, int m,
                                           const struct rt_vector *vector);

#endif
