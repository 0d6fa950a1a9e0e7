/* checkpoint/steps.h - the directory of a run's checkpoints: which steps stand, come and go
 *
 *     step-00000100    committed: whole and on stable storage
 *     .tmp-step-...    a save under way, or what a dead one left
 *     .aside-step-...  the former step of that name while a new one takes its place; only where
 *                      the file system cannot exchange two names. Put back by steps_clean if the
 *                      new one did not make it.
 *     .trash-step-...  being removed
 *     LATEST           "step-00000100\n"
 *
 * One process at a time changes it. Not collective.
 */
#ifndef CHECKPOINT_STEPS_H
#define CHECKPOINT_STEPS_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/status.h"

#define STEPS_LATEST "LATEST"

/* out (PATH_MAX) = dir/PREFIXstep-XXXXXXXX; prefix "" or ".tmp-". RT_EINVAL: too long. */
RT_NODISCARD rt_status steps_path(char *out, const char *dir, const char *prefix, uint64_t step);

/* Committed steps, newest first; *steps is malloc'ed. No such directory: none. */
RT_NODISCARD rt_status steps_list(const char *dir, uint64_t **steps, size_t *count);

/* dir/.tmp-step becomes dir/step, durably, in one moment; a former dir/step is removed. On
 * failure dir/step is what it was. tmp itself must be synced before. */
RT_NODISCARD rt_status steps_publish(const char *dir, uint64_t step);

/* Point LATEST at step, durably. */
RT_NODISCARD rt_status steps_set_latest(const char *dir, uint64_t step);

/* Remove steps older than the newest `keep` good ones up to `saved`: good are those whose manifest
 * and file sizes are right and which are not tainted. `saved` stays in any case; steps beyond it
 * (the run went back behind them, since one was damaged) count for nothing and stay. */
RT_NODISCARD rt_status steps_collect(const char *dir, int keep, uint64_t saved);

#endif
