/* model/swiglu_cpu.c - SwiGLU, rows over threads; formula in swiglu_ref.c */
#include "model/kernels_impl.h"
#include "model/rows_cpu.h"
#include "runtime/parallel.h"

rt_status swiglu_fwd_cpu(struct rt_queue *q, void *h, const void *gu, int N, int F, rt_dtype dt)
{
    const struct rows_cpu *rows = rows_cpu();
    const size_t width = (size_t)F * rt_dtype_bytes(dt);

    (void)q;
    RT_OMP(parallel for schedule(static))
    for (size_t n = 0; n < (size_t)N; n++)
        rows->swiglu_fwd((char *)h + n * width, (const char *)gu + n * 2 * width, F, dt);
    return RT_OK;
}

rt_status swiglu_bwd_cpu(struct rt_queue *q, void *dgu, const void *dh, const void *gu, int N,
                         int F, rt_dtype dt)
{
    const struct rows_cpu *rows = rows_cpu();
    const size_t width = (size_t)F * rt_dtype_bytes(dt);

    (void)q;
    RT_OMP(parallel for schedule(static))
    for (size_t n = 0; n < (size_t)N; n++)
        rows->swiglu_bwd((char *)dgu + n * 2 * width, (const char *)dh + n * width,
                         (const char *)gu + n * 2 * width, F, dt);
    return RT_OK;
}
