/* bench/comm/statistics.h - medians and what can be said of them without assuming a distribution
 *
 * Source   Hoefler & Belli 2015, "Scientific Benchmarking of Parallel Computing Systems" (SC15);
 *          Hunold & Carpen-Amarie 2016, "Reproducible MPI Benchmarking is Still Not as Easy as You
 *          Think" (TPDS): median, order statistics, slowest rank
 */
#ifndef BENCH_COMM_STATISTICS_H
#define BENCH_COMM_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>

enum { BENCH_INTERVAL_LEAST = 6 }; /* samples below which no 95 % interval exists */

struct bench_summary {
    int count;
    double median, least, most;
    bool interval;    /* low and high are known: count >= BENCH_INTERVAL_LEAST */
    double low, high; /* 95 %, non-parametric, of the median */
};

/* values are sorted in place. count 0: all zero. */
struct bench_summary bench_summarize(double *values, int count);

/* The value below which this share of them lies (nearest rank), of sorted values. count >= 1. */
double bench_percentile(const double *sorted, int count, double share);

/* Sorts, and gives the median; the mean of the middle two. count >= 1. */
double bench_median(double *values, int count);

/* Which of these bandwidths are suspect: more than 3 MADs and more than 10 % below the median of
 * all. out (count); scratch (count). NaN: not measured, never suspect. Gives the median, NaN where
 * there is none. */
double bench_outliers(const double *values, int count, bool *out, double *scratch);

#endif
