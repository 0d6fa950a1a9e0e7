/* comm/baseline_bf16.h - the sum of bf16 numbers that MPI is given as an operation of ours
 *
 * How      the plain loop, compiled for three instruction sets; the widest that the processor has
 *          is taken at run time, as in runtime/vector/vector_cpu.c. One rounding, nearest even.
 */
#ifndef COMM_BASELINE_BF16_H
#define COMM_BASELINE_BF16_H

#include <stddef.h>

#include "runtime/dtype.h"

/* y[i] = bf16(x[i] + y[i]). No overlap. */
void comm_baseline_add_bf16(rt_bf16 *y, const rt_bf16 *x, size_t n);

#endif
