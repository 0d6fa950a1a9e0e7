/* model/attention_cpu.c - causal grouped-query attention on threads; the tiles of one head are in
 * attention_vec.c, the formula in attention_ref.c
 *
 * How      forward: one query head of one sequence is one piece of work; backward: one kv head with
 *          the query heads that read it. Pieces write disjoint parts, so the bits do not depend on
 *          the number of threads. Each thread has its own part of the workspace.
 */
#ifdef _OPENMP
#include <omp.h>
#endif

#include "model/kernels_cpu.h"
#include "model/kernels_impl.h"
#include "model/rows_cpu.h"
#include "runtime/parallel.h"

/* Tiles of 64 rows and a head dim padded to 16: see attention_vec.c. */
size_t rows_attention_floats(int T, int D)
{
    const size_t rows = ((size_t)T + 63) / 64 * 64, Dp = ((size_t)D + 15) / 16 * 16;
    return 5 * rows * Dp + 2 * rows + 3 * 64 * Dp + 2 * 64 * 64;
}

static size_t thread_floats(int T, int D) { return cpu_align(rows_attention_floats(T, D)); }

size_t attention_cpu_bytes(int context, int D)
{
    return (size_t)cpu_threads() * thread_floats(context, D) * sizeof(float);
}

static size_t this_thread(void)
{
#ifdef _OPENMP
    return (size_t)omp_get_thread_num();
#else
    return 0;
#endif
}

static const void *at(const void *p, size_t element, rt_dtype dt)
{
    return (const char *)p + element * rt_dtype_bytes(dt);
}

static void *at_writable(void *p, size_t element, rt_dtype dt)
{
    return (char *)p + element * rt_dtype_bytes(dt);
}

/* Elements before sequence b and head `head` (counted over the H+2K) of qkv. */
static size_t qkv_at(const struct kernels_attention *a, size_t b, size_t head)
{
    const size_t row = (size_t)(a->H + 2 * a->K) * (size_t)a->D;
    return b * (size_t)a->T * row + head * (size_t)a->D;
}

static struct rows_attention head_of(const struct kernels_attention *a, size_t b, size_t h,
                                     const void *qkv, void *out, float *lse, float *scratch)
{
    const size_t H = (size_t)a->H, K = (size_t)a->K, D = (size_t)a->D, row0 = b * (size_t)a->T;
    const size_t g = h / (H / K);

    return (struct rows_attention){.q = at(qkv, qkv_at(a, b, h), a->dt),
                                   .k = at(qkv, qkv_at(a, b, H + g), a->dt),
                                   .v = at(qkv, qkv_at(a, b, H + K + g), a->dt),
                                   .out = at_writable(out, (row0 * H + h) * D, a->dt),
                                   .lse = lse + row0 * H + h,
                                   .qkv_stride = (H + 2 * K) * D,
                                   .out_stride = H * D,
                                   .lse_stride = H,
                                   .T = a->T,
                                   .D = a->D,
                                   .dt = a->dt,
                                   .scratch = scratch};
}

rt_status attention_fwd_cpu(struct kernels_state *s, struct rt_queue *q, void *out, float *lse,
                            const void *qkv, const struct kernels_attention *a)
{
    const struct rows_cpu *rows = rows_cpu();
    const size_t H = (size_t)a->H, pieces = (size_t)a->B * H;
    void *work;

    (void)q;
    RT_TRY(cpu_workspace(s, "attention", attention_cpu_bytes(a->T, a->D), &work));
    RT_OMP(parallel for schedule(dynamic))
    for (size_t i = 0; i < pieces; i++) {
        float *scratch = (float *)work + this_thread() * thread_floats(a->T, a->D);
        const struct rows_attention x = head_of(a, i / H, i % H, qkv, out, lse, scratch);
        rows->attention_fwd(&x);
    }
    return RT_OK;
}

rt_status attention_bwd_cpu(struct kernels_state *s, struct rt_queue *q, void *dqkv,
                            const void *dout, const void *qkv, const void *out, const float *lse,
                            const struct kernels_attention *a)
{
    const struct rows_cpu *rows = rows_cpu();
    const size_t H = (size_t)a->H, K = (size_t)a->K, pieces = (size_t)a->B * K;
    void *work;

    (void)q;
    RT_TRY(cpu_workspace(s, "attention", attention_cpu_bytes(a->T, a->D), &work));
    RT_OMP(parallel for schedule(dynamic))
    for (size_t i = 0; i < pieces; i++) {
        const size_t b = i / K, g = i % K, h = g * (H / K);
        float *scratch = (float *)work + this_thread() * thread_floats(a->T, a->D);
        /* The backward loops only read out and lse. */
        const struct rows_attention_bwd x = {
            .fwd = head_of(a, b, h, qkv, (void *)(uintptr_t)out, (float *)(uintptr_t)lse, scratch),
            .dout = at(dout, (b * (size_t)a->T * H + h) * (size_t)a->D, a->dt),
            .dq = at_writable(dqkv, qkv_at(a, b, h), a->dt),
            .dk = at_writable(dqkv, qkv_at(a, b, H + g), a->dt),
            .dv = at_writable(dqkv, qkv_at(a, b, H + K + g), a->dt),
            .group = (int)(H / K)};
        rows->attention_bwd(&x);
    }
    return RT_OK;
}

rt_status attention_cached_cpu(struct kernels_state *s, struct rt_queue *q, void *out,
                               const void *qkv, const void *keys, const void *values, int t,
                               int position, int context, const struct kernels_attention *a)
{
    const struct rows_cpu *rows = rows_cpu();
    const size_t H = (size_t)a->H, K = (size_t)a->K, D = (size_t)a->D, new = (size_t)t;
    const size_t each = cpu_align((size_t)(position + t)), count = (size_t)a->B * new *H;
    void *work;

    (void)q;
    RT_TRY(cpu_workspace(s, "attention", (size_t)cpu_threads() * each * sizeof(float), &work));
    RT_OMP(parallel for schedule(static))
    for (size_t i = 0; i < count; i++) {
        const size_t row = i / H, h = i % H, g = h / (H / K);
        const size_t cache = row / new *(size_t)context *K *D + g *D;
        const struct rows_query x = {.q = at(qkv, row * (H + 2 * K) * D + h * D, a->dt),
                                     .keys = at(keys, cache, a->dt),
                                     .values = at(values, cache, a->dt),
                                     .out = at_writable(out, (row * H + h) * D, a->dt),
                                     .kv_stride = K * D,
                                     .count = position + (int)(row % new) + 1,
                                     .D = a->D,
                                     .dt = a->dt,
                                     .scratch = (float *)work + this_thread() * each};
        rows->attention_query(&x);
    }
    return RT_OK;
}
