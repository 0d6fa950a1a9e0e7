/* comm/baseline_bf16.c - see baseline_bf16.h */
#include "comm/baseline_bf16.h"

#include <stdint.h>
#include <string.h>

static inline __attribute__((always_inline)) void add_body(rt_bf16 *restrict y,
                                                           const rt_bf16 *restrict x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint32_t a = (uint32_t)x[i] << 16, b = (uint32_t)y[i] << 16;
        float u, v;
        uint32_t sum;
        memcpy(&u, &a, sizeof u);
        memcpy(&v, &b, sizeof v);
        u += v;
        memcpy(&sum, &u, sizeof sum);
        const uint32_t rounded = (sum + 0x7fffu + (sum >> 16 & 1u)) >> 16;
        const uint32_t quiet = sum >> 16 | 0x40u;
        y[i] = (rt_bf16)((sum & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
    }
}

static void add_base(rt_bf16 *restrict y, const rt_bf16 *restrict x, size_t n)
{
    add_body(y, x, n);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void add_avx2(rt_bf16 *restrict y, const rt_bf16 *restrict x,
                                                     size_t n)
{
    add_body(y, x, n);
}

__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq"))) static void
add_avx512(rt_bf16 *restrict y, const rt_bf16 *restrict x, size_t n)
{
    add_body(y, x, n);
}
#endif

void comm_baseline_add_bf16(rt_bf16 *y, const rt_bf16 *x, size_t n)
{
    void (*add)(rt_bf16 *restrict y, const rt_bf16 *restrict x, size_t n) = add_base;

#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) add = add_avx2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        add = add_avx512;
#endif
    add(y, x, n);
}
