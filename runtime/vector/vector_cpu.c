/* runtime/vector/vector_cpu.c - vectors and threads
 *
 * Loops over rows are in rows_cpu.c, sums in reduce_cpu.c. All give the bits of ref (of a sum with
 * several NaN: a NaN).
 */
#include "runtime/vector/vector.h"

#include <string.h>

#include "runtime/parallel.h"
#include "runtime/vector/rows_cpu.h"

enum {
    CHUNK = 1 << 14,        /* elements a thread takes at a time */
    SQUARES = 1 << 18,      /* the same for exact sums, whose bins cost a fixed amount */
    PARALLEL_FROM = 1 << 16 /* elements from which threads pay */
};

static inline size_t at_most(size_t n, size_t most) { return n < most ? n : most; }

static void cast_part(const struct rt_rows *r, char *y, rt_dtype yt, const char *x, rt_dtype xt,
                      size_t n)
{
    if (xt == yt)
        memcpy(y, x, n * rt_dtype_bytes(xt));
    else if (yt == RT_BF16)
        r->to_bf16((rt_bf16 *)(void *)y, (const float *)(const void *)x, n);
    else
        r->to_f32((float *)(void *)y, (const rt_bf16 *)(const void *)x, n);
}

static rt_status cast_cpu(struct rt_queue *q, void *y, rt_dtype yt, const void *x, rt_dtype xt,
                          size_t n)
{
    const struct rt_rows *r = rt_rows_widest();
    const size_t yb = rt_dtype_bytes(yt), xb = rt_dtype_bytes(xt);

    (void)q;
    RT_OMP(parallel for schedule(static) if (n >= PARALLEL_FROM))
    for (size_t i = 0; i < n; i += CHUNK)
        cast_part(r, (char *)y + i * yb, yt, (const char *)x + i * xb, xt, at_most(n - i, CHUNK));
    return RT_OK;
}

static rt_status scale_cpu(struct rt_queue *q, float *y, float a, size_t n)
{
    const struct rt_rows *r = rt_rows_widest();

    (void)q;
    RT_OMP(parallel for schedule(static) if (n >= PARALLEL_FROM))
    for (size_t i = 0; i < n; i += CHUNK) r->scale(y + i, a, at_most(n - i, CHUNK));
    return RT_OK;
}

/* Exact, so threads may merge in any order. */
static rt_status squares_cpu(struct rt_queue *q, struct rt_exact *a, const float *x, size_t n)
{
    (void)q;
    RT_OMP(parallel if (n >= 2 * (size_t)SQUARES))
    {
        struct rt_exact mine = {0};
        RT_OMP(for schedule(static) nowait)
        for (size_t i = 0; i < n; i += SQUARES)
            rt_exact_add_squares(&mine, x + i, at_most(n - i, SQUARES));
        RT_OMP(critical(rt_vector_squares))
        rt_exact_merge(a, &mine);
    }
    return RT_OK;
}

static rt_status finite_cpu(struct rt_queue *q, bool *finite, const float *x, size_t n)
{
    const struct rt_rows *r = rt_rows_widest();
    uint32_t bad = 0;

    (void)q;
    RT_OMP(parallel for schedule(static) reduction(| : bad) if (n >= PARALLEL_FROM))
    for (size_t i = 0; i < n; i += CHUNK) bad |= r->not_finite(x + i, at_most(n - i, CHUNK));
    *finite = bad == 0;
    return RT_OK;
}

const struct rt_vector rt_vector_cpu = {
    .name = "cpu",
    .cast = cast_cpu,
    .reduce = rt_reduce_cpu,
    .scale = scale_cpu,
    .squares = squares_cpu,
    .finite = finite_cpu,
};
