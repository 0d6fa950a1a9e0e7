/* runtime/vector/vector_cpu.c - vectors and threads
 *
 * Loops over rows are in rows_cpu.c, sums of vectors of any types in reduce_cpu.c. All give the
 * bits of ref (of a sum with several NaN: a NaN). Sums go block by block through a buffer that
 * stays in the first-level cache: every x is read once and y written once, and y may be one of the
 * x.
 */
#include "runtime/vector/vector.h"

#include <string.h>

#include "runtime/parallel.h"
#include "runtime/vector/rows_cpu.h"

enum {
    BLOCK = 256,            /* elements of one buffer of a sum */
    LEVELS = 24,            /* of the tree: fewer than 2^24 vectors */
    CHUNK = 1 << 14,        /* elements a thread takes at a time elsewhere */
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

/* y = s, or y + s */
static void put(const struct rt_rows *r, float *y, const float *s, size_t n, bool add)
{
    if (add)
        r->add(y, s, n);
    else
        memcpy(y, s, n * sizeof *y);
}

static void sum_block(const struct rt_rows *r, float *y, const float *const *x, int count,
                      size_t at, size_t n, bool add)
{
    float s[BLOCK];

    memcpy(s, x[0] + at, n * sizeof *s);
    for (int k = 1; k < count; k++) r->add(s, x[k] + at, n);
    put(r, y + at, s, n, add);
}

static rt_status sum_cpu(struct rt_queue *q, float *y, const float *const *x, int count, size_t n,
                         bool add)
{
    const struct rt_rows *r = rt_rows_widest();

    (void)q;
    if (count < 1) return RT_FAIL(RT_EINVAL, "a sum of %d vectors", count);
    RT_OMP(parallel for schedule(static) if (n >= PARALLEL_FROM))
    for (size_t i = 0; i < n; i += BLOCK) sum_block(r, y, x, count, i, at_most(n - i, BLOCK), add);
    return RT_OK;
}

/* A binary counter: after k vectors there is one partial sum for each one-bit of k, so two
 * partials are added as soon as they cover the same number of vectors. */
static void tree_block(const struct rt_rows *r, float *y, const float *const *x, int count,
                       size_t at, size_t n, bool add)
{
    float s[LEVELS][BLOCK];
    int depth = 0;

    for (int k = 0; k < count; k++) {
        if (k % 2 == 0) {
            memcpy(s[depth++], x[k] + at, n * sizeof *s[0]);
            continue;
        }
        r->add(s[depth - 1], x[k] + at, n);
        for (int pairs = (k + 1) / 2; pairs % 2 == 0; pairs /= 2, depth--)
            r->add(s[depth - 2], s[depth - 1], n);
    }
    for (; depth > 1; depth--) r->add(s[depth - 2], s[depth - 1], n);
    put(r, y + at, s[0], n, add);
}

static rt_status tree_sum_cpu(struct rt_queue *q, float *y, const float *const *x, int count,
                              size_t n, bool add)
{
    const struct rt_rows *r = rt_rows_widest();

    (void)q;
    if (count < 1 || count >= 1 << (LEVELS - 1))
        return RT_FAIL(RT_EINVAL, "a tree sum of %d vectors, must be 1 to %d", count,
                       (1 << (LEVELS - 1)) - 1);
    RT_OMP(parallel for schedule(static) if (n >= PARALLEL_FROM))
    for (size_t i = 0; i < n; i += BLOCK) tree_block(r, y, x, count, i, at_most(n - i, BLOCK), add);
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
    .sum = sum_cpu,
    .tree_sum = tree_sum_cpu,
    .reduce = rt_reduce_cpu,
    .scale = scale_cpu,
    .squares = squares_cpu,
    .finite = finite_cpu,
};
