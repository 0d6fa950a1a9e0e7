/* bench/memory_peak.h - the memory that a job really took, to hold against its plan
 *
 * Terms    private  anonymous pages of each rank (RssAnon), added over ranks
 *          shared   pages of shared memory, each counted once however many ranks map it: the
 *                   ranks' proportional shares (Pss_Shmem) added up
 * A thread looks every few milliseconds and keeps the largest sum of this rank, so that what is
 * taken and given back in between is seen too. What stood at the start is taken off.
 */
#ifndef BENCH_MEMORY_PEAK_H
#define BENCH_MEMORY_PEAK_H

#include <stdint.h>

#include "comm/comm.h"
#include "runtime/status.h"

struct memory_peak;

/* Take the state of now as the start and begin to look. Not collective. RT_EMISSING where /proc
 * does not tell. */
RT_NODISCARD rt_status memory_peak_start(struct memory_peak **out);

/* Stop looking; *bytes is the peak above the start, over all ranks. Collective over world; NULL
 * is a start that failed. RT_EMISSING on all ranks where it failed on one. */
RT_NODISCARD rt_status memory_peak_stop(struct memory_peak **m, struct comm *world,
                                        uint64_t *bytes);

#endif
