/* jobs/train/exact.h - what `reduce: exact` asks of the batch and of the number of ranks
 *
 * The leaves of the sum are micro-batches of exactly batch.micro_sequences sequences, in the order
 * of the samples (work.h). P ranks times the micro-steps are all leaves; both are powers of two, so
 * that micro-steps (shard/partials.h) over ranks (comm/exact.h) make one binary tree over the
 * leaves, which is the same for every P.
 */
#ifndef JOBS_TRAIN_EXACT_H
#define JOBS_TRAIN_EXACT_H

#include "jobs/train/runfile.h"

/* RT_EINVAL: what the run file and the number of ranks alone forbid; what the nodes do is
 * shard_check_nodes'. Not collective. */
RT_NODISCARD rt_status exact_check_work(const struct runfile *r, int size);

#endif
