/* bench/simulate/units.h - the step of a run file on so many GPUs: units, computing, micro-steps
 *
 * Computing  model_flops_per_token / (mfu * peak) a token, dealt out to the units by the operations
 *            of their matrices and of attention; forward : backward is 1 : 2, and 1 : 3 where
 *            everything is recomputed
 * Batch      the run file's global_sequences over the GPUs, micro_sequences a micro-step; more GPUs
 *            than sequences: one sequence a GPU, and the batch grows
 */
#ifndef BENCH_SIMULATE_UNITS_H
#define BENCH_SIMULATE_UNITS_H

#include "bench/simulate/step.h"
#include "jobs/train/runfile.h"

struct simulate_gpu {
    double mfu, peak_flops_per_s, memory_bytes;
};

/* tokens: of the step on all GPUs. fits: weights, gradients and moments, 16 bytes a parameter, are
 * no more than the GPU's memory. RT_ENOMEM. */
struct simulate_units {
    struct simulate_step step;
    double tokens;
    bool grown; /* the batch is larger than the run file's */
    bool fits;
};
RT_NODISCARD rt_status simulate_units_create(const struct runfile *r, int ranks,
                                             const struct simulate_gpu *gpu,
                                             struct simulate_units *out);
void simulate_units_clear(struct simulate_units *u);

#endif
