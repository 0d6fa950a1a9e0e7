/* jobs/train/stop.h - USR1 and TERM ask a job to finish its step, save and leave with 75 */
#ifndef JOBS_TRAIN_STOP_H
#define JOBS_TRAIN_STOP_H

#include <signal.h>

/* Catch both from now on. The flag is of this process: a signal knows no other place. */
const volatile sig_atomic_t *stop_watch(void);

#endif
