/* runtime/cuda/queue.h - a queue of a GPU, for .cu files: a stream and a little memory of its own
 *
 * scratch is on the device, pinned on the host, RT_CUDA_SCRATCH bytes each, for results that go back
 * to the host and for tables that kernels read. Who uses them waits for the queue before it returns.
 */
#ifndef RT_CUDA_QUEUE_H
#define RT_CUDA_QUEUE_H

#include "runtime/cuda/kernel.h"
#include "runtime/device_cuda.h"

enum { RT_CUDA_SCRATCH = 64 << 10 };

struct rt_queue {
    cudaStream_t stream;
    void *scratch, *pinned;
};

/* RT_OK, or the error with what was tried. */
rt_status rt_cuda(cudaError_t code, const char *what);

/* Blocks for n pieces of work of `threads` each: enough to fill the device, no more. */
static inline unsigned rt_cuda_blocks(size_t n, unsigned threads)
{
#ifdef RT_EMULATE
    const size_t most = 3;
#else
    const size_t most = 1024;
#endif
    const size_t blocks = (n + threads - 1) / threads;
    return (unsigned)(blocks < 1 ? 1 : blocks < most ? blocks : most);
}

#endif
