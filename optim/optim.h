/* optim/optim.h - AdamW on the slice that this rank owns, and the learning-rate schedule
 *
 * Knows nothing of ranks: slices, gradients and the decay mask come as flat arrays of n elements.
 * Numbers  fp32 moments; m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2;
 *          w -= lr * ( (m / (1-b1^t)) / (sqrt(v / (1-b2^t)) + eps) + decay * w )
 *          (decay where the mask says so; decoupled, as PyTorch's AdamW)
 * Source   Loshchilov & Hutter 2019, arXiv:1711.05101; Llama 2, section 2.2
 */
#ifndef OPTIM_OPTIM_H
#define OPTIM_OPTIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/memory.h"
#include "runtime/status.h"

struct rt_queue;

struct optim_options {
    double learning_rate; /* peak, 3e-4 */
    double beta1, beta2;  /* 0.9, 0.95 */
    double epsilon;       /* 1e-5 */
    double weight_decay;  /* 0.1, on matrices and embeddings */
    double clip;          /* global norm, 1.0; 0: off */
};

/* Parts of the slice, in order: whether they are decayed. What lies between is padding. */
struct optim_range {
    size_t first, count;
    bool decay;
};

struct optim;

/* "optim/exp_avg" and "optim/exp_avg_sq" of n f32 each. */
RT_NODISCARD rt_status optim_plan(size_t n, struct rt_plan *plan);
/* backend: "ref" or "cpu". ranges are copied; elements in no range are left alone. */
RT_NODISCARD rt_status optim_create(const struct optim_options *o, const char *backend, size_t n,
                                    const struct optim_range *ranges, size_t range_count,
                                    struct rt_memory *memory, struct optim **out);
void optim_destroy(struct optim **o);

/* Factor that brings a gradient of this global norm to the clip: min(1, clip / (norm + 1e-6)). */
float optim_clip_factor(const struct optim *o, double norm);

/* Step t (from 1): w (n) updated from g (n) * scale. */
RT_NODISCARD rt_status optim_step(struct optim *o, struct rt_queue *q, float *w, const float *g,
                                  float scale, double learning_rate, uint64_t t);

/* For checkpoints: (n) each, lent for the life of o. */
float *optim_exp_avg(struct optim *o);
float *optim_exp_avg_sq(struct optim *o);

/* Linear warm-up from 0 to peak over `warmup` steps (step s of it: peak * s/warmup), then cosine
 * down to final_ratio * peak at step `steps`, flat after. Steps count from 1. */
struct optim_schedule {
    double peak, final_ratio; /* 0.1 */
    uint64_t warmup, steps;
};
double optim_learning_rate(const struct optim_schedule *s, uint64_t step);

#endif
