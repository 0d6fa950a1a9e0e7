/* runtime/vector/rows_cpu.c - see rows_cpu.h */
#include "runtime/vector/rows_cpu.h"

#include <string.h>

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

ROW float from_bf16(rt_bf16 x)
{
    uint32_t u = (uint32_t)x << 16;
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* One pass for each number of vectors, so that each is a plain loop. */
#define SUM_BODY(NAME, TYPE, VALUE)                                                                \
    ROW void NAME(float *restrict s, const TYPE *const *x, int count, size_t at, size_t n,         \
                  bool more)                                                                       \
    {                                                                                              \
        const TYPE *restrict a = x[0] + at;                                                        \
        const TYPE *restrict b = count > 1 ? x[1] + at : a;                                        \
        const TYPE *restrict c = count > 2 ? x[2] + at : a;                                        \
        const TYPE *restrict d = count > 3 ? x[3] + at : a;                                        \
        if (more && count == 1)                                                                    \
            for (size_t i = 0; i < n; i++) s[i] = s[i] + VALUE(a[i]);                              \
        else if (more && count == 2)                                                               \
            for (size_t i = 0; i < n; i++) s[i] = (s[i] + VALUE(a[i])) + VALUE(b[i]);              \
        else if (more && count == 3)                                                               \
            for (size_t i = 0; i < n; i++)                                                         \
                s[i] = ((s[i] + VALUE(a[i])) + VALUE(b[i])) + VALUE(c[i]);                         \
        else if (more)                                                                             \
            for (size_t i = 0; i < n; i++)                                                         \
                s[i] = (((s[i] + VALUE(a[i])) + VALUE(b[i])) + VALUE(c[i])) + VALUE(d[i]);         \
        else if (count == 1)                                                                       \
            for (size_t i = 0; i < n; i++) s[i] = VALUE(a[i]);                                     \
        else if (count == 2)                                                                       \
            for (size_t i = 0; i < n; i++) s[i] = VALUE(a[i]) + VALUE(b[i]);                       \
        else if (count == 3)                                                                       \
            for (size_t i = 0; i < n; i++) s[i] = (VALUE(a[i]) + VALUE(b[i])) + VALUE(c[i]);       \
        else                                                                                       \
            for (size_t i = 0; i < n; i++)                                                         \
                s[i] = ((VALUE(a[i]) + VALUE(b[i])) + VALUE(c[i])) + VALUE(d[i]);                  \
    }
#define AS_IT_IS(x) (x)

SUM_BODY(sum_f32_body, float, AS_IT_IS)
SUM_BODY(sum_bf16_body, rt_bf16, from_bf16)

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
    attributes static void sum_f32_##set(float *restrict s, const float *const *x, int count,      \
                                         size_t at, size_t n, bool more)                           \
    {                                                                                              \
        sum_f32_body(s, x, count, at, n, more);                                                    \
    }                                                                                              \
    attributes static void sum_bf16_##set(float *restrict s, const rt_bf16 *const *x, int count,   \
                                          size_t at, size_t n, bool more)                          \
    {                                                                                              \
        sum_bf16_body(s, x, count, at, n, more);                                                   \
    }                                                                                              \
    attributes static void scale_##set(float *y, float a, size_t n) { scale_body(y, a, n); }       \
    attributes static uint32_t not_finite_##set(const float *x, size_t n)                          \
    {                                                                                              \
        return not_finite_body(x, n);                                                              \
    }                                                                                              \
    const struct rt_rows rt_rows_##set = {to_bf16_##set,   to_f32_##set,   add_##set,              \
                                          sum_f32_##set,   sum_bf16_##set, scale_##set,            \
                                          not_finite_##set};

ROWS(base, )
#if defined(__x86_64__)
ROWS(avx2, __attribute__((target("avx2"))))
ROWS(avx512, __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq"))))
#endif

const struct rt_rows *rt_rows_widest(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        return &rt_rows_avx512;
    if (__builtin_cpu_supports("avx2")) return &rt_rows_avx2;
#endif
    return &rt_rows_base;
}
