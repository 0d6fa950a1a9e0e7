/* tests/model/test_vec.c - model/vec_cpu.h, compiled once for each instruction set */
#include "model/vec_cpu.h"

#include <stdio.h>

#include "tests/check.h"

static float lane(vec x, int l)
{
    float y[VEC];
    memcpy(y, &x, sizeof y);
    return y[l];
}

static float exp_of(float x) { return lane(vec_exp(vec_all(x)), VEC - 1); }

static void exp_is_within_the_stated_error(void)
{
    double worst = 0;

    for (float x = -87.3F; x < 88.37F; x += 1.3e-4F) {
        const double want = exp((double)x);
        worst = fmax(worst, fabs((double)exp_of(x) - want) / want);
    }
    if (!CHECK(worst < 2.5e-7)) printf("  worst error %g\n", worst);
}

static void exp_at_the_edges(void)
{
    CHECK(exp_of(0) == 1 && exp_of(-0.0F) == 1);
    CHECK(exp_of(-87.34F) == 0 && exp_of(-1e30F) == 0 && exp_of(-INFINITY) == 0);
    CHECK(exp_of(1000) == exp_of(88.37F) && exp_of(INFINITY) == exp_of(88.37F));
    CHECK(exp_of(88.37F) > 2.3e38F && isfinite(exp_of(88.37F)));
    CHECK(isnan(exp_of(NAN)));
}

static float from_bits(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* Every upper half with lower halves around the tie; denormals, Inf and NaN are among them. */
static void bf16_is_rounded_as_in_dtype_h(void)
{
    static const uint32_t low[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};

    for (uint32_t high = 0; high <= 0xffff; high++) {
        for (size_t i = 0; i < sizeof low / sizeof low[0]; i++) {
            const float x = from_bits(high << 16 | low[i]);
            rt_bf16 y[VEC];
            vec v;
            float lanes[VEC];

            for (int l = 0; l < VEC; l++) lanes[l] = x;
            memcpy(&v, lanes, sizeof v);
            vec_store_bf16(y, v, VEC);
            CHECK(y[0] == rt_bf16_from_f32(x) && y[VEC - 1] == y[0]);
        }
    }
}

/* n lanes are read and written; the others are 0, and what lies behind is left alone. */
static void part_of_a_vector_is_read_and_written(void)
{
    float x[VEC], y[VEC + 1];
    rt_bf16 h[VEC], g[VEC + 1];

    for (int l = 0; l < VEC; l++) x[l] = (float)(l + 1);
    for (int l = 0; l < VEC; l++) h[l] = rt_bf16_from_f32(x[l]);
    for (int n = 0; n <= VEC; n++) {
        const vec v = vec_load_f32(x, n), u = vec_load_bf16(h, n);
        for (int l = 0; l < VEC; l++) CHECK(lane(v, l) == (l < n ? x[l] : 0));
        for (int l = 0; l < VEC; l++) CHECK(lane(u, l) == (l < n ? x[l] : 0));
        for (int l = 0; l <= VEC; l++) y[l] = -7, g[l] = 77;
        vec_store_f32(y, vec_load_f32(x, VEC), n);
        vec_store_bf16(g, vec_load_f32(x, VEC), n);
        for (int l = 0; l <= VEC; l++) CHECK(y[l] == (l < n ? x[l] : -7));
        for (int l = 0; l <= VEC; l++) CHECK(g[l] == (l < n ? h[l] : 77));
    }
    CHECK(vec_lanes(0, VEC + 1) == VEC && vec_lanes(VEC, VEC + 1) == 1);
}

static void sums_maxima_and_pairs(void)
{
    float x[VEC];
    vec v;

    for (int l = 0; l < VEC; l++) x[l] = (float)(l * l);
    v = vec_load_f32(x, VEC);
    CHECK(vec_sum(v) == (float)((VEC - 1) * VEC * (2 * VEC - 1) / 6));
    CHECK(vec_largest(v) == x[VEC - 1] && vec_largest(-v) == 0);
    CHECK(lane(vec_max(v, vec_all(2)), 0) == 2 && lane(vec_max(v, vec_all(2)), 2) == 4);
    CHECK(lane(vec_fma(v, vec_all(2), vec_all(1)), 3) == 19);
    for (int l = 0; l < VEC; l++) {
        CHECK(lane(vec_evens(v), l) == x[l / 2 * 2]);
        CHECK(lane(vec_odds(v), l) == x[l / 2 * 2 + 1]);
        CHECK(lane(vec_swap(v), l) == x[l ^ 1]);
    }
}

/* A CPU without these instructions cannot run this program: nothing to test there. */
static bool can_run(void)
{
#if defined(__AVX512F__)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
#elif defined(__AVX2__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return true;
#endif
}

int main(void)
{
    if (!can_run()) {
        printf("this CPU lacks the instructions: skipped\n");
        return 0;
    }
    exp_is_within_the_stated_error();
    exp_at_the_edges();
    bf16_is_rounded_as_in_dtype_h();
    part_of_a_vector_is_read_and_written();
    sums_maxima_and_pairs();
    return check_failures != 0;
}
