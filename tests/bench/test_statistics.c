/* tests/bench/test_statistics.c - medians, intervals, outliers, fits, pairs and values of
 * recua-bench comm, on samples worked out by hand */
#include <math.h>
#include <stdlib.h>

#include "bench/comm/links.h"
#include "bench/comm/run.h"
#include "bench/comm/statistics.h"
#include "bench/comm/tune.h"
#include "bench/comm/values.h"
#include "tests/check.h"

static void a_median_is_the_middle(void)
{
    double odd[] = {5, 1, 3}, even[] = {4, 1, 2, 10};

    CHECK(bench_median(odd, 3) == 3);
    CHECK(bench_median(even, 4) == 3);
    CHECK(bench_summarize(odd, 0).count == 0);
    CHECK(bench_summarize(odd, 1).median == 1); /* sorted by now */
}

/* n 6: ranks 0 and 7, so 1 and 6; n 20: floor(5.617) and ceil(15.383); n 100: 40 and 61. */
static void an_interval_has_the_stated_ranks(void)
{
    double x[100];
    struct bench_summary s;

    for (int i = 0; i < 100; i++) x[i] = 100 - i; /* 1..100, falling */
    CHECK(!bench_summarize(x, 5).interval);
    for (int i = 0; i < 100; i++) x[i] = i + 1;
    s = bench_summarize(x, 6);
    CHECK(s.interval && s.low == 1 && s.high == 6 && s.median == 3.5);
    s = bench_summarize(x, 20);
    CHECK(s.interval && s.low == 5 && s.high == 16 && s.least == 1 && s.most == 20);
    s = bench_summarize(x, 100);
    CHECK(s.low == 40 && s.high == 61 && s.median == 50.5);
}

static void percentiles_are_nearest_ranks(void)
{
    const double x[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20};

    CHECK(bench_percentile(x, 20, 0.95) == 19);
    CHECK(bench_percentile(x, 20, 0.5) == 10);
    CHECK(bench_percentile(x, 1, 0.95) == 1);
    CHECK(bench_percentile(x, 20, 1) == 20);
    CHECK(bench_percentile(x, 20, 0) == 1);
}

/* Round by round: the second is twice as slow in all three, and hides as much. */
static void what_is_hidden_is_of_a_round(void)
{
    double together[] = {32, 64, 47, 30, 30, 32, 1}, alone[] = {10, 20, 17, 10, 10, 10, 1},
           work[] = {30, 60, 30, 30, 30, 30, 1}, scratch[7];
    struct bench_cell c = {.sides = 3};

    c.side[BENCH_TOGETHER].slowest = together;
    c.side[BENCH_ALONE].slowest = alone;
    c.side[BENCH_WORK].slowest = work;
    for (int i = 0; i < 3; i++) c.side[i].count = 6 + (i == 1); /* one round is not whole */
    const struct bench_summary s = bench_hidden(&c, scratch);   /* .8 .8 0 1 1 .8 */
    CHECK(s.count == 6 && s.interval);
    CHECK_NEAR(s.median, 0.8, 1e-12, 0);
    CHECK_NEAR(s.low, 0, 0, 1e-12);
    CHECK_NEAR(s.high, 1, 1e-12, 0);
}

static void what_is_far_and_a_tenth_below_is_suspect(void)
{
    const double bandwidths[] = {10, 10.1, 9.9, 10.05, 9.95, 5, NAN, 9.2};
    bool out[8];
    double scratch[8];

    /* median 9.95; distances 0 .05 .05 .1 .15 .75 4.95: MAD 0.1. 9.2 is far, but not a tenth. */
    CHECK_NEAR(bench_outliers(bandwidths, 8, out, scratch), 9.95, 1e-12, 0);
    for (int i = 0; i < 8; i++) CHECK(out[i] == (i == 5));
    CHECK(isnan(bench_outliers(bandwidths + 6, 1, out, scratch)));
    CHECK(!out[0]);
}

/* All alike but one: the MAD is 0, and the tenth decides. */
static void equal_values_have_no_outliers(void)
{
    const double same[] = {3, 3, 3, 3}, one[] = {3, 3, 3, 2.6}, near[] = {3, 3, 3, 2.8};
    bool out[4];
    double scratch[4];

    (void)bench_outliers(same, 4, out, scratch);
    for (int i = 0; i < 4; i++) CHECK(!out[i]);
    (void)bench_outliers(one, 4, out, scratch);
    CHECK(out[3] && !out[0]);
    (void)bench_outliers(near, 4, out, scratch);
    CHECK(!out[3]);
}

