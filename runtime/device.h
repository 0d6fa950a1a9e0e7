/* runtime/device.h - where kernels run: the host now; a GPU has the same shape
 *
 * A device has memory and queues. Kernels put work on a queue and it may not have run on
 * return; rt_queue_wait waits. The host runs at once, and NULL is its queue.
 */
#ifndef RT_DEVICE_H
#define RT_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct rt_device;
struct rt_queue;

struct rt_host_facts {
    char cpu[96];            /* model name; "unknown" */
    int cores;               /* that this process may run on */
    int threads;             /* OpenMP threads a rank will use */
    uint64_t memory_bytes;   /* of the machine */
    bool avx2, avx512, bf16; /* bf16: AVX512_BF16 or AMX, that is, fast bf16 matmul */
};

/* "cpu" is all there is in this build; RT_EMISSING (exit 3) for "cuda", saying so. */
RT_NODISCARD rt_status rt_device_open(const char *name, struct rt_device **out);
void rt_device_close(struct rt_device **d);
const char *rt_device_name(const struct rt_device *d);
struct rt_queue *rt_device_queue(struct rt_device *d); /* NULL on the host */
RT_NODISCARD rt_status rt_queue_wait(struct rt_queue *q);

/* Page-aligned, zeroed, prefaulted memory of the device. RT_ENOMEM. */
RT_NODISCARD rt_status rt_device_alloc(struct rt_device *d, size_t bytes, void **out);
void rt_device_free(struct rt_device *d, void *p, size_t bytes);

void rt_host_facts(struct rt_host_facts *out);

#ifdef __cplusplus
}
#endif
#endif
