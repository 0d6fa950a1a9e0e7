/* jobs/train/pretrain_impl.h - what opening and running a pretraining job share; not for others */
#ifndef JOBS_TRAIN_PRETRAIN_IMPL_H
#define JOBS_TRAIN_PRETRAIN_IMPL_H

#include "jobs/train/metrics.h"
#include "jobs/train/pretrain.h"
#include "jobs/train/progress.h"
#include "jobs/train/rundir.h"
#include "jobs/train/train.h"

struct pretrain_job {
    const struct pretrain_options *o;
    struct comm *world; /* lent */
    struct runfile *run;
    struct train *train;
    bool first; /* rank 0, which writes and speaks */

    struct rundir *directory; /* rank 0 only, as metrics */
    struct metrics *metrics;
    struct progress progress;
    char trace_path[4096], checkpoints[4096];

    int attempt;
    bool resume;             /* there is a checkpoint */
    double peak_flops_per_s; /* of all ranks; NAN: unknown */
    uint64_t peak_memory_bytes;
    uint64_t saved_step; /* of the newest checkpoint */
    bool saved;
};

/* jobs/train/pretrain_open.c: everything up to the first step. Collective. */
RT_NODISCARD rt_status pretrain_open(struct pretrain_job *j);
void pretrain_close(struct pretrain_job *j);

#endif
