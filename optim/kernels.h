/* optim/kernels.h - the arithmetic of the optimizer, once per kind of hardware
 *
 * The formula and its one rounding form stand in adamw_ref.c; every backend gives the same bits.
 */
#ifndef OPTIM_KERNELS_H
#define OPTIM_KERNELS_H

#include <stddef.h>

#include "runtime/status.h"

struct rt_queue;

/* What an element's update depends on besides itself. */
struct optim_factors {
    float beta1, beta2;
    float rest1, rest2;       /* 1 - beta */
    float correct1, correct2; /* 1 / (1 - beta^t) */
    float epsilon, rate;
    float decay; /* weight decay; 0 where nothing decays */
    float scale; /* of the gradient: the clip factor */
};

struct optim_kernels {
    const char *name; /* ref, cpu */
    /* w, m, v (n) updated from g (n). No overlap. */
    RT_NODISCARD rt_status (*adamw)(struct rt_queue *q, float *w, float *m, float *v,
                                    const float *g, size_t n, const struct optim_factors *f);
};

extern const struct optim_kernels optim_kernels_ref;
extern const struct optim_kernels optim_kernels_cpu;
extern const struct optim_kernels *const optim_kernels_built[]; /* NULL last */

/* RT_EMISSING: no such backend; the message lists those there are. */
RT_NODISCARD rt_status optim_kernels_find(const char *name, const struct optim_kernels **out);

#endif
