/* bench/comm/values.c - see values.h */
#include "bench/comm/values.h"

#include <string.h>

#include "runtime/rng.h"

enum { GATHERED_MOST = 127, SUMMAND_MOST = 4, EXACT_MOST = 256, RANK_SHIFT = 577 };

static float summand(const struct bench_values *v, int rank, size_t j)
{
    const size_t r = (size_t)rank;

    if ((j + r) % (size_t)v->stride != 0) return 0;
    return v->base[(j + r * RANK_SHIFT) % BENCH_PERIOD];
}

void bench_values_init(struct bench_values *v, int ranks)
{
    const struct rt_rng_key key = rt_rng_key(1, "bench:values");
    const int most_ranks = EXACT_MOST / SUMMAND_MOST;

    v->ranks = ranks;
    v->stride = (ranks + most_ranks - 1) / most_ranks;
    for (size_t j = 0; j < BENCH_PERIOD; j++) {
        const uint64_t bits = rt_rng_u64(key, j);
        v->gathered[j] = (float)(int)(bits % (2 * GATHERED_MOST + 1)) - GATHERED_MOST;
        v->base[j] = (float)(int)((bits >> 32) % (2 * SUMMAND_MOST + 1)) - SUMMAND_MOST;
    }
    for (size_t j = 0; j < BENCH_PERIOD; j++) {
        v->sums[j] = 0;
        for (int r = 0; r < ranks; r++) v->sums[j] += summand(v, r, j);
    }
}

static void fill(const float *table, void *at, rt_dtype type, size_t first, size_t n)
{
    size_t j = first % BENCH_PERIOD;

    for (size_t i = 0; i < n; i++) {
        if (type == RT_F32)
            ((float *)at)[i] = table[j];
        else
            ((rt_bf16 *)at)[i] = rt_bf16_from_f32(table[j]);
        if (++j == BENCH_PERIOD) j = 0;
    }
}

static uint64_t wrong(const float *table, const void *at, rt_dtype type, size_t first, size_t n)
{
    size_t j = first % BENCH_PERIOD;
    uint64_t count = 0;

    for (size_t i = 0; i < n; i++) {
        const float x =
            type == RT_F32 ? ((const float *)at)[i] : rt_bf16_to_f32(((const rt_bf16 *)at)[i]);
        count += !(x == table[j]); /* NaN is wrong */
        if (++j == BENCH_PERIOD) j = 0;
    }
    return count;
}

void bench_fill_gathered(const struct bench_values *v, void *at, rt_dtype type, size_t first,
                         size_t n)
{
    fill(v->gathered, at, type, first, n);
}

void bench_fill_summand(const struct bench_values *v, int rank, void *at, rt_dtype type,
                        size_t first, size_t n)
{
    float table[BENCH_PERIOD];

    for (size_t j = 0; j < BENCH_PERIOD; j++) table[j] = summand(v, rank, j);
    fill(table, at, type, first, n);
}

void bench_poison(void *at, size_t bytes) { memset(at, 0xff, bytes); }

uint64_t bench_wrong_gathered(const struct bench_values *v, const void *at, rt_dtype type,
                              size_t first, size_t n)
{
    return wrong(v->gathered, at, type, first, n);
}

uint64_t bench_wrong_sums(const struct bench_values *v, const void *at, rt_dtype type, size_t first,
                          size_t n)
{
    return wrong(v->sums, at, type, first, n);
}
