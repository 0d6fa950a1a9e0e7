/* runtime/device_cuda.h - a GPU as a device: its queues; C, so that anybody may ask
 *
 * Built by nvcc for a GPU, and for the emulator (runtime/cuda/emulate.h), whose queue runs at once.
 */
#ifndef RT_DEVICE_CUDA_H
#define RT_DEVICE_CUDA_H

#include "runtime/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct rt_queue;

/* On the current GPU. RT_EMISSING with CUDA's words: no driver, no GPU; RT_ENOMEM, RT_EDEVICE. */
RT_NODISCARD rt_status rt_cuda_queue_create(struct rt_queue **out);
void rt_cuda_queue_destroy(struct rt_queue **q); /* nothing is under way on it */
RT_NODISCARD rt_status rt_cuda_queue_wait(struct rt_queue *q);

#ifdef __cplusplus
}
#endif
#endif
