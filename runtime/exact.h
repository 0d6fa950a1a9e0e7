/* runtime/exact.h - sums that do not depend on the order of the additions
 *
 * A superaccumulator: a fixed-point number wide enough for every double, in signed 64-bit limbs
 * of 32 bits. Adding two accumulators is adding integers, limb by limb, so any grouping over
 * threads, ranks and micro-steps gives the same bits. NaN and Inf are counted beside it.
 * Limits  2^30 additions between normalisations (rt_exact_add does them itself)
 * Source  Kulisch; Neal 2015, arXiv:1505.05571
 */
#ifndef RT_EXACT_H
#define RT_EXACT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { RT_EXACT_LIMBS = 68, RT_EXACT_WORDS = RT_EXACT_LIMBS + 4 };

/* RT_EXACT_WORDS int64 and nothing else: comm adds them word by word over ranks (after
 * rt_exact_normalize, for at most 2^31 ranks; and rt_exact_normalize again before anything is
 * added to the result). Normalised, equal sums are equal words. All zero is the empty sum. */
struct rt_exact {
    int64_t limb[RT_EXACT_LIMBS];
    int64_t nans, plus_infs, minus_infs;
    int64_t pending; /* additions since the last normalisation */
};

void rt_exact_add(struct rt_exact *a, double x);
void rt_exact_add_squares(struct rt_exact *a, const float *x, size_t n); /* sum of x[i]^2, exact */
void rt_exact_merge(struct rt_exact *a, const struct rt_exact *b);
void rt_exact_normalize(struct rt_exact *a); /* pending becomes 0; call before words are added */
double rt_exact_value(const struct rt_exact *a); /* correctly rounded; NaN, +-Inf as they came in */

#ifdef __cplusplus
}
#endif
#endif
