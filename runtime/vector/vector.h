/* runtime/vector/vector.h - what comm, shard, optim and checkpoint need on flat data
 *
 * One constant table a backend; ref is the truth. Every element-wise loop has one rounding form,
 * so its result does not depend on the vector width or on where a slice begins.
 * Lengths are elements. Queues as in runtime/device.h.
 */
#ifndef RT_VECTOR_H
#define RT_VECTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/dtype.h"
#include "runtime/exact.h"
#include "runtime/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct rt_queue;

struct rt_vector {
    const char *name; /* ref, cpu */
    /* y[i] = x[i], cast from xt to yt (nearest even). No overlap. */
    RT_NODISCARD rt_status (*cast)(struct rt_queue *q, void *y, rt_dtype yt, const void *x,
                                   rt_dtype xt, size_t n);
    /* y[i] = (((x[0][i] + x[1][i]) + x[2][i]) ...): vectors of any types, added in f32 in the order
     * of k; rounded once to yt. tree: by a balanced binary tree over k, ((x0+x1)+(x2+x3))..., for
     * reduce: exact; of any count the left half is the largest power of two below it: (x0+x1)+x2.
     * add: the old y (as f32) first. y may be an x[k] of its own type. count >= 1. */
    RT_NODISCARD rt_status (*reduce)(struct rt_queue *q, void *y, rt_dtype yt, const void *const *x,
                                     const rt_dtype *xt, int count, size_t n, bool tree, bool add);
    RT_NODISCARD rt_status (*scale)(struct rt_queue *q, float *y, float a, size_t n);
    /* a += sum of x[i]^2, exact. */
    RT_NODISCARD rt_status (*squares)(struct rt_queue *q, struct rt_exact *a, const float *x,
                                      size_t n);
    /* *finite = no NaN or Inf among x. */
    RT_NODISCARD rt_status (*finite)(struct rt_queue *q, bool *finite, const float *x, size_t n);
};

extern const struct rt_vector rt_vector_ref;
extern const struct rt_vector rt_vector_cpu;
extern const struct rt_vector rt_vector_cuda; /* where it is built; wants a queue of a GPU */
extern const struct rt_vector *const rt_vectors_built[]; /* NULL last */

RT_NODISCARD rt_status rt_vector_find(const char *name, const struct rt_vector **out);

#ifdef __cplusplus
}
#endif
#endif
