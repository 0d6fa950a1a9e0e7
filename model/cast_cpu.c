/* model/cast_cpu.c - f32 to the compute dtype, blocks over threads */
#include <string.h>

#include "model/kernels_impl.h"
#include "model/rows_cpu.h"
#include "runtime/parallel.h"

enum { BLOCK = 16384 };

rt_status cast_cpu(struct rt_queue *q, void *y, const float *x, size_t n, rt_dtype dt)
{
    const struct rows_cpu *rows = rows_cpu();

    (void)q;
    RT_OMP(parallel for schedule(static))
    for (size_t i = 0; i < n; i += BLOCK) {
        const size_t count = n - i < BLOCK ? n - i : BLOCK;
        if (dt == RT_F32)
            memcpy((float *)y + i, x + i, count * sizeof *x);
        else
            rows->to_bf16((rt_bf16 *)y + i, x + i, count);
    }
    return RT_OK;
}
