/* model/cast_ref.c - f32 to the compute dtype, to nearest, ties to even; every backend: == */
#include "model/kernels_impl.h"

rt_status cast_ref(struct rt_queue *q, void *y, const float *x, size_t n, rt_dtype dt)
{
    (void)q;
    for (size_t i = 0; i < n; i++) kernels_store(y, i, dt, (double)x[i]);
    return RT_OK;
}
