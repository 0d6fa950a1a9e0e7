/* tests/runtime/test_vector_sets.c - the cpu table's rows, compiled for each instruction set
 *
 * The table takes the widest set that the CPU has, so its own test sees only that one. Here every
 * set that the CPU can run does the same work and must leave the same bits as the plain one.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/rng.h"
#include "runtime/vector/rows_cpu.h"
#include "tests/check.h"

enum { MOST = 2100, OFFSETS = 3 };

struct results {
    rt_bf16 half[MOST];
    float back[MOST], sum[MOST], scaled[MOST], sums[4][2][MOST];
    uint32_t bad[MOST]; /* not_finite of the first i elements */
};

static void work(const struct rt_rows *r, const float *x, size_t n, struct results *out)
{
    memset(out, 0, sizeof *out);
    r->to_bf16(out->half, x, n);
    r->to_f32(out->back, out->half, n);
    memcpy(out->sum, x + 5, n * sizeof *x);
    r->add(out->sum, x, n);
    memcpy(out->scaled, x, n * sizeof *x);
    r->scale(out->scaled, 1.0f / 3, n);
    for (int count = 1; count <= RT_ROWS_AT_ONCE; count++) {
        const float *f32[] = {x, x + 3, x + 1, x + 4};
        const rt_bf16 *bf16[] = {out->half, out->half + 1, out->half, out->half + 2};
        r->sum_f32(out->sums[count - 1][0], f32, count, 1, n, false);
        r->sum_f32(out->sums[count - 1][0], f32, count, 0, n, true);
        r->sum_bf16(out->sums[count - 1][1], bf16, count, 2, n, false);
        r->sum_bf16(out->sums[count - 1][1], bf16, count, 0, n, true);
    }
    for (size_t i = 0; i < n; i++) out->bad[i] = r->not_finite(x, i) != 0;
}

static void all_sets_leave_the_same_bits(const struct rt_rows *r, const float *x)
{
    static struct results want, got;

    for (size_t offset = 0; offset < OFFSETS; offset++) {
        for (size_t n = 0; n < 70; n++) {
            work(&rt_rows_base, x + offset, n, &want);
            work(r, x + offset, n, &got);
            CHECK(memcmp(&want, &got, sizeof want) == 0);
        }
        work(&rt_rows_base, x + offset, MOST - 10, &want);
        work(r, x + offset, MOST - 10, &got);
        CHECK(memcmp(&want, &got, sizeof want) == 0);
        CHECK(want.bad[MOST - 11] == 1 && want.bad[50] == 0);
    }
}

int main(void)
{
    struct rt_rng_key key = rt_rng_key(1, "sets");
    float x[MOST];

    for (size_t i = 0; i < MOST; i++) {
        uint32_t u = (uint32_t)rt_rng_u64(key, i);
        if ((u & 0x7f800000) == 0x7f800000) u ^= 0x40000000;
        if (i % 5 == 0) u = (u & 0xffff0000) | 0x8000; /* a tie of bf16 */
        if (i == 1200) u = 0xff800000;
        if (i == 1300) u = 0x7f800001; /* a NaN that must not round to Inf */
        memcpy(&x[i], &u, sizeof u);
    }
    all_sets_leave_the_same_bits(&rt_rows_base, x);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) all_sets_leave_the_same_bits(&rt_rows_avx2, x);
    if (rt_rows_widest() == &rt_rows_avx512) all_sets_leave_the_same_bits(&rt_rows_avx512, x);
#endif
    return check_failures != 0;
}
