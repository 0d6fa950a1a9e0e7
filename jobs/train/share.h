/* jobs/train/share.h - one run file for all ranks */
#ifndef JOBS_TRAIN_SHARE_H
#define JOBS_TRAIN_SHARE_H

#include "comm/comm.h"
#include "jobs/train/runfile.h"

/* Rank 0 reads (and speaks of errors), the others get the resolved text. Collective. */
RT_NODISCARD rt_status runfile_share(struct comm *world, const char *path, const char *const *sets,
                                     size_t set_count, struct runfile **out);

#endif
