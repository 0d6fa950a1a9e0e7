/* comm/watch/judge.h - what a monitor makes of the beats that it hears
 *
 * No clock, no socket: times are given, so that every rule is tested without waiting. `now` is
 * seconds on the monitor's own clock of time in which it was awake.
 *
 * Rules
 *   unheard     nothing ever came from a rank within silent_s: its datagrams are filtered. One
 *               warning; it is not missed until it is heard.
 *   silent      it was heard, and is not any more for silent_s: the job is lost.
 *   stuck       no rank moved for the stuck limit, all are heard, none is in a phase with a limit
 *               of its own, and at least one waits: the job is lost. The limit is at least
 *               COMM_STUCK_TIMES the longest operation that any rank has completed.
 *   straggler   a rank computes while others wait for it for straggler_s, and so do at most half
 *               of the ranks: named, at most once a minute, never ended.
 */
#ifndef COMM_WATCH_JUDGE_H
#define COMM_WATCH_JUDGE_H

#include <stddef.h>

#include "comm/watch/beat.h"
#include "runtime/status.h"

enum { COMM_STUCK_TIMES = 20, COMM_STRAGGLER_EVERY_S = 60 };

struct comm_judge;

struct comm_judge_rank { /* what the judge is told of a rank */
    const char *host;    /* lent */
    int node;            /* 0 .. size-1 */
    bool absent;         /* it has no watchdog: never missed */
};

struct comm_judge_options {
    int rank, size; /* rank: where this judge sits */
    double silent_s, stuck_s, straggler_s;
    const struct comm_judge_rank *ranks; /* (size), lent */
    /* Adds to text what this machine knows of a silent rank's process; may be NULL. */
    void (*process_state)(void *context, int rank, char *text, size_t bytes);
    void *context;
};

typedef enum { COMM_JUDGE_NOTHING, COMM_JUDGE_WARNING, COMM_JUDGE_VERDICT } comm_judgement;

/* RT_ENOMEM. */
RT_NODISCARD rt_status comm_judge_create(const struct comm_judge_options *options, double now,
                                         struct comm_judge **out);
void comm_judge_destroy(struct comm_judge **j);

/* Old and repeated datagrams of a rank change nothing. */
void comm_judge_hear(struct comm_judge *j, const struct comm_beat *beat, double now);
/* This monitor was not awake itself: every rank's time begins anew. */
void comm_judge_forgive(struct comm_judge *j, double now);

/* Heard once, has not left, and not heard for longer than seconds. */
bool comm_judge_silent(const struct comm_judge *j, int rank, double seconds, double now);
bool comm_judge_heard(const struct comm_judge *j, int rank);
bool comm_judge_left(const struct comm_judge *j, int rank);
/* The stuck limit as it stands, in seconds. */
double comm_judge_stuck_s(const struct comm_judge *j);

/* The next thing to say, in text; call it until it gives NOTHING. */
comm_judgement comm_judge_next(struct comm_judge *j, double now, char *text, size_t bytes);

#endif
