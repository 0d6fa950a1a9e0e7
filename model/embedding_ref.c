/* model/embedding_ref.c - token embedding forward and backward, written to be read
 *
 *     x[n,:] = w[tokens[n],:]          dw[v,:] = sum over n with tokens[n] == v of dx[n,:]
 *
 * Shapes    tokens (N), each in 0..V-1: the caller has checked; x, dx (N,C); w, dw (V,C)
 * Numbers   forward is exact. Backward adds rows in f32 in the order of n, so that every backend
 *           gives the same bits  (test_kernels: ==)
 */
#include "model/kernels_impl.h"

#include <string.h>

rt_status embedding_fwd_ref(struct rt_queue *q, float *x, const void *w, const int32_t *tokens,
                            int N, int C, rt_dtype dt)
{
    (void)q;
    for (size_t n = 0; n < (size_t)N; n++)
        for (size_t c = 0; c < (size_t)C; c++)
            x[n * (size_t)C + c] = (float)kernels_load(w, (size_t)tokens[n] * (size_t)C + c, dt);
    return RT_OK;
}

rt_status embedding_bwd_ref(struct rt_queue *q, float *dw, const float *dx, const int32_t *tokens,
                            int N, int C, int V)
{
    (void)q;
    memset(dw, 0, (size_t)V * (size_t)C * sizeof *dw);
    for (size_t n = 0; n < (size_t)N; n++)
        for (size_t c = 0; c < (size_t)C; c++)
            dw[(size_t)tokens[n] * (size_t)C + c] += dx[n * (size_t)C + c];
    return RT_OK;
}
