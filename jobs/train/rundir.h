/* jobs/train/rundir.h - the directory of a run: one job at a time, resumed only as the same run
 *
 *     OUTPUT/LOCK            held with flock while a job runs; says who. The kernel lets go of it
 *     OUTPUT/run.yaml        the run file as resolved, and `history`: a line an attempt
 *     OUTPUT/metrics.jsonl   jobs/train/metrics.h
 *     OUTPUT/checkpoints/
 * Not collective: rank 0 calls, jobs agrees and tells the others.
 */
#ifndef JOBS_TRAIN_RUNDIR_H
#define JOBS_TRAIN_RUNDIR_H

#include <stdbool.h>
#include <stdint.h>

#include "jobs/train/runfile.h"
#include "runtime/status.h"

struct rundir;

/* Make r->output if need be, lock it, remove what a dead save left, and compare run.yaml with r.
 * RT_EBUSY: another job holds it (named). RT_EIO: cannot be made or written. RT_EINVAL: `fresh`
 * but a run is there; or model or seed have changed (both values). */
RT_NODISCARD rt_status rundir_open(const struct runfile *r, bool fresh, struct rundir **out);
void rundir_close(struct rundir **d);

int rundir_attempt(const struct rundir *d);             /* 1 is the first */
const char *rundir_checkpoints(const struct rundir *d); /* the directory */
const char *rundir_chosen(const struct rundir *d);      /* its last shard.chosen; "": none. Lent */
bool rundir_has_checkpoint(const struct rundir *d);

/* The data of the run must be those of its newest checkpoint. Without a checkpoint the names of
 * the files must be those of run.yaml. RT_EINVAL, with both values. */
RT_NODISCARD rt_status rundir_check_data(const struct rundir *d, uint64_t data_digest,
                                         uint64_t tokenizer_digest);

/* Write run.yaml with a line for this attempt, and print what changed. */
RT_NODISCARD rt_status rundir_begin(struct rundir *d, const struct runfile *r, int ranks,
                                    uint64_t from_step);

#endif
