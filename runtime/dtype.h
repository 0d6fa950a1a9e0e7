/* runtime/dtype.h - element types: f32 and bf16 (round to nearest, ties to even) */
#ifndef RT_DTYPE_H
#define RT_DTYPE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* nvcc compiles what follows it for both sides. */
#ifdef __CUDACC__
#define RT_BOTH_SIDES __host__ __device__
#else
#define RT_BOTH_SIDES
#endif

typedef enum { RT_F32 = 0, RT_BF16 = 1 } rt_dtype;

static inline size_t rt_dtype_bytes(rt_dtype t) { return t == RT_F32 ? 4 : 2; }
static inline const char *rt_dtype_name(rt_dtype t) { return t == RT_F32 ? "fp32" : "bf16"; }

typedef uint16_t rt_bf16; /* the upper half of an f32 */

RT_BOTH_SIDES static inline float rt_bf16_to_f32(rt_bf16 h)
{
    uint32_t u = (uint32_t)h << 16;
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* NaN stays NaN (quiet, sign kept); overflow goes to Inf. */
RT_BOTH_SIDES static inline rt_bf16 rt_bf16_from_f32(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    if ((u & 0x7fffffffu) > 0x7f800000u) return (rt_bf16)((u >> 16) | 0x40u);
    return (rt_bf16)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

#ifdef __cplusplus
}
#endif
#endif
