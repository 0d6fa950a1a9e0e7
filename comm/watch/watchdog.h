/* comm/watch/watchdog.h - a thread a rank that notices when another is missing
 *
 * It never calls MPI, and shares nothing with it: a stopped or lost rank is just what MPI cannot
 * report. Every rank sends a heartbeat by UDP to ranks 0 and 1, the monitors; rank 1 decides where
 * rank 0 is the silent one. What is judged by which rule: comm/watch/judge.h. A lost job ends on
 * every rank with one line, the newest records, on_verdict, and at the latest COMM_WATCH_GRACE_S
 * later _exit(72).
 *
 *   settings_read -> init_begin -> MPI_Init -> init_end -> open -> (all-gather) -> start ... finish
 *
 * Where the watchdog is off or could not be opened its handle is NULL, which all functions accept.
 * With one rank there is no heartbeat and no socket; the thread begins with the first phase.
 */
#ifndef COMM_WATCH_WATCHDOG_H
#define COMM_WATCH_WATCHDOG_H

#include "comm/watch/address.h"
#include "comm/watch/records.h"
#include "runtime/status.h"

enum { COMM_WATCH_EXIT = 72, COMM_WATCH_GRACE_S = 2 };

struct comm_watch;
struct comm_watch_init;

struct comm_watch_settings {
    bool on;
    double silent_s;      /* a rank not heard for so long is lost */
    double stuck_s;       /* nothing moved for so long: the job is lost */
    double straggler_s;   /* others waited so long for a rank: it is named */
    double init_s;        /* of MPI_Init */
    const char *dump_dir; /* whole rings go to files here; NULL: nowhere */
};

/* The defaults, and what RECUA_WATCHDOG, RECUA_WATCH_SILENT, RECUA_WATCH_STUCK, RECUA_INIT_LIMIT
 * and RECUA_WATCH_DUMP say. RT_EINVAL: one of them is nonsense. Not collective. */
RT_NODISCARD rt_status comm_watch_settings_read(struct comm_watch_settings *out);

/* Until init_end: a thread that ends this process with 72 where MPI_Init outlives init_s.
 * RT_ENOMEM. Not collective. */
RT_NODISCARD rt_status comm_watch_init_begin(const struct comm_watch_settings *settings,
                                             struct comm_watch_init **out);
void comm_watch_init_end(struct comm_watch_init **init);

/* Open this rank's socket; *mine goes to all ranks by an all-gather of its bytes. node: number of
 * this rank's node of `nodes`, the ranks that share a window's flags. Where it is off, or nothing
 * can be opened (a warning), *out is NULL
 * and mine says so to the others. RT_EINVAL: RECUA_WATCH_IF; RT_ENOMEM. Not collective. */
RT_NODISCARD rt_status comm_watch_open(const struct comm_watch_settings *settings, int size,
                                       int node, int nodes, struct comm_watch **out,
                                       struct comm_beat_address *mine);

struct comm_watch_job {
    int rank, size;
    const struct comm_beat_address *addresses; /* (size), copied */
    const struct comm_records *records;        /* lent until finish; may be NULL */
    /* The job is lost, all is said: end it (MPI_Abort with COMM_WATCH_EXIT). In the watchdog's
     * thread. NULL, or a return from it: _exit(COMM_WATCH_EXIT). */
    void (*on_verdict)(void *context);
    void *context;
};

/* Start the thread; signals are blocked in it. Every rank starts it before the next collective.
 * On failure *w is NULL. RT_ENOMEM. Not collective. */
RT_NODISCARD rt_status comm_watch_start(struct comm_watch **w, const struct comm_watch_job *job);

/* This rank, its main thread, is in a phase (a static string: "checkpoint", "MPI_Finalize") that
 * ends the job with 72 if it outlives limit_s. Meanwhile no rank is called stuck. Within a phase
 * another one changes nothing. */
void comm_watch_phase_begin(struct comm_watch *w, const char *name, double limit_s);
void comm_watch_phase_end(struct comm_watch *w);

/* This rank ends as it should: tells those that watch it, so that nobody misses it, and gives
 * everything back. Ranks may finish in any order and at any time; waits for nobody longer than a
 * second. */
void comm_watch_finish(struct comm_watch **w);

#endif
