/* tests/comm/watch/job.h - several ranks as processes of this machine, without MPI
 *
 * job_run forks them; what they share lies in one anonymous mapping. Every rank opens its watchdog,
 * waits for the others' addresses, starts it and runs its body, whose value is its exit code.
 * Nothing here measures time: limits only keep a test from hanging.
 */
#ifndef TESTS_COMM_WATCH_JOB_H
#define TESTS_COMM_WATCH_JOB_H

#include <stdatomic.h>
#include <sys/types.h>

#include "comm/watch/watchdog.h"

enum { JOB_MOST = 8, JOB_TEXT = 1 << 16 };

struct job {
    int size;
    struct comm_watch_settings settings;
    pid_t pids[JOB_MOST];
    struct comm_beat_address addresses[JOB_MOST];
    _Atomic int ready, arrived, step;
};

struct job_rank {
    struct job *job;
    int rank;
    struct comm_records *records;
    struct comm_watch *watch;
};

struct job_plan {
    int size;
    struct comm_watch_settings settings;
    int (*body)(struct job_rank *me);
    /* The parent's part while they run; may be NULL. */
    void (*meanwhile)(struct job *job);
    /* Changes what a rank takes for the addresses; may be NULL. */
    void (*readdress)(const struct job *job, int rank, struct comm_beat_address *addresses);
    void (*on_verdict)(void *context);
    unsigned stopped; /* bits: ranks that stop themselves, continued when all others have ended */
};

struct job_end {
    int code;            /* exit code; minus the signal that ended it */
    char text[JOB_TEXT]; /* its stderr */
};

/* Limits short enough for a test. */
struct comm_watch_settings job_settings(double silent_s);

/* ends (size). Counts a failed check where a rank has not ended within two minutes. */
void job_run(const struct job_plan *plan, struct job_end *ends);

/* A step of training: reduce unit 5, in which all ranks wait for all. */
void job_step(struct job_rank *me, int step);
void job_sleep(double seconds);
/* To every rank, by the parent. */
void job_signal(const struct job *job, int signal);

int job_count(const char *text, const char *what);

#endif
