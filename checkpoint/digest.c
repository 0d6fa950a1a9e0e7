/* checkpoint/digest.c - digests of tensors; the formula is in digest.h
 *
 * How     the same loop compiled for three vector widths, chosen at run time. Lower halves are
 *         added as 32-bit parts in 64-bit sums, so that carries are kept without a branch.
 */
#include "checkpoint/digest.h"

#include <string.h>

enum { PIECE = 4096 }; /* elements between carries: 32-bit parts cannot overflow their sums */

struct sums {
    uint64_t low, middle, high; /* low 32 bits, next 32, upper 64 of each mix */
    uint32_t special;           /* not 0: some exponent was all ones */
};

static inline __attribute__((always_inline)) void add_piece(struct sums *s, uint64_t first,
                                                            const float *values, size_t n)
{
    uint64_t low = 0, middle = 0, high = 0;
    uint32_t special = 0;

    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, values + i, sizeof bits);
        special |= (bits & 0x7f800000u) == 0x7f800000u;
        uint64_t x = (first + i) * UINT64_C(0x9E3779B97F4A7C15) + bits;
        x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
        x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
        x ^= x >> 31;
        uint64_t y = x * UINT64_C(0xD6E8FEB86659FD93);
        y ^= y >> 32;
        high += x;
        low += y & 0xffffffffu;
        middle += y >> 32;
    }
    *s = (struct sums){low, middle, high, special};
}

#if defined(__x86_64__)
static __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw"))) void
add_avx512(struct sums *s, uint64_t first, const float *values, size_t n)
{
    add_piece(s, first, values, n);
}

static __attribute__((target("avx2"))) void add_avx2(struct sums *s, uint64_t first,
                                                     const float *values, size_t n)
{
    add_piece(s, first, values, n);
}
#endif

static void add_plain(struct sums *s, uint64_t first, const float *values, size_t n)
{
    add_piece(s, first, values, n);
}

typedef void add_fn(struct sums *s, uint64_t first, const float *values, size_t n);

static add_fn *best(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
        return add_avx512;
    if (__builtin_cpu_supports("avx2")) return add_avx2;
#endif
    return add_plain;
}

void digest_merge(struct digest *d, const struct digest *other)
{
    const uint64_t before = d->low;
    d->low += other->low;
    d->high += other->high + (d->low < before);
}

bool digest_add(struct digest *d, uint64_t first, const float *values, size_t n)
{
    add_fn *add = best();
    bool finite = true;

    for (size_t at = 0; at < n; at += PIECE) {
        struct sums s;
        add(&s, first + at, values + at, n - at < PIECE ? n - at : PIECE);
        digest_merge(d, &(struct digest){s.low, 0});
        digest_merge(d, &(struct digest){s.middle << 32, s.middle >> 32});
        d->high += s.high;
        finite &= s.special == 0;
    }
    return finite;
}

bool digest_add_ref(struct digest *d, uint64_t first, const float *values, size_t n)
{
    bool finite = true;

    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, values + i, sizeof bits);
        uint64_t x = (first + i) * UINT64_C(0x9E3779B97F4A7C15) + bits;
        x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
        x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
        x ^= x >> 31;
        uint64_t y = x * UINT64_C(0xD6E8FEB86659FD93);
        y ^= y >> 32;
        digest_merge(d, &(struct digest){y, x});
        finite &= (bits & 0x7f800000u) != 0x7f800000u;
    }
    return finite;
}