static void a_line_is_found_again(void)
{
    const double bytes[] = {1e3, 1e4, 1e5, 1e6, 1e7};
    double seconds[5], alpha, beta;

    for (int i = 0; i < 5; i++) seconds[i] = 2e-6 + 4e-11 * bytes[i];
    bench_fit_line(bytes, seconds, 5, &alpha, &beta);
    CHECK_NEAR(alpha, 2e-6, 1e-6, 0);
    CHECK_NEAR(beta, 4e-11, 1e-6, 0);
    seconds[0] *= 1.1; /* a tenth at one size moves neither by more */
    bench_fit_line(bytes, seconds, 5, &alpha, &beta);
    CHECK_NEAR(alpha, 2e-6, 0.1, 0);
    CHECK_NEAR(beta, 4e-11, 0.1, 0);
    for (int i = 0; i < 5; i++) seconds[i] = 1e-9 * (5 - i); /* nonsense stays above 0 */
    bench_fit_line(bytes, seconds, 5, &alpha, &beta);
    CHECK(alpha > 0 && beta > 0);
}

static void every_pair_meets_once(void)
{
    for (int P = 2; P <= 33; P++) {
        int *met = calloc((size_t)(P * P), sizeof *met);
        for (int round = 0; round < bench_pair_rounds(P); round++)
            for (int a = 0; a < P; a++) {
                const int b = bench_pair_partner(P, a, round);
                CHECK(b >= -1 && b < P && b != a);
                if (b < 0) continue;
                CHECK(bench_pair_partner(P, b, round) == a);
                met[a * P + b]++;
            }
        for (int a = 0; a < P; a++)
            for (int b = 0; b < P; b++) CHECK(met[a * P + b] == (a != b));
        free(met);
    }
}

/* The sums are exact in bf16 in any order: the magnitudes add up to at most 256. */
static void values_sum_as_announced(void)
{
    static const int ranks[] = {1, 2, 7, 64, 65, 300, 2048};

    for (size_t k = 0; k < sizeof ranks / sizeof ranks[0]; k++) {
        static struct bench_values v;
        static float x[BENCH_PERIOD], sum[BENCH_PERIOD], size[BENCH_PERIOD];
        bench_values_init(&v, ranks[k]);
        for (int i = 0; i < BENCH_PERIOD; i++) sum[i] = size[i] = 0;
        for (int r = 0; r < ranks[k]; r++) {
            bench_fill_summand(&v, r, x, RT_F32, 5, BENCH_PERIOD);
            for (int i = 0; i < BENCH_PERIOD; i++) {
                sum[i] += x[i];
                size[i] += fabsf(x[i]);
            }
        }
        for (int i = 0; i < BENCH_PERIOD; i++) CHECK(size[i] <= 256);
        CHECK(bench_wrong_sums(&v, sum, RT_F32, 5, BENCH_PERIOD) == 0);
        sum[17] += 1;
        sum[4000] = NAN;
        CHECK(bench_wrong_sums(&v, sum, RT_F32, 5, BENCH_PERIOD) == 2);
    }
}

static void one_bit_is_seen_in_gathered_data(void)
{
    static struct bench_values v;
    static rt_bf16 x[10000];

    bench_values_init(&v, 3);
    bench_fill_gathered(&v, x, RT_BF16, 123, 10000);
    CHECK(bench_wrong_gathered(&v, x, RT_BF16, 123, 10000) == 0);
    CHECK(bench_wrong_gathered(&v, x, RT_BF16, 124, 10000) > 9000);
    *(unsigned char *)&x[777] ^= 1;
    CHECK(bench_wrong_gathered(&v, x, RT_BF16, 123, 10000) == 1);
    bench_poison(x, sizeof x);
    CHECK(bench_wrong_gathered(&v, x, RT_BF16, 123, 10000) == 10000);
}

int main(void)
{
    a_median_is_the_middle();
    an_interval_has_the_stated_ranks();
    percentiles_are_nearest_ranks();
    what_is_hidden_is_of_a_round();
    what_is_far_and_a_tenth_below_is_suspect();
    equal_values_have_no_outliers();
    a_line_is_found_again();
    every_pair_meets_once();
    values_sum_as_announced();
    one_bit_is_seen_in_gathered_data();
    return check_failures > 0;
}
