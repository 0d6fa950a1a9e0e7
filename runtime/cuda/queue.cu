/* runtime/cuda/queue.cu - see queue.h */
#include "runtime/cuda/queue.h"

rt_status rt_cuda(cudaError_t code, const char *what)
{
    if (code == cudaSuccess) return RT_OK;
    return RT_FAIL(code == cudaErrorMemoryAllocation ? RT_ENOMEM : RT_EDEVICE, "%s: %s", what,
                   cudaGetErrorString(code));
}

/* Is there a GPU that this build can use? */
static rt_status find_device(void)
{
    int count = 0;
    const cudaError_t code = cudaGetDeviceCount(&count);

    if (code == cudaSuccess && count > 0) return RT_OK;
    return RT_FAIL(
        RT_EMISSING,
        "device cuda: CUDA finds no GPU (%s): see nvidia-smi and CUDA_VISIBLE_DEVICES, or "
        "use device: cpu",
        code == cudaSuccess ? "the driver knows none" : cudaGetErrorString(code));
}

rt_status rt_cuda_queue_create(struct rt_queue **out)
{
    struct rt_queue *q = static_cast<struct rt_queue *>(calloc(1, sizeof *q));
    rt_status st = q == nullptr ? RT_FAIL(RT_ENOMEM, "a queue") : RT_OK;

    *out = nullptr;
    if (st == RT_OK) st = find_device();
    if (st == RT_OK)
        st = rt_cuda(cudaStreamCreateWithFlags(&q->stream, cudaStreamNonBlocking), "a stream");
    if (st == RT_OK) st = rt_cuda(cudaMalloc(&q->scratch, RT_CUDA_SCRATCH), "scratch of a queue");
    if (st == RT_OK) st = rt_cuda(cudaMallocHost(&q->pinned, RT_CUDA_SCRATCH), "pinned memory");
    if (st == RT_OK)
        *out = q;
    else
        rt_cuda_queue_destroy(&q);
    return st;
}

void rt_cuda_queue_destroy(struct rt_queue **q)
{
    if (*q == nullptr) return;
    cudaFree((*q)->scratch);
    cudaFreeHost((*q)->pinned);
    if ((*q)->stream != nullptr) cudaStreamDestroy((*q)->stream);
    free(*q);
    *q = nullptr;
}

rt_status rt_cuda_queue_wait(struct rt_queue *q)
{
    return rt_cuda(cudaStreamSynchronize(q->stream), "waiting for a queue");
}
