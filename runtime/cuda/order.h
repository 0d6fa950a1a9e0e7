/* runtime/cuda/order.h - in which order the emulator runs threads; for tests, which are C */
#ifndef RT_CUDA_ORDER_H
#define RT_CUDA_ORDER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum rt_emulate_order { RT_FORWARD, RT_REVERSE, RT_RANDOM, RT_ORDERS };

/* Of the launches from now on; seed counts for RANDOM. Blocks follow it as threads do. */
void rt_emulate_set_order(enum rt_emulate_order order, uint64_t seed);

#ifdef __cplusplus
}
#endif
#endif
