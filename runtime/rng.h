/* runtime/rng.h - counter-based random numbers: no state, so nothing to save or to restore wrong
 *
 * A number is a function of (key, counter). Keys name a purpose: rt_rng_key(seed, "init:NAME").
 * Source  Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" (Philox4x32-10)
 */
#ifndef RT_RNG_H
#define RT_RNG_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rt_rng_key {
    uint32_t k[2];
};

/* The key of one purpose: the same (seed, purpose) gives the same key everywhere. */
struct rt_rng_key rt_rng_key(uint64_t seed, const char *purpose);

/* The 4x32 bits of one counter block. */
void rt_philox(struct rt_rng_key key, const uint32_t counter[4], uint32_t out[4]);

/* 64 random bits; uniform in [0,1) with 53 bits; standard normal (Box-Muller), of element i. */
uint64_t rt_rng_u64(struct rt_rng_key key, uint64_t i);
double rt_rng_uniform(struct rt_rng_key key, uint64_t i);
double rt_rng_normal(struct rt_rng_key key, uint64_t i);

/* A keyed permutation of 0..n-1: the place of i. A Feistel network with cycle walking, so no
 * table; n >= 1, i < n. */
uint64_t rt_rng_permute(struct rt_rng_key key, uint64_t n, uint64_t i);

#ifdef __cplusplus
}
#endif
#endif
