/* jobs/train/work.h - which sequences of a global batch a rank computes, and in which micro-steps
 *
 * The batch is cut into micro_steps * P leaves of neighbouring sequences, whose sizes differ by at
 * most one; leaf micro_step * P + rank is that rank's work in that micro-step. So ranks too differ
 * by at most one sequence in all, every rank goes through the same number of micro-steps, and the
 * leaves lie in the order in which an exact reduction adds them. Sequence j of a step is global
 * sample `first sample of the step` + j, whoever computes it.
 */
#ifndef JOBS_TRAIN_WORK_H
#define JOBS_TRAIN_WORK_H

#include "runtime/status.h"

struct work {
    int global, size, rank;
    int count;       /* sequences of this rank in a step */
    int micro;       /* of the largest leaf: the same on all ranks */
    int micro_steps; /* the same on all ranks */
};

/* RT_EINVAL: more ranks than sequences. */
RT_NODISCARD rt_status work_split(int global_sequences, int micro_sequences, int size, int rank,
                                  struct work *out);

/* How many sequences this rank has in micro-step m (may be 0); *first is the first of them in the
 * global batch. */
int work_micro(const struct work *w, int m, int *first);

#endif
