/* runtime/vector/vector_cpu.c - vectors and threads
 *
 * Each row function stands once, as a plain loop that the compiler vectorises; it is compiled for
 * three instruction sets and the widest that the CPU has is taken at run time. None of them
 * contracts or reorders, so all give the bits of ref (of a sum with several NaN: a NaN).
 * Sums go block by block through a buffer that stays in the first-level cache: every x is read
 * once and y written once, and y may be one of the x.
 */
#include "runtime/vector/vector.h"

#include <string.h>

#include "runtime/parallel.h"

enum {
    BLOCK = 256,            /* elements of one buffer of a sum */
    LEVELS = 24,            /* of the tree: fewer than 2^24 vectors */
    CHUNK = 1 << 14,        /* elements a thread takes at a time elsewhere */
    SQUARES = 1 << 18,      /* the same for exact sums, whose bins cost a fixed amount */
    PARALLEL_FROM = 1 << 16 /* elements from which threads pay */
};

#define ROW static inline __attribute__((always_inline))

ROW void to_bf16_body(rt_bf16 *restrict y, const float *restrict x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t u;
        memcpy(&u, &x[i], sizeof u);
        uint32_t rounded = (u + 0x7fffu + (u >> 16 & 1u)) >> 16;
        uint32_t quiet = u >> 16 | 0x40u;
        y[i] = (rt_bf16)((u & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
    }
}

ROW void to_f32_body(float *restrict y, const rt_bf16 *restrict x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t u = (uint32_t)x[i] << 16;
        memcpy(&y[i], &u, sizeof u);
    }
}

ROW void add_body(float *restrict y, const float *restrict x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = y[i] + x[i];
}

ROW void scale_body(float *y, float a, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = y[i] * a;
}

/* Not 0: some exponent field is all ones. */
ROW uint32_t not_finite_body(const float *x, size_t n)
{
    uint32_t bad = 0;

    for (size_t i = 0; i < n; i++) {
        uint32_t u;
        memcpy(&u, &x[i], sizeof u);
        bad |= (u & 0x7f800000u) == 0x7f800000u ? 1u : 0u;
    }
    return bad;
}

struct rows {
    void (*to_bf16)(rt_bf16 *restrict y, const float *restrict x, size_t n);
    void (*to_f32)(float *restrict y, const rt_bf16 *restrict x, size_t n);
    void (*add)(float *restrict y, const float *restrict x, size_t n);
    void (*scale)(float *y, float a, size_t n);
    uint32_t (*not_finite)(const float *x, size_t n);
};

/* The bodies once more, compiled for one instruction set. */
#define ROWS(set, attributes)                                                                      \
    attributes static void to_bf16_##set(rt_bf16 *restrict y, const float *restrict x, size_t n)   \
    {                                                                                              \
        to_bf16_body(y, x, n);                                                                     \
    }                                                                                              \
    attributes static void to_f32_##set(float *restrict y, const rt_bf16 *restrict x, size_t n)    \
    {                                                                                              \
        to_f32_body(y, x, n);                                                                      \
    }                                                                                              \
    attributes static void add_##set(float *restrict y, const float *restrict x, size_t n)         \
    {                                                                                              \
        add_body(y, x, n);                                                                         \
    }                                                                                              \
    attributes static void scale_##set(float *y, float a, size_t n) { scale_body(y, a, n); }       \
    attributes static uint32_t not_finite_##set(const float *x, size_t n)                          \
    {                                                                                              \
        return not_finite_body(x, n);                                                              \
    }                                                                                              \
    static const struct rows rows_##set = {to_bf16_##set, to_f32_##set, add_##set, scale_##set,    \
                                           not_finite_##set};

ROWS(base, )
#if defined(__x86_64__)
ROWS(avx2, __attribute__((target("avx2"))))
ROWS(avx512, __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq"))))
#endif

static const struct rows *widest_rows(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        return &rows_avx512;
    if (__builtin_cpu_supports("avx2")) return &rows_avx2;
#endif
    return &rows_base;
}

static inline size_t at_most(size_t n, size_t most) { return n < most ? n : most; }

static void cast_part(const struct rows *r, char *y, rt_dtype yt, const char *x, rt_dtype xt,
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
    const struct rows *r = widest_rows();
    const size_t yb = rt_dtype_bytes(yt), xb = rt_dtype_bytes(xt);

    (void)q;
    RT_OMP(parallel for schedule(static) if (n >= PARALLEL_FROM))
    for (size_t i = 0; i < n; i += CHUNK)
        cast_part(r, (char *)y + i * yb, yt, (const char *)x + i * xb, xt, at_most(n - i, CHUNK));
    return RT_OK;
}

/* y = s, or y + s */
static void put(const struct rows *r, float *y, const float *s, size_t n, bool add)
{
    if (add)
        r->add(y, s, n);
    else
        memcpy(y, s, n * sizeof *y);
}

static void sum_block(const struct rows *r, float *y, const float *const *x, int count, size_t at,
                      size_t n, bool add)
{
    float s[BLOCK];

    memcpy(s, x[0] + at, n * sizeof *s);
    for (int k = 1; k < count; k++) r->add(s, x[k] + at, n);
    put(r, y + at, s, n, add);
}

static rt_status sum_cpu(struct rt_queue *q, float *y, const float *const *x, int count, size_t n,
                         bool add)
{
    const struct rows *r = widest_rows();

    (void)q;
    if (count < 1) return RT_FAIL(RT_EINVAL, "a sum of %d vectors", count);
    RT_OMP(parallel for schedule(static) if (n >= PARALLEL_FROM))
    for (size_t i = 0; i < n; i += BLOCK) sum_block(r, y, x, count, i, at_most(n - i, BLOCK), add);
    return RT_OK;
}

/* A binary counter: after k vectors there is one partial sum for each one-bit of k, so two
 * partials are added as soon as they cover the same number of vectors. */
static void tree_block(const struct rows *r, float *y, const float *const *x, int count, size_t at,
                       size_t n, bool add)
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
    const struct rows *r = widest_rows();

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
    const struct rows *r = widest_rows();

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
    const struct rows *r = widest_rows();
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
    .scale = scale_cpu,
    .squares = squares_cpu,
    .finite = finite_cpu,
};
