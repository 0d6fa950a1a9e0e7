/* model/embedding_cpu.c - token embedding on threads; formula in embedding_ref.c
 *
 * How      forward: rows over threads. Backward: columns over threads, each taking the rows of dx
 *          in the order of n, so that the bits are ref's whatever the number of threads.
 */
#include <string.h>

#include "model/kernels_impl.h"
#include "model/rows_cpu.h"
#include "runtime/parallel.h"

enum { COLUMNS = 128 };

rt_status embedding_fwd_cpu(struct rt_queue *q, float *x, const void *w, const int32_t *tokens,
                            int N, int C, rt_dtype dt)
{
    const struct rows_cpu *rows = rows_cpu();
    const size_t width = (size_t)C;

    (void)q;
    RT_OMP(parallel for schedule(static))
    for (size_t n = 0; n < (size_t)N; n++) {
        const size_t at = (size_t)tokens[n] * width;
        if (dt == RT_F32)
            memcpy(x + n * width, (const float *)w + at, width * sizeof *x);
        else
            rows->to_f32(x + n * width, (const rt_bf16 *)w + at, width);
    }
    return RT_OK;
}

rt_status embedding_bwd_cpu(struct rt_queue *q, float *dw, const float *dx, const int32_t *tokens,
                            int N, int C, int V)
{
    const struct rows_cpu *rows = rows_cpu();
    const size_t width = (size_t)C;

    (void)q;
    RT_OMP(parallel for schedule(static))
    for (size_t v = 0; v < (size_t)V; v++) memset(dw + v * width, 0, width * sizeof *dw);
    RT_OMP(parallel for schedule(static))
    for (size_t c = 0; c < width; c += COLUMNS) {
        const size_t count = width - c < COLUMNS ? width - c : COLUMNS;
        for (size_t n = 0; n < (size_t)N; n++)
            rows->add(dw + (size_t)tokens[n] * width + c, dx + n * width + c, count);
    }
    return RT_OK;
}
