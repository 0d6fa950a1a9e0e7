/* jobs/train/plan_print.h - a plan for people and programs. Not collective. */
#ifndef JOBS_TRAIN_PLAN_PRINT_H
#define JOBS_TRAIN_PLAN_PRINT_H

#include <stdio.h>

#include "jobs/train/runfile.h"
#include "runtime/memory.h"
#include "shard/shard.h"

/* What else `recua plan` was asked about; 0: not. */
struct plan_wish {
    uint64_t device_memory_bytes;
    double mfu, peak_flops_per_s; /* of one rank */
};

struct plan_sums {
    uint64_t rank_bytes, node_bytes; /* private of one rank; window of one node */
    uint64_t share_bytes;            /* a rank's private bytes and its share of the window */
    uint64_t job_bytes;
    uint64_t class_private[RT_MEM_CLASSES], class_node[RT_MEM_CLASSES];
    uint64_t tokens_per_step, parameters;
    double flops_per_step, step_s; /* step_s 0: unknown */
    bool fits;                     /* true too where no limit was given */
};

void plan_add_up(const struct rt_plan *plan, const struct runfile *r,
                 const struct shard_shape *shape, const struct plan_wish *wish,
                 struct plan_sums *out);
void plan_print(FILE *out, const struct plan_sums *s, const struct runfile *r,
                const struct shard_shape *shape, const struct plan_wish *wish);
void plan_print_json(FILE *out, const struct rt_plan *plan, const struct plan_sums *s,
                     const struct shard_shape *shape, const struct plan_wish *wish);

#endif
