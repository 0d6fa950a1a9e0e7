/* jobs/train/pretrain.h - a pretraining job from its run file to its last checkpoint */
#ifndef JOBS_TRAIN_PRETRAIN_H
#define JOBS_TRAIN_PRETRAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "comm/comm.h"
#include "runtime/status.h"

struct pretrain_options {
    const char *run_file;
    const char *const *sets;
    size_t set_count;
    bool fresh;   /* --new */
    bool explain; /* print the schedule and leave */
    bool no_peak; /* do not measure the matmul peak: mfu is unknown */
};

/* Collective over world. RT_ESTOPPED: stopped on request after a checkpoint. What fails on one
 * rank alone in the loop ends the job (comm_abort). */
RT_NODISCARD rt_status pretrain(const struct pretrain_options *o, struct comm *world);

#endif
