/* model/crossentropy_cpu.c - loss of rows of logits, rows over threads; formula in
 * crossentropy_ref.c */
#include "model/kernels_impl.h"
#include "model/rows_cpu.h"
#include "runtime/parallel.h"

rt_status crossentropy_cpu(struct rt_queue *q, float *losses, void *dlogits, const float *logits,
                           const int32_t *targets, int n, int V, float scale, rt_dtype dt)
{
    const struct rows_cpu *rows = rows_cpu();
    const size_t width = (size_t)V, bytes = rt_dtype_bytes(dt);

    (void)q;
    RT_OMP(parallel for schedule(static))
    for (size_t i = 0; i < (size_t)n; i++) {
        void *d = dlogits == NULL ? NULL : (char *)dlogits + i * width * bytes;
        losses[i] = rows->crossentropy(d, logits + i * width, targets[i], V, scale, dt);
    }
    return RT_OK;
}
