/* bench/comm/values.h - data whose sums are known exactly, whatever the order of additions
 *
 * Gathers  element i of the unit is a whole number below 128: exact in bf16.
 * Sums     rank r brings value(r, i): whole numbers of at most 4, and 0 on all but every stride-th
 *          rank, so that the sum of magnitudes stays within 256: every partial sum is exact in
 *          bf16, in any order, for any number of ranks.
 * Tables repeat after a prime number of elements: no block of a usual size can stand for another.
 */
#ifndef BENCH_COMM_VALUES_H
#define BENCH_COMM_VALUES_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/dtype.h"
#include "runtime/status.h"

enum { BENCH_PERIOD = 4093 };

struct bench_values {
    int ranks, stride;
    float gathered[BENCH_PERIOD];
    float base[BENCH_PERIOD];
    float sums[BENCH_PERIOD]; /* over all ranks */
};

void bench_values_init(struct bench_values *v, int ranks);

/* at[i] = the value of element first + i. */
void bench_fill_gathered(const struct bench_values *v, void *at, rt_dtype type, size_t first,
                         size_t n);
void bench_fill_summand(const struct bench_values *v, int rank, void *at, rt_dtype type,
                        size_t first, size_t n);
void bench_poison(void *at, size_t bytes); /* NaN in every type */

/* How many of at[0..n) are not what element first + i of the unit, or of the sums, must be. */
uint64_t bench_wrong_gathered(const struct bench_values *v, const void *at, rt_dtype type,
                              size_t first, size_t n);
uint64_t bench_wrong_sums(const struct bench_values *v, const void *at, rt_dtype type, size_t first,
                          size_t n);

#endif
