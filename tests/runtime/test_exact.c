/* tests/runtime/test_exact.c - runtime/exact.h: sums that do not depend on the order
 *
 * Numbers  everything is ==; expected sums come from Python's fractions (record_exact.py)
 */
#include "runtime/exact.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/rng.h"
#include "tests/check.h"
#include "tests/runtime/exact_cases.h"

static bool same_bits(double a, double b) { return memcmp(&a, &b, sizeof a) == 0; }

static double sum_of(const double *x, size_t n)
{
    struct rt_exact a = {0};

    for (size_t i = 0; i < n; i++) rt_exact_add(&a, x[i]);
    return rt_exact_value(&a);
}

static void sums_are_correctly_rounded(void)
{
    for (size_t i = 0; i < sizeof exact_cases / sizeof exact_cases[0]; i++) {
        size_t n = (size_t)exact_cases[i].count;
        double got = sum_of(exact_cases[i].terms, n);
        if (!CHECK(same_bits(got, exact_cases[i].sum)))
            printf("  %s: %a, not %a\n", exact_cases[i].name, got, exact_cases[i].sum);
    }
}

/* A tie and its two neighbours, wherever in a limb it may lie. */
static void ties_are_seen_at_every_place_in_a_limb(void)
{
    for (int e = -960; e <= 1000; e++) {
        const double one = ldexp(1, e), half = ldexp(1, e - 53), grain = ldexp(1, e - 54);
        const double odd = nextafter(one, INFINITY);
        const double tie[] = {one, half}, above[] = {one, half, grain}, far[] = {one, half, 5e-324};
        const double odd_tie[] = {odd, half}, below[] = {odd, half, -grain};
        CHECK(sum_of(tie, 2) == one);
        CHECK(sum_of(above, 3) == odd);
        CHECK(sum_of(far, 3) == odd);
        CHECK(sum_of(odd_tie, 2) == nextafter(odd, INFINITY));
        CHECK(sum_of(below, 3) == odd);
    }
}

/* Doubles of every exponent and both signs. */
static double any_double(struct rt_rng_key key, uint64_t i)
{
    uint64_t u = rt_rng_u64(key, i);
    double x;

    if ((u >> 52 & 0x7ff) == 0x7ff) u ^= (uint64_t)1 << 52;
    memcpy(&x, &u, sizeof x);
    return x;
}

static void any_order_gives_the_same_accumulator(void)
{
    enum { N = 2000 };
    struct rt_rng_key key = rt_rng_key(1, "terms");
    struct rt_exact first = {0};

    for (uint64_t round = 0; round < 20; round++) {
        struct rt_rng_key order = rt_rng_key(round, "order");
        struct rt_exact a = {0};
        for (uint64_t i = 0; i < N; i++)
            rt_exact_add(&a, any_double(key, rt_rng_permute(order, N, i)));
        rt_exact_normalize(&a);
        if (round == 0) first = a;
        CHECK(memcmp(&a, &first, sizeof a) == 0);
    }
}

static void any_grouping_gives_the_same_accumulator(void)
{
    enum { N = 2000 };
    struct rt_rng_key key = rt_rng_key(2, "terms");
    struct rt_exact whole = {0};

    for (uint64_t i = 0; i < N; i++) rt_exact_add(&whole, any_double(key, i));
    rt_exact_normalize(&whole);
    for (uint64_t groups = 1; groups <= 64; groups *= 2) {
        struct rt_exact part[64] = {0}, total = {0}, words = {0};
        for (uint64_t i = 0; i < N; i++) rt_exact_add(&part[i % groups], any_double(key, i));
        for (uint64_t g = 0; g < groups; g++) rt_exact_merge(&total, &part[groups - 1 - g]);
        rt_exact_normalize(&total);
        CHECK(memcmp(&total, &whole, sizeof total) == 0);
        /* As comm does it: integers, word by word. */
        for (uint64_t g = 0; g < groups; g++) {
            rt_exact_normalize(&part[g]);
            for (int l = 0; l < RT_EXACT_LIMBS; l++) words.limb[l] += part[g].limb[l];
        }
        CHECK(same_bits(rt_exact_value(&words), rt_exact_value(&whole)));
    }
}

/* Limbs as full as the sum over 2^31 ranks can make them. */
static void the_most_ranks_fit(void)
{
    struct rt_exact one = {0}, all = {0};

    for (double x = DBL_MAX; x > 0x1p-900; x *= 0x1p-53) rt_exact_add(&one, x);
    rt_exact_add(&one, -DBL_MAX);
    rt_exact_normalize(&one);
    for (int l = 0; l < RT_EXACT_LIMBS; l++) all.limb[l] = one.limb[l] * ((int64_t)1 << 31);
    double value = rt_exact_value(&one);
    CHECK(isfinite(value) && value > 0);
    CHECK(same_bits(rt_exact_value(&all), value * 0x1p31));
    CHECK(one.pending == 0);
}

