/* model/rmsnorm_ref.c - RMSNorm forward and backward, written to be read
 *
 *     y[i,c]   = w[c] * x[i,c] * r[i],                 r[i] = 1 / sqrt(mean_c(x[i,c]^2) + eps)
 *     dx[i,c] += r[i] * w[c] * dy[i,c] - x[i,c] * r[i]^3 / C * sum_e(w[e] * dy[i,e] * x[i,e])
 *     dw[c]    = sum_i dy[i,c] * x[i,c] * r[i]
 *
 * Shapes    x, y, dx, dy (N,C); w, dw (C); rstd (N), kept for the backward pass
 * Numbers   sums in float64. Other backends: relative error (L2) <= 1e-5 in fp32, 1e-2 in bf16
 *           (test_kernels)
 * Cost      bound by memory: N*2*C numbers forward, N*4*C backward
 * Source    Zhang & Sennrich 2019, arXiv:1910.07467; eps under the root as in Llama 2
 */
#include "model/kernels_impl.h"

#include <math.h>

rt_status rmsnorm_fwd_ref(struct rt_queue *q, void *y, float *rstd, const float *x, const void *w,
                          int N, int C, float eps, rt_dtype dt)
{
    (void)q;
    for (size_t i = 0; i < (size_t)N; i++) {
        const float *x_C = x + i * (size_t)C;

        double sum = 0;
        for (size_t c = 0; c < (size_t)C; c++) sum += (double)x_C[c] * x_C[c];
        rstd[i] = (float)(1 / sqrt(sum / C + (double)eps));
        for (size_t c = 0; c < (size_t)C; c++)
            kernels_store(y, i * (size_t)C + c, dt,
                          kernels_load(w, c, dt) * x_C[c] * (double)rstd[i]);
    }
    return RT_OK;
}

rt_status rmsnorm_bwd_ref(struct kernels_state *s, struct rt_queue *q, float *dx, float *dw,
                          const void *dy, const float *x, const void *w, const float *rstd, int N,
                          int C, rt_dtype dt)
{
    const size_t rows = (size_t)N, width = (size_t)C;

    (void)s;
    (void)q;
    for (size_t i = 0; i < rows; i++) {
        const float *x_C = x + i * width;
        const double r = rstd[i];

        double dot = 0;
        for (size_t c = 0; c < width; c++)
            dot += kernels_load(w, c, dt) * kernels_load(dy, i * width + c, dt) * x_C[c];
        for (size_t c = 0; c < width; c++) {
            const double g = kernels_load(w, c, dt) * kernels_load(dy, i * width + c, dt);
            const double d = r * g - x_C[c] * r * r * r / C * dot;
            dx[i * width + c] = (float)(dx[i * width + c] + d);
        }
    }
    for (size_t c = 0; c < width; c++) {
        double sum = 0;
        for (size_t i = 0; i < rows; i++)
            sum += kernels_load(dy, i * width + c, dt) * x[i * width + c] * (double)rstd[i];
        dw[c] = (float)sum;
    }
    return RT_OK;
}
