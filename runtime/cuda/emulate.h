/* runtime/cuda/emulate.h - CUDA kernels on the host: grid, block, shared memory, barriers, shuffles
 *
 * A launch runs at once, block by block. Each thread of a block is a fiber that runs until it comes
 * to a barrier or a warp operation; then the next one goes on, in the order that is set. So
 *   a missing barrier shows: who runs first finds what the others have not written yet, and shared
 *   memory begins as NaN (all bits set);
 *   an order that the result should not depend on can be turned: forward, reverse, random;
 *   arrays are allocations of their own, so that AddressSanitizer sees who leaves them.
 * What CUDA leaves undefined ends the process with a message that names the kernel: threads that wait
 * at different barriers or never come to one, a warp operation that a lane of its mask misses.
 * Costs    about a microsecond a thread and barrier: for tests
 * Limits   one thread of the host at a time; no cooperative groups, no streams that overlap
 */
#ifndef RT_CUDA_EMULATE_H
#define RT_CUDA_EMULATE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cuda/order.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

/* --- what kernels see --- */

struct rt_emulate_thread {
    dim3 thread, block, blocks, threads; /* threadIdx, blockIdx, gridDim, blockDim */
};
extern const struct rt_emulate_thread *rt_emulate_now;

#define threadIdx (rt_emulate_now->thread)
#define blockIdx (rt_emulate_now->block)
#define gridDim (rt_emulate_now->blocks)
#define blockDim (rt_emulate_now->threads)

#define __syncthreads() rt_emulate_barrier(__FILE__, __LINE__)
#define __syncwarp()                                                                               \
    (void)rt_emulate_exchange(0xffffffffu, 0, (int)rt_emulate_lane(), __FILE__, __LINE__)
#define __shfl_sync(mask, value, from) rt_emulate_shuffle(mask, value, from, __FILE__, __LINE__)
#define __shfl_xor_sync(mask, value, bits)                                                         \
    rt_emulate_shuffle(mask, value, (int)(rt_emulate_lane() ^ (unsigned)(bits)), __FILE__, __LINE__)
#define __shfl_down_sync(mask, value, by)                                                          \
    rt_emulate_shuffle(mask, value, rt_emulate_lane_below(by), __FILE__, __LINE__)

void rt_emulate_barrier(const char *file, int line);
unsigned rt_emulate_lane(void);
int rt_emulate_lane_below(
    unsigned by); /* the lane that many further on; the own one past the end */
/* Every lane of mask brings 8 bytes and gets those of lane `from`. */
uint64_t rt_emulate_exchange(unsigned mask, uint64_t mine, int from, const char *file, int line);

template <typename T>
T rt_emulate_shuffle(unsigned mask, T value, int from, const char *file, int line)
{
    static_assert(sizeof(T) <= sizeof(uint64_t), "a shuffle moves 8 bytes at most");
    uint64_t bits = 0;

    memcpy(&bits, &value, sizeof value);
    bits = rt_emulate_exchange(mask, bits, from, file, line);
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The block's array of that place in the source: made, with all bits set, by who comes first. */
void *rt_emulate_shared(size_t bytes, const char *file, int line);
void *rt_emulate_dynamic(void);

template <typename T> T atomicAdd(T *at, T value)
{
    const T before = *at;
    *at = before + value;
    return before;
}

template <typename T> T atomicOr(T *at, T value)
{
    const T before = *at;
    *at = before | value;
    return before;
}

/* --- launches --- */

#define RT_KERNEL static void
#define RT_SHARED(type, name, count)                                                               \
    type *const name =                                                                             \
        static_cast<type *>(rt_emulate_shared(sizeof(type) * (count), __FILE__, __LINE__))
#define RT_SHARED_DYNAMIC(type, name) type *const name = static_cast<type *>(rt_emulate_dynamic())
#define RT_LAUNCH(kernel, grid, block, shared, stream, ...)                                        \
    ((void)(stream),                                                                               \
     rt_emulate_launch((grid), (block), (shared), #kernel, [&] { kernel(__VA_ARGS__); }))

void rt_emulate_run(dim3 grid, dim3 block, size_t shared, const char *name, void (*body)(void *),
                    void *context);

template <typename F>
void rt_emulate_launch(dim3 grid, dim3 block, size_t shared, const char *name, F body)
{
    rt_emulate_run(
        grid, block, shared, name, [](void *f) { (*static_cast<F *>(f))(); }, &body);
}

/* --- the little of the CUDA runtime that is used --- */

typedef int cudaError_t;
typedef struct rt_emulate_stream *cudaStream_t;
enum { cudaSuccess = 0, cudaErrorMemoryAllocation = 2 };
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum { cudaStreamNonBlocking = 1 };

static inline const char *cudaGetErrorString(cudaError_t e)
{
    return e == cudaSuccess ? "no error" : "out of memory";
}
static inline cudaError_t cudaGetDeviceCount(int *count)
{
    *count = 1;
    return cudaSuccess;
}
static inline cudaError_t cudaGetLastError(void) { return cudaSuccess; }
static inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned flags)
{
    (void)flags;
    *s = nullptr;
    return cudaSuccess;
}
static inline cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
static inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
/* Memory of a device is not zero at first. */
static inline cudaError_t cudaMalloc(void **p, size_t bytes)
{
    *p = malloc(bytes);
    if (*p == nullptr) return cudaErrorMemoryAllocation;
    memset(*p, 0xff, bytes);
    return cudaSuccess;
}
static inline cudaError_t cudaMallocHost(void **p, size_t bytes) { return cudaMalloc(p, bytes); }
static inline cudaError_t cudaFree(void *p)
{
    free(p);
    return cudaSuccess;
}
static inline cudaError_t cudaFreeHost(void *p) { return cudaFree(p); }
static inline cudaError_t cudaMemsetAsync(void *p, int value, size_t bytes, cudaStream_t)
{
    memset(p, value, bytes);
    return cudaSuccess;
}
static inline cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind,
                                          cudaStream_t)
{
    memcpy(to, from, bytes);
    return cudaSuccess;
}

#endif
