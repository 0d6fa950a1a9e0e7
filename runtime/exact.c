/* runtime/exact.c - sums that do not depend on the order of the additions
 *
 * Limb k counts units of 2^(32 k - 1074): bit 0 of limb 0 is the smallest double. The largest
 * double ends in limb 65; two limbs above it take the carries.
 * Squares of floats are 48-bit integers times 2^(2 e - 300), e the exponent's field: they are
 * added in one 64-bit bin an exponent, and the bins go into the limbs every 2^16 additions.
 */
#include "runtime/exact.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { LIMB_BITS = 32, LOWEST = -1074, LANES = 4 };
static const int64_t pending_limit = (int64_t)1 << 30;

void rt_exact_normalize(struct rt_exact *a)
{
    int64_t carry = 0;

    for (int i = 0; i < RT_EXACT_LIMBS - 1; i++) {
        int64_t v = a->limb[i] + carry;
        carry = v >> LIMB_BITS;
        a->limb[i] = v & 0xffffffff;
    }
    a->limb[RT_EXACT_LIMBS - 1] += carry; /* the sign lives here */
    a->pending = 0;
}

/* limbs += sign * m * 2^(bit - 1074), m below 2^64 */
static inline void add_bits(struct rt_exact *a, uint64_t m, int bit, int64_t sign)
{
    const int i = bit / LIMB_BITS, shift = bit % LIMB_BITS;
    const uint64_t low = (m & 0xffffffff) << shift, high = (m >> LIMB_BITS) << shift;

    a->limb[i] += sign * (int64_t)(low & 0xffffffff);
    a->limb[i + 1] += sign * (int64_t)((low >> LIMB_BITS) + (high & 0xffffffff));
    a->limb[i + 2] += sign * (int64_t)(high >> LIMB_BITS);
    a->pending += 2; /* limb i + 1 grew by less than 2^33 */
    if (a->pending >= pending_limit) rt_exact_normalize(a);
}

void rt_exact_add(struct rt_exact *a, double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    const int exponent = (int)(u >> 52 & 0x7ff);
    uint64_t m = u & 0xfffffffffffff;

    if (exponent == 0x7ff) {
        if (m != 0)
            a->nans++;
        else if (u >> 63)
            a->minus_infs++;
        else
            a->plus_infs++;
        return;
    }
    if (exponent != 0) m |= (uint64_t)1 << 52;
    add_bits(a, m, exponent == 0 ? 0 : exponent - 1, u >> 63 ? -1 : 1);
}

static void add_not_finite(struct rt_exact *a, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (isnan(x[i]))
            a->nans++;
        else if (isinf(x[i]))
            a->plus_infs++;
    }
}

/* One bin an exponent field, in as many lanes as hide the latency of adding to memory. */
struct bins {
    uint64_t sum[LANES][256];
};

static inline void bin_square(uint64_t sum[256], float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    const uint32_t e = u >> 23 & 0xff;
    const uint64_t m = (u & 0x7fffff) | (uint32_t)(e != 0) << 23;
    sum[e] += m * m;
}

/* At most 2^16 elements a lane. */
static void add_block(struct rt_exact *a, struct bins *b, const float *x, size_t n)
{
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (size_t l = 0; l < LANES; l++) bin_square(b->sum[l], x[i + l]);
    for (; i < n; i++) bin_square(b->sum[0], x[i]);
    for (int l = 0; l < LANES; l++) {
        for (int e = 0; e < 255; e++) {
            if (b->sum[l][e] == 0) continue;
            add_bits(a, b->sum[l][e], 2 * (e == 0 ? 1 : e) - 300 - LOWEST, 1);
        }
    }
    for (int l = 0; l < LANES; l++) {
        if (b->sum[l][255] == 0) continue;
        add_not_finite(a, x, n);
        return;
    }
}

void rt_exact_add_squares(struct rt_exact *a, const float *x, size_t n)
{
    const size_t most = (size_t)LANES << 16;

    while (n > 0) {
        struct bins b = {0};
        size_t now = n < most ? n : most;
        add_block(a, &b, x, now);
        x += now;
        n -= now;
    }
}

void rt_exact_merge(struct rt_exact *a, const struct rt_exact *b)
{
    struct rt_exact c = *b;

    rt_exact_normalize(&c);
    rt_exact_normalize(a);
    for (int i = 0; i < RT_EXACT_LIMBS; i++) a->limb[i] += c.limb[i];
    a->nans += c.nans;
    a->plus_infs += c.plus_infs;
    a->minus_infs += c.minus_infs;
    a->pending = 1;
}

/* limbs 0.. of a number >= 0, normalised -> nearest double, ties to even */
static double nearest(const int64_t *limb)
{
    int top = RT_EXACT_LIMBS - 1;

    while (top > 0 && limb[top] == 0) top--;
    /* The upper 64 bits below and including the highest one, and whether more bits follow. */
    int high = 63 - __builtin_clzll((uint64_t)limb[top] | 1); /* within the limb, below 64 */
    int bit = top * LIMB_BITS + high;                         /* of the highest one */
    int low = bit < 53 ? 0 : bit - 53; /* 53 bits of the result and the one to round by */
    uint64_t m = 0;
    bool more = false;
    for (int i = 0; i <= top; i++) {
        int place = i * LIMB_BITS - low; /* of this limb's bit 0 in m */
        uint64_t v = (uint64_t)limb[i];
        if (place >= 0) {
            m |= v << place;
        } else if (place <= -64) {
            more = more || v != 0;
        } else {
            m |= v >> -place;
            more = more || (v << (64 + place)) != 0;
        }
    }
    if (bit < 53) return ldexp((double)m, LOWEST);
    bool half = m & 1;
    m >>= 1;
    if (half && (more || (m & 1))) m++;
    return ldexp((double)m, low + 1 + LOWEST);
}

double rt_exact_value(const struct rt_exact *a)
{
    struct rt_exact c = *a;

    if (c.nans > 0 || (c.plus_infs > 0 && c.minus_infs > 0)) return (double)NAN;
    if (c.plus_infs > 0) return (double)INFINITY;
    if (c.minus_infs > 0) return -(double)INFINITY;
    rt_exact_normalize(&c);
    bool negative = c.limb[RT_EXACT_LIMBS - 1] < 0;
    if (negative) {
        for (int i = 0; i < RT_EXACT_LIMBS; i++) c.limb[i] = -c.limb[i];
        rt_exact_normalize(&c);
    }
    double v = nearest(c.limb);
    return negative ? -v : v;
}
