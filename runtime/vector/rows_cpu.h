/* runtime/vector/rows_cpu.h - loops over rows, compiled for several instruction sets
 *
 * Each row function stands once, as a plain loop that the compiler vectorises; it is compiled for
 * three instruction sets and the widest that the CPU has is taken at run time. None of them
 * contracts or reorders, so all give the same bits (of a sum with several NaN: a NaN).
 */
#ifndef RT_ROWS_CPU_H
#define RT_ROWS_CPU_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/vector/vector.h"

enum { RT_ROWS_AT_ONCE = 4 }; /* vectors that one pass of sum_* adds */

struct rt_rows {
    void (*to_bf16)(rt_bf16 *restrict y, const float *restrict x, size_t n);
    void (*to_f32)(float *restrict y, const rt_bf16 *restrict x, size_t n);
    void (*add)(float *restrict y, const float *restrict x, size_t n);
    /* s = x[0] + x[1] + ... + x[count-1] from the left, from element `at` of each; more: the old s
     * comes first. count 1..RT_ROWS_AT_ONCE; s is none of the x. */
    void (*sum_f32)(float *restrict s, const float *const *x, int count, size_t at, size_t n,
                    bool more);
    void (*sum_bf16)(float *restrict s, const rt_bf16 *const *x, int count, size_t at, size_t n,
                     bool more);
    void (*scale)(float *y, float a, size_t n);
    uint32_t (*not_finite)(const float *x, size_t n);
};

extern const struct rt_rows rt_rows_base;
#if defined(__x86_64__)
extern const struct rt_rows rt_rows_avx2, rt_rows_avx512;
#endif

const struct rt_rows *rt_rows_widest(void);

/* reduce_cpu.c: struct rt_vector's reduce. */
RT_NODISCARD rt_status rt_reduce_cpu(struct rt_queue *q, void *y, rt_dtype yt, const void *const *x,
                                     const rt_dtype *xt, int count, size_t n, bool tree, bool add);

#endif