static void many_additions_do_not_overflow_a_limb(void)
{
    struct rt_exact a = {0}, b = {0};
    const double x = 0x1.fffffffffffffp-1, y = -0x1.fffffffffffffp-22;

    a.pending = b.pending = ((int64_t)1 << 30) - 100; /* as if so many had been added */
    for (int i = 0; i < 1000; i++) {
        rt_exact_add(&a, x);
        rt_exact_add(&a, y);
    }
    CHECK(a.pending < ((int64_t)1 << 30));
    rt_exact_merge(&b, &a);
    CHECK(b.pending < 10);
    /* 1000 (1 - 2^-53) - 1000 (2^-21 - 2^-74), rounded once */
    CHECK(same_bits(rt_exact_value(&b), 0x1.f3fff05ffffffp+9));
}

static void not_finite_numbers_come_out_as_they_went_in(void)
{
    static const struct {
        double x, y, want; /* want NaN: any NaN */
    } table[] = {{INFINITY, 1, INFINITY},    {-INFINITY, 1e308, -INFINITY},
                 {INFINITY, -INFINITY, NAN}, {NAN, 1, NAN},
                 {NAN, INFINITY, NAN},       {INFINITY, INFINITY, INFINITY},
                 {-INFINITY, -5, -INFINITY}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct rt_exact a = {0}, b = {0};
        rt_exact_add(&a, table[i].x);
        rt_exact_add(&b, table[i].y);
        rt_exact_merge(&a, &b);
        double got = rt_exact_value(&a), want = table[i].want;
        CHECK(isnan(want) ? isnan(got) : same_bits(got, want));
    }
}

/* Floats of every kind: all exponents, subnormals, zeros; `special` of them NaN or Inf. */
static void fill(float *x, size_t n, uint64_t seed, bool special)
{
    struct rt_rng_key key = rt_rng_key(seed, "floats");

    for (size_t i = 0; i < n; i++) {
        uint32_t u = (uint32_t)rt_rng_u64(key, i);
        if (i % 7 == 3) u &= 0x807fffff; /* subnormal */
        if (i % 11 == 5) u &= 0x80000000;
        if ((u & 0x7f800000) == 0x7f800000) u ^= 0x40000000;
        if (special && i % 501 == 500) u = i % 2 ? 0x7f800000 : i % 4 ? 0xff800000 : 0x7fc00001;
        memcpy(&x[i], &u, sizeof u);
    }
}

static void squares_one_by_one(struct rt_exact *a, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) rt_exact_add(a, (double)x[i] * (double)x[i]);
}

static void squares_equal_adding_them_one_by_one(void)
{
    static const size_t sizes[] = {0, 1, 2, 3, 4, 5, 63, 64, 1000, 300001};
    float *x = malloc(300002 * sizeof *x);

    if (!CHECK(x != NULL)) return;
    for (int special = 0; special < 2; special++) {
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            struct rt_exact fast = {0}, slow = {0};
            fill(x, sizes[s], s, special);
            rt_exact_add(&fast, -1.5);
            rt_exact_add(&slow, -1.5);
            rt_exact_add_squares(&fast, x, sizes[s]);
            squares_one_by_one(&slow, x, sizes[s]);
            rt_exact_normalize(&fast);
            rt_exact_normalize(&slow);
            CHECK(memcmp(&fast, &slow, sizeof fast) == 0);
        }
    }
    free(x);
}

/* The case that fills a bin fastest: every square is the largest of one exponent. */
static void equal_squares_do_not_overflow_a_bin(void)
{
    enum { N = 1 << 20 };
    static const float values[] = {0x1.fffffep0f, FLT_MAX, 0x1.fffffcp-127f, 0x1p-149f};
    float *x = malloc(N * sizeof *x);

    if (!CHECK(x != NULL)) return;
    for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
        struct rt_exact a = {0};
        for (size_t i = 0; i < N; i++) x[i] = values[v];
        rt_exact_add_squares(&a, x, N);
        CHECK(same_bits(rt_exact_value(&a), N * ((double)values[v] * (double)values[v])));
    }
    free(x);
}

int main(void)
{
    sums_are_correctly_rounded();
    ties_are_seen_at_every_place_in_a_limb();
    any_order_gives_the_same_accumulator();
    any_grouping_gives_the_same_accumulator();
    the_most_ranks_fit();
    many_additions_do_not_overflow_a_limb();
    not_finite_numbers_come_out_as_they_went_in();
    squares_equal_adding_them_one_by_one();
    equal_squares_do_not_overflow_a_bin();
    return check_failures != 0;
}
