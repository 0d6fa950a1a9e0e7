/* model/vec_cpu.h - one vector of floats, as wide as the instruction set that is compiled for
 *
 * *_vec.c are compiled once for each instruction set (CMakeLists.txt); this header gives them one
 * vocabulary: VEC floats in a vec, loads and stores of f32 and bf16 with n <= VEC valid lanes,
 * fused multiply-add, exp. Arithmetic is + - * / of the compiler's vector types.
 *
 * Numbers  vec_fma rounds once where the hardware has it (AVX2 and up), twice in the plain build.
 *          bf16 is rounded to nearest even in integers, the same bits as rt_bf16_from_f32 for every
 *          input (the CPU's own conversion would flush denormals).
 */
#ifndef MODEL_VEC_CPU_H
#define MODEL_VEC_CPU_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "runtime/dtype.h"

#if defined(__AVX512F__)
enum { VEC = 16 };
#elif defined(__AVX2__)
enum { VEC = 8 };
#else
enum { VEC = 4 };
#endif

#define VEC_INLINE static inline __attribute__((always_inline, unused))

typedef float vec __attribute__((vector_size(VEC * 4)));
typedef int32_t vec_int __attribute__((vector_size(VEC * 4)));
typedef uint32_t vec_bits __attribute__((vector_size(VEC * 4)));
typedef uint16_t vec_half __attribute__((vector_size(VEC * 2)));

VEC_INLINE vec vec_all(float x) { return x - (vec){0}; }

VEC_INLINE vec vec_fma(vec a, vec b, vec c)
{
#if defined(__AVX512F__)
    return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__)
    return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    return a * b + c;
#endif
}

/* Where mask lanes are all ones: a, else b. */
VEC_INLINE vec vec_where(vec_int mask, vec a, vec b)
{
    return (vec)((mask & (vec_int)a) | (~mask & (vec_int)b));
}

/* The larger; b where a is NaN. */
VEC_INLINE vec vec_max(vec a, vec b) { return vec_where(a > b, a, b); }

/* Lanes in a fixed order: halves are added to halves. */
VEC_INLINE float vec_sum(vec a)
{
    float x[VEC];

    memcpy(x, &a, sizeof x);
    for (int half = VEC / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++) x[l] += x[l + half];
    return x[0];
}

VEC_INLINE float vec_largest(vec a)
{
    float x[VEC];

    memcpy(x, &a, sizeof x);
    for (int l = 1; l < VEC; l++) x[0] = x[l] > x[0] ? x[l] : x[0];
    return x[0];
}

/* Of adjacent pairs (a, b): (a, a), (b, b), (b, a). */
VEC_INLINE vec vec_evens(vec x)
{
#if defined(__AVX512F__)
    return (vec)_mm512_moveldup_ps((__m512)x);
#elif defined(__AVX2__)
    return (vec)_mm256_moveldup_ps((__m256)x);
#else
    return (vec){x[0], x[0], x[2], x[2]};
#endif
}

VEC_INLINE vec vec_odds(vec x)
{
#if defined(__AVX512F__)
    return (vec)_mm512_movehdup_ps((__m512)x);
#elif defined(__AVX2__)
    return (vec)_mm256_movehdup_ps((__m256)x);
#else
    return (vec){x[1], x[1], x[3], x[3]};
#endif
}

VEC_INLINE vec vec_swap(vec x)
{
#if defined(__AVX512F__)
    return (vec)_mm512_permute_ps((__m512)x, 0xb1);
#elif defined(__AVX2__)
    return (vec)_mm256_permute_ps((__m256)x, 0xb1);
#else
    return (vec){x[1], x[0], x[3], x[2]};
#endif
}

/* n of VEC floats, the other lanes 0. */
VEC_INLINE vec vec_load_f32(const float *p, int n)
{
    vec x;

#if defined(__AVX512F__)
    if (n < VEC) return (vec)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#else
    if (n < VEC) {
        float part[VEC] = {0};
        for (int l = 0; l < VEC; l++)
            if (l < n) part[l] = p[l];
        memcpy(&x, part, sizeof x);
        return x;
    }
#endif
    memcpy(&x, p, sizeof x);
    return x;
}

