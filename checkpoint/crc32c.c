/* checkpoint/crc32c.c - CRC-32C by the instruction of SSE4.2, or by tables
 *
 * How     hardware: one instruction takes 8 bytes but its result comes three cycles later, so
 *         three lanes run side by side. A lane's CRC is moved over the bytes behind it by a
 *         carry-less product with x^(8n-33) mod P; the instruction reduces that product.
 *         table: 8 bytes a step through eight tables, made anew in each call (a few
 *         microseconds), so that nothing has to be kept.
 * Source  Gopal et al. 2011, "Fast CRC computation for iSCSI polynomial using CRC32 instruction"
 *         (lanes); Kounavis, Berry 2008, "Novel table lookup-based algorithms for CRC" (tables)
 */
#include "checkpoint/crc32c.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>
#endif

enum { LANE = 4096 }; /* bytes */

static const uint32_t polynomial = 0x82f63b78u; /* bit 31 is x^0 */

uint32_t crc32c_table(uint32_t before, const void *bytes, size_t n)
{
    uint32_t table[8][256], crc = ~before;
    const unsigned char *p = bytes;

    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++) c = (c >> 1) ^ (c & 1 ? polynomial : 0);
        table[0][i] = c;
    }
    for (int t = 1; t < 8; t++) /* table t: the byte is followed by t zero bytes */
        for (int i = 0; i < 256; i++)
            table[t][i] = (table[t - 1][i] >> 8) ^ table[0][table[t - 1][i] & 0xff];

    for (; n >= 8; n -= 8, p += 8) {
        uint32_t low =
            (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        low ^= crc;
        crc = table[7][low & 0xff] ^ table[6][low >> 8 & 0xff] ^ table[5][low >> 16 & 0xff] ^
              table[4][low >> 24] ^ table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^
              table[0][p[7]];
    }
    for (; n > 0; n--, p++) crc = (crc >> 8) ^ table[0][(crc ^ *p) & 0xff];
    return ~crc;
}

#if defined(__x86_64__)

bool crc32c_has_hardware(void)
{
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}

/* crc * factor * x^33 mod P. */
static __attribute__((target("sse4.2,pclmul"))) uint32_t move_over(uint64_t crc, uint32_t factor)
{
    const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)(uint32_t)crc),
                                                 _mm_cvtsi64_si128((long long)factor), 0);
    return (uint32_t)_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

static inline uint64_t word(const unsigned char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

__attribute__((target("sse4.2,pclmul"))) uint32_t crc32c_hardware(uint32_t before,
                                                                  const void *bytes, size_t n)
{
    const uint32_t over_one = 0x82f89c77u, over_two = 0x54a86326u; /* x^(8*LANE-33), 2*LANE */
    const unsigned char *p = bytes;
    uint64_t a = (uint32_t)~before;

    for (; n >= 3 * LANE; n -= 3 * LANE, p += 3 * LANE) {
        uint64_t b = 0, c = 0;
        for (size_t i = 0; i < LANE; i += 8) {
            a = _mm_crc32_u64(a, word(p + i));
            b = _mm_crc32_u64(b, word(p + LANE + i));
            c = _mm_crc32_u64(c, word(p + 2 * LANE + i));
        }
        a = move_over(a, over_two) ^ move_over(b, over_one) ^ (uint32_t)c;
    }
    for (; n >= 8; n -= 8, p += 8) a = _mm_crc32_u64(a, word(p));
    for (; n > 0; n--, p++) a = _mm_crc32_u8((uint32_t)a, *p);
    return ~(uint32_t)a;
}

#else

bool crc32c_has_hardware(void) { return false; }

uint32_t crc32c_hardware(uint32_t before, const void *bytes, size_t n)
{
    return crc32c_table(before, bytes, n);
}

#endif

uint32_t crc32c(uint32_t before, const void *bytes, size_t n)
{
    if (crc32c_has_hardware()) return crc32c_hardware(before, bytes, n);
    return crc32c_table(before, bytes, n);
}
