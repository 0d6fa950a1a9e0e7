/* bench/comm/statistics.c - see statistics.h
 *
 * Interval  of n sorted samples the ranks floor((n - 1.96 sqrt n) / 2) and
 *           ceil(1 + (n + 1.96 sqrt n) / 2), counted from 1
 */
#include "bench/comm/statistics.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, ascending);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

struct bench_summary bench_summarize(double *values, int count)
{
    struct bench_summary s = {.count = count};

    if (count == 0) return s;
    s.median = bench_median(values, count);
    s.least = values[0];
    s.most = values[count - 1];
    if (count < BENCH_INTERVAL_LEAST) return s;
    const double n = count, spread = 1.96 * sqrt(n);
    int low = (int)floor((n - spread) / 2), high = (int)ceil(1 + (n + spread) / 2);
    if (low < 1) low = 1;
    if (high > count) high = count;
    s.interval = true;
    s.low = values[low - 1];
    s.high = values[high - 1];
    return s;
}

double bench_percentile(const double *sorted, int count, double share)
{
    int rank = (int)ceil(share * count);
    if (rank < 1) rank = 1;
    return sorted[rank > count ? count - 1 : rank - 1];
}

double bench_outliers(const double *values, int count, bool *out, double *scratch)
{
    int n = 0;

    for (int i = 0; i < count; i++) out[i] = false;
    for (int i = 0; i < count; i++)
        if (!isnan(values[i])) scratch[n++] = values[i];
    if (n == 0) return NAN;
    const double median = bench_median(scratch, n);
    for (int i = 0; i < n; i++) scratch[i] = fabs(scratch[i] - median);
    const double mad = bench_median(scratch, n);
    for (int i = 0; i < count; i++)
        out[i] = !isnan(values[i]) && median - values[i] > 3 * mad && values[i] < 0.9 * median;
    return median;
}
