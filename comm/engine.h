/* comm/engine.h - who calls MPI: a communication thread a rank, or the caller itself
 *
 * Thread   one thread a rank starts MPI, makes every MPI call and ends MPI (the funnelled level is
 *          enough); the main thread hands it tasks and calls, and waits. Signals are blocked in
 *          it; it sleeps when nothing is under way; while something is, it polls, and naps between
 *          polls unless somebody waits for it.
 * Poll     no thread: whoever waits makes the MPI calls. For simulators, for small machines, and
 *          for jobs on one node, which send nothing.
 * All state is in the handle, one a rank.
 */
#ifndef COMM_ENGINE_H
#define COMM_ENGINE_H

#include "comm/group.h"
#include "comm/watch/records.h"
#include "comm/watch/watchdog.h"

struct comm_engine;
struct comm_task;

struct comm_engine_options {
    bool thread;
    bool blocking; /* poll: a wait for messages blocks in MPI instead of testing; only where
                      nothing but messages is ever waited for (simulators) */
};

/* Starts MPI. RT_ECOMM, RT_ENOMEM. */
RT_NODISCARD rt_status comm_engine_start(const struct comm_engine_options *o, int *argc,
                                         char ***argv, struct comm_engine **out);
void comm_engine_finish(struct comm_engine **e); /* ends MPI; nothing is under way */
bool comm_engine_threaded(const struct comm_engine *e);
bool comm_engine_blocking(const struct comm_engine *e);
const char *comm_engine_library(const struct comm_engine *e);

RT_NODISCARD rt_status comm_engine_call(struct comm_engine *e, rt_status (*f)(void *), void *arg);

/* t's state becomes DONE in the end. The main thread alone posts and waits. */
void comm_engine_post(struct comm_engine *e, struct comm_task *t);
void comm_engine_wait(struct comm_engine *e, struct comm_task *t);
/* The main thread begins or ends to wait for something else than these: the thread keeps awake. */
void comm_engine_waits(struct comm_engine *e, bool on);
/* Poll mode: move on what is under way, once. Thread mode: nothing. */
void comm_engine_poll(struct comm_engine *e);

/* On the thread that owns MPI: move on what is under way; whether anything moved. */
bool comm_engine_progress(struct comm_engine *e);
/* What is watched: NULL until set, and where nothing is. The engine owns both from then on; watch
 * is finished before MPI is ended. The main thread alone. */
void comm_engine_watch(struct comm_engine *e, struct comm_records *records,
                       struct comm_watch *watch);
struct comm_records *comm_engine_records(const struct comm_engine *e);
struct comm_watch *comm_engine_watched(const struct comm_engine *e);
/* A record of an operation that is posted now. */
uint64_t comm_engine_enter(struct comm_engine *e, const char *op, int unit, uint64_t bytes);
void comm_engine_step(struct comm_engine *e, uint64_t step);

/* On any thread: end the job. Does not return. */
void comm_engine_abort(struct comm_engine *e, int exit_code) __attribute__((noreturn));

#endif
