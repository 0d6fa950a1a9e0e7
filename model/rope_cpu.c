/* model/rope_cpu.c - rotary position embedding, rows over threads; formula in rope_ref.c */
#include "model/kernels_impl.h"
#include "model/rows_cpu.h"
#include "runtime/parallel.h"

rt_status rope_cpu(struct rt_queue *q, void *qkv, const float *table, int N, int T, int position0,
                   int H, int K, int D, bool inverse, rt_dtype dt)
{
    const struct rows_cpu *rows = rows_cpu();
    const size_t row = (size_t)(H + 2 * K) * (size_t)D * rt_dtype_bytes(dt);

    (void)q;
    RT_OMP(parallel for schedule(static))
    for (int n = 0; n < N; n++)
        rows->rope((char *)qkv + (size_t)n * row, table + (size_t)(position0 + n % T) * (size_t)D,
                   H + K, D, inverse, dt);
    return RT_OK;
}
