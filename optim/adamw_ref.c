/* optim/adamw_ref.c - AdamW, written to be read
 *
 *     g' = scale * g
 *     m  = beta1 * m + (1 - beta1) * g'
 *     v  = beta2 * v + (1 - beta2) * (g' * g')
 *     w  = w - rate * ( (m * correct1) / (sqrt(v * correct2) + epsilon) + decay * w )
 *
 * Numbers  f32, one rounding an operation in the order written: other backends give the same bits
 * Cost     28 bytes moved and 16 operations an element: bound by memory
 * Source   Loshchilov & Hutter 2019, arXiv:1711.05101
 */
#include <math.h>

#include "optim/kernels.h"

static rt_status adamw(struct rt_queue *q, float *w, float *m, float *v, const float *g, size_t n,
                       const struct optim_factors *f)
{
    (void)q;
    for (size_t i = 0; i < n; i++) {
        const float d = f->scale * g[i];

        m[i] = f->beta1 * m[i] + f->rest1 * d;
        v[i] = f->beta2 * v[i] + f->rest2 * (d * d);
        const float step = (m[i] * f->correct1) / (sqrtf(v[i] * f->correct2) + f->epsilon);
        w[i] = w[i] - f->rate * (step + f->decay * w[i]);
    }
    return RT_OK;
}

const struct optim_kernels optim_kernels_ref = {.name = "ref", .adamw = adamw};
