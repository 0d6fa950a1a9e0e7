/* model/rmsnorm_cpu.c - RMSNorm on CPU threads and vectors; formula in rmsnorm_ref.c
 *
 * How      rows over threads. dw is summed in at most BLOCKS runs of consecutive rows, then over the
 *          runs in order: the runs depend on N alone, so the bits do not depend on the threads.
 */
#include <string.h>

#include "model/kernels_cpu.h"
#include "model/kernels_impl.h"
#include "model/rows_cpu.h"
#include "runtime/parallel.h"

enum { BLOCKS = 64 };

size_t rmsnorm_cpu_bytes(int C) { return (size_t)BLOCKS * (size_t)C * sizeof(float); }

rt_status rmsnorm_fwd_cpu(struct rt_queue *q, void *y, float *rstd, const float *x, const void *w,
                          int N, int C, float eps, rt_dtype dt)
{
    const struct rows_cpu *rows = rows_cpu();
    const size_t width = (size_t)C, bytes = rt_dtype_bytes(dt);

    (void)q;
    RT_OMP(parallel for schedule(static))
    for (size_t i = 0; i < (size_t)N; i++)
        rows->norm_fwd((char *)y + i * width * bytes, &rstd[i], x + i * width, w, C, eps, dt);
    return RT_OK;
}

rt_status rmsnorm_bwd_cpu(struct kernels_state *s, struct rt_queue *q, float *dx, float *dw,
                          const void *dy, const float *x, const void *w, const float *rstd, int N,
                          int C, rt_dtype dt)
{
    const struct rows_cpu *rows = rows_cpu();
    const size_t width = (size_t)C, bytes = rt_dtype_bytes(dt), count = (size_t)N;
    const size_t run = (count + BLOCKS - 1) / BLOCKS;
    void *work;

    (void)q;
    RT_TRY(cpu_workspace(s, "rmsnorm", rmsnorm_cpu_bytes(C), &work));
    float *part = work; /* (BLOCKS,C) */
    RT_OMP(parallel for schedule(static))
    for (size_t b = 0; b < BLOCKS; b++) {
        const size_t end = (b + 1) * run < count ? (b + 1) * run : count;
        memset(part + b * width, 0, width * sizeof *part);
        for (size_t i = b * run; i < end; i++)
            rows->norm_bwd(dx + i * width, part + b * width, (const char *)dy + i * width * bytes,
                           x + i * width, w, rstd[i], C, dt);
    }
    memcpy(dw, part, width * sizeof *dw);
    for (size_t b = 1; b < BLOCKS; b++) rows->add(dw, part + b * width, width);
    return RT_OK;
}