VEC_INLINE void vec_store_f32(float *p, vec x, int n)
{
    if (n == VEC) {
        memcpy(p, &x, sizeof x);
        return;
    }
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)x);
#else
    float part[VEC];
    memcpy(part, &x, sizeof x);
    for (int l = 0; l < VEC; l++)
        if (l < n) p[l] = part[l];
#endif
}

VEC_INLINE vec vec_load_bf16(const rt_bf16 *p, int n)
{
    vec_half h = {0};

    if (n == VEC)
        memcpy(&h, p, sizeof h);
    else
        for (int l = 0; l < VEC; l++)
            if (l < n) h[l] = p[l];
    return (vec)(__builtin_convertvector(h, vec_bits) << 16);
}

VEC_INLINE void vec_store_bf16(rt_bf16 *p, vec x, int n)
{
    const vec_bits u = (vec_bits)x;
    const vec_bits near = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    const vec_bits nan = (vec_bits)((u & 0x7fffffffu) > 0x7f800000u);
    const vec_bits r = (nan & ((u >> 16) | 0x40u)) | (~nan & near);
    const vec_half h = __builtin_convertvector(r, vec_half);

    if (n == VEC) {
        memcpy(p, &h, sizeof h);
        return;
    }
    for (int l = 0; l < VEC; l++)
        if (l < n) p[l] = h[l];
}

/* Elements i..i+n-1 of an array of dt. */
VEC_INLINE vec vec_load(const void *p, size_t i, int n, rt_dtype dt)
{
    return dt == RT_F32 ? vec_load_f32((const float *)p + i, n)
                        : vec_load_bf16((const rt_bf16 *)p + i, n);
}

VEC_INLINE void vec_store(void *p, size_t i, vec x, int n, rt_dtype dt)
{
    if (dt == RT_F32)
        vec_store_f32((float *)p + i, x, n);
    else
        vec_store_bf16((rt_bf16 *)p + i, x, n);
}

/* How many of the lanes from element i on are in an array of n. */
VEC_INLINE int vec_lanes(size_t i, size_t n) { return n - i < VEC ? (int)(n - i) : VEC; }

/* e^x. x = k ln 2 + r with |r| <= ln 2 / 2; e^r by the Taylor polynomial of degree 7 in Horner form;
 * 2^k put into the exponent. Relative error below 2.5e-7 (3 ulp; test_vec). Below -87.3: 0; above
 * 88.37 (2.4e38): e^88.37. NaN stays NaN. */
VEC_INLINE vec vec_exp(vec x)
{
    const vec lowest = vec_all(-87.33f), highest = vec_all(88.37f), magic = vec_all(12582912.0f);
    const vec_int under = x < lowest, number = x == x;
    const vec given = x;
    vec y, k, r;

    x = vec_where(x > highest, highest, x);
    x = vec_where(under, lowest, x);
    y = vec_fma(x, vec_all(1.44269504f), magic); /* the low bits of y are k, rounded */
    k = y - magic;
    r = vec_fma(k, vec_all(-0.693359375f), x);
    r = vec_fma(k, vec_all(2.12194440e-4f), r);
    vec e = vec_all(1.98412698e-4f);
    e = vec_fma(e, r, vec_all(1.38888889e-3f));
    e = vec_fma(e, r, vec_all(8.33333333e-3f));
    e = vec_fma(e, r, vec_all(4.16666667e-2f));
    e = vec_fma(e, r, vec_all(1.66666667e-1f));
    e = vec_fma(e, r, vec_all(0.5f));
    e = vec_fma(e, r, vec_all(1.0f));
    e = vec_fma(e, r, vec_all(1.0f));
    e = (vec)((vec_bits)e + ((vec_bits)y << 23));
    return vec_where(number, (vec)(~under & (vec_int)e), given);
}

#endif
