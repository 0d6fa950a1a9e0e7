/* comm/watch/watch_impl.h - what the parts of the watchdog share */
#ifndef COMM_WATCH_WATCH_IMPL_H
#define COMM_WATCH_WATCH_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "comm/watch/beat.h"
#include "comm/watch/judge.h"
#include "comm/watch/watchdog.h"
#include "runtime/log.h"

enum { COMM_WATCH_MONITORS = 2 }; /* ranks 0 and 1 */

struct comm_watch {
    struct comm_watch_settings settings;
    struct comm_watch_job job;
    struct comm_beat_address mine;
    struct comm_beat_address *addresses; /* (size), owned */
    struct comm_judge_rank *ranks;       /* (size), owned: what the judge is told */
    struct comm_judge *judge;
    bool *acked; /* (size), owned: has answered LEAVING */
    uint64_t id; /* of the job */
    rt_log_level level;
    int fd, wake; /* socket; eventfd: finish wants the thread back. -1: none */
    bool running;
    pthread_t thread;

    /* The main thread writes, the watchdog reads. A phase's number is odd while it is on. */
    _Atomic uint64_t phase;
    _Atomic(const char *) phase_name;
    _Atomic uint64_t phase_limit_ms;
    int phase_depth; /* the main thread's alone */

    /* The watchdog's thread alone. */
    double tick_s, interval_s;
    double clock;        /* CLOCK_MONOTONIC, as of this turn */
    double awake;        /* seconds of it in which this process was not suspended */
    double next_beat;    /* on `awake` */
    uint64_t phase_seen; /* and since when, on `awake` */
    double phase_since;
    uint64_t count; /* datagrams sent */
    unsigned char bytes[COMM_BEAT_BYTES];
};

double comm_watch_now(void);

/* Start a thread in which every signal is blocked. false: the machine has none left. */
bool comm_watch_thread(pthread_t *thread, void *(*run)(void *), void *context);

/* One line on stderr, in one write, and nothing of the log's state but what start took. */
void comm_watch_say(const struct comm_watch *w, rt_log_level level, const char *text);

/* Send to one rank. What cannot be sent is lost: a datagram may be. */
void comm_watch_send(struct comm_watch *w, int to, struct comm_beat *beat);
/* Heartbeats to those that want this rank's. */
void comm_watch_beat(struct comm_watch *w);
/* Take what has arrived. Does not return if a verdict is among it. */
void comm_watch_receive(struct comm_watch *w);
/* Tell the others that this rank ends as it should. */
void comm_watch_leave(struct comm_watch *w);

/* The job is lost: say so, tell the others if this rank is the first to know, end. */
void comm_watch_end(struct comm_watch *w, const char *text, bool tell) __attribute__((noreturn));

#endif
