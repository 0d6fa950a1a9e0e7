/* runtime/rng.c - Philox4x32-10, and what is made of its bits
 *
 * Numbers  integers are the same on every machine; normals pass through the C library's log, cos
 *          and sin, so their last bit may differ between libraries
 * Source   Salmon et al. 2011; Luby and Rackoff 1988 (a Feistel network is a permutation);
 *          Black and Rogaway 2002 (cycle walking)
 */
#include "runtime/rng.h"

#include <math.h>
#include <string.h>
#include <xxhash.h>

static const double pi = 3.14159265358979323846;

static inline void multiply(uint32_t a, uint32_t b, uint32_t *high, uint32_t *low)
{
    uint64_t product = (uint64_t)a * b;
    *high = (uint32_t)(product >> 32);
    *low = (uint32_t)product;
}

void rt_philox(struct rt_rng_key key, const uint32_t counter[4], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key.k[0], k1 = key.k[1];

    for (int round = 0; round < 10; round++) {
        uint32_t high0, low0, high1, low1;
        multiply(0xD2511F53u, c0, &high0, &low0);
        multiply(0xCD9E8D57u, c2, &high1, &low1);
        c0 = high1 ^ c1 ^ k0;
        c1 = low1;
        c2 = high0 ^ c3 ^ k1;
        c3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* The seed is the key under which the purpose's hash is scrambled: two seeds share nothing. */
struct rt_rng_key rt_rng_key(uint64_t seed, const char *purpose)
{
    uint64_t hash = XXH64(purpose, strlen(purpose), 0);
    struct rt_rng_key key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    const uint32_t counter[4] = {(uint32_t)hash, (uint32_t)(hash >> 32), 0x6b657921u, 0};
    uint32_t out[4];

    rt_philox(key, counter, out);
    key.k[0] = out[0];
    key.k[1] = out[1];
    return key;
}

static inline void block(struct rt_rng_key key, uint64_t i, uint64_t out[2])
{
    const uint32_t counter[4] = {(uint32_t)i, (uint32_t)(i >> 32), 0, 0};
    uint32_t r[4];

    rt_philox(key, counter, r);
    out[0] = (uint64_t)r[1] << 32 | r[0];
    out[1] = (uint64_t)r[3] << 32 | r[2];
}

/* The upper 53 bits as a fraction. */
static inline double fraction(uint64_t bits) { return (double)(bits >> 11) * 0x1p-53; }

uint64_t rt_rng_u64(struct rt_rng_key key, uint64_t i)
{
    uint64_t r[2];
    block(key, i, r);
    return r[0];
}

double rt_rng_uniform(struct rt_rng_key key, uint64_t i) { return fraction(rt_rng_u64(key, i)); }

/* Elements 2j and 2j+1 are the cosine and the sine of one Box-Muller pair. */
double rt_rng_normal(struct rt_rng_key key, uint64_t i)
{
    uint64_t r[2];

    block(key, i / 2, r);
    double radius = sqrt(-2.0 * log(1.0 - fraction(r[0]))); /* 1 - u lies in (0,1] */
    double angle = 2.0 * pi * fraction(r[1]);
    return radius * (i % 2 == 0 ? cos(angle) : sin(angle));
}

/* One pass through the network: eight rounds on two halves of `half` bits. */
static uint64_t feistel(struct rt_rng_key key, unsigned half, uint64_t i)
{
    const uint64_t mask = ((uint64_t)1 << half) - 1;
    uint64_t left = i >> half, right = i & mask;

    for (uint32_t round = 0; round < 8; round++) {
        const uint32_t counter[4] = {(uint32_t)right, half, round, 0x7368756fu};
        uint32_t r[4];
        rt_philox(key, counter, r);
        uint64_t next = left ^ (r[0] & mask);
        left = right;
        right = next;
    }
    return left << half | right;
}

uint64_t rt_rng_permute(struct rt_rng_key key, uint64_t n, uint64_t i)
{
    unsigned half = 1;

    if (n <= 1) return 0;
    while (half < 32 && ((n - 1) >> (2 * half)) != 0) half++;
    do {
        i = feistel(key, half, i); /* a place beyond n is walked on from, until one is within */
    } while (i >= n);
    return i;
}
