/* model/rope_ref.c - rotary position embedding, written to be read
 *
 *     (x[2i], x[2i+1]) <- (x[2i] cos - x[2i+1] sin, x[2i] sin + x[2i+1] cos)
 *     with the angle position * theta^(-2i/D), from the table; the inverse turns by minus it
 *
 * Shapes    qkv (N,(H+2K)*D): the H heads of q and the K of k are turned, v is left alone;
 *           table (context, D/2, 2) holds cos and sin
 * Numbers   products and sums in float64. Other backends: relative error (L2) <= 1e-6 in fp32,
 *           1e-2 in bf16  (test_kernels)
 * Source    Su et al. 2021, arXiv:2104.09864; adjacent pairs as in Meta's released code
 */
#include "model/kernels_impl.h"

rt_status rope_ref(struct rt_queue *q, void *qkv, const float *table, int N, int T, int position0,
                   int H, int K, int D, bool inverse, rt_dtype dt)
{
    const size_t pairs = (size_t)D / 2, row = (size_t)(H + 2 * K) * (size_t)D;

    (void)q;
    for (int n = 0; n < N; n++) {
        const float *angle = table + (size_t)(position0 + n % T) * pairs * 2;

        for (size_t i = 0; i < (size_t)(H + K) * pairs; i++) {
            const double c = angle[i % pairs * 2];
            const double s = inverse ? -(double)angle[i % pairs * 2 + 1] : angle[i % pairs * 2 + 1];
            const size_t at = (size_t)n * row + 2 * i;
            const double a = kernels_load(qkv, at, dt), b = kernels_load(qkv, at + 1, dt);

            kernels_store(qkv, at, dt, a * c - b * s);
            kernels_store(qkv, at + 1, dt, a * s + b * c);
        }
    }
    return RT_OK;
}
