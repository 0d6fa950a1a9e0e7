/* runtime/cuda/kernel.h - what every .cu file is written with, so that it also runs without a GPU
 *
 * nvcc compiles a .cu file for the GPU. The host's C++ compiler, told RT_EMULATE, compiles the same
 * file for the emulator (emulate.h). Therefore a kernel
 *   is launched by RT_LAUNCH alone, and defined RT_KERNEL;
 *   has shared memory by RT_SHARED and RT_SHARED_DYNAMIC alone: whole types without constructors;
 *   has no inline PTX: what needs some stands below, with a twin for the host.
 */
#ifndef RT_CUDA_KERNEL_H
#define RT_CUDA_KERNEL_H

#include <stdint.h>

#include "runtime/dtype.h"

#ifdef RT_EMULATE
#include "runtime/cuda/emulate.h"
#else
#include <cuda_runtime.h>

#define RT_KERNEL __global__ static void
/* An array of `count` elements that the threads of a block share; nothing is in it at first. */
#define RT_SHARED(type, name, count) __shared__ type name[count]
/* The bytes that RT_LAUNCH asked for, as an array. */
#define RT_SHARED_DYNAMIC(type, name)                                                              \
    extern __shared__ __align__(16) unsigned char rt_dynamic[];                                    \
    type *const name = reinterpret_cast<type *>(rt_dynamic)
/* grid and block: dim3 or a number; shared: bytes of RT_SHARED_DYNAMIC. */
#define RT_LAUNCH(kernel, grid, block, shared, stream, ...)                                        \
    kernel<<<(grid), (block), (shared), (stream)>>>(__VA_ARGS__)
#endif

enum { RT_WARP = 32 };

RT_BOTH_SIDES static inline float rt_load(const float *x) { return *x; }
RT_BOTH_SIDES static inline float rt_load(const rt_bf16 *x) { return rt_bf16_to_f32(*x); }
RT_BOTH_SIDES static inline void rt_store(float *y, float v) { *y = v; }
RT_BOTH_SIDES static inline void rt_store(rt_bf16 *y, float v) { *y = rt_bf16_from_f32(v); }

#endif
