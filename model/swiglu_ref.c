/* model/swiglu_ref.c - SwiGLU forward and backward, written to be read
 *
 *     h = g * s * u,    s = 1 / (1 + exp(-g))
 *     dg = dh * u * s * (1 + g * (1 - s)),    du = dh * g * s
 *
 * Shapes    gu, dgu (N,2F): row n holds g (F) and behind it u (F); h, dh (N,F)
 * Numbers   float64 inside. Other backends: relative error (L2) <= 1e-5 in fp32, 1e-2 in bf16
 *           (test_kernels)
 * Source    Shazeer 2020, arXiv:2002.05202
 */
#include "model/kernels_impl.h"

#include <math.h>

rt_status swiglu_fwd_ref(struct rt_queue *q, void *h, const void *gu, int N, int F, rt_dtype dt)
{
    const size_t width = (size_t)F;

    (void)q;
    for (size_t n = 0; n < (size_t)N; n++) {
        for (size_t f = 0; f < width; f++) {
            const double g = kernels_load(gu, n * 2 * width + f, dt);
            const double u = kernels_load(gu, n * 2 * width + width + f, dt);

            kernels_store(h, n * width + f, dt, g / (1 + exp(-g)) * u);
        }
    }
    return RT_OK;
}

rt_status swiglu_bwd_ref(struct rt_queue *q, void *dgu, const void *dh, const void *gu, int N,
                         int F, rt_dtype dt)
{
    const size_t width = (size_t)F;

    (void)q;
    for (size_t n = 0; n < (size_t)N; n++) {
        for (size_t f = 0; f < width; f++) {
            const double g = kernels_load(gu, n * 2 * width + f, dt);
            const double u = kernels_load(gu, n * 2 * width + width + f, dt);
            const double d = kernels_load(dh, n * width + f, dt);
            const double s = 1 / (1 + exp(-g));

            kernels_store(dgu, n * 2 * width + f, dt, d * u * s * (1 + g * (1 - s)));
            kernels_store(dgu, n * 2 * width + width + f, dt, d * g * s);
        }
    }
    return RT_OK;
}
