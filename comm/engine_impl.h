/* comm/engine_impl.h - what an engine holds; for the engine's files alone */
#ifndef COMM_ENGINE_IMPL_H
#define COMM_ENGINE_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "comm/engine.h"

struct comm_engine {
    struct comm_engine_options options;
    int *argc; /* lent for the start, as argv */
    char ***argv;
    char library[MPI_MAX_LIBRARY_VERSION_STRING];

    struct comm_records *records; /* owned, as the next; may be NULL */
    struct comm_watch *watch;
    uint64_t step; /* of training */

    struct comm_task *first, **last; /* under way, in the order posted: the owner's alone */
    MPI_Request *requests;           /* of all of them, for a wait that blocks */
    size_t requests_capacity;

    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake, ready; /* the thread; the main thread */
    struct comm_task *posted, **posted_last;
    rt_status (*call)(void *); /* NULL: none */
    void *call_arg;
    rt_status call_status;
    _Atomic int news; /* something posted, a call, or the end: look under the mutex */
    _Atomic int call_done, waiting, quit, abort_code;
    rt_status started;
    bool asleep, napping, sleeper;
};

/* engine.c, on the thread that owns MPI. take_in: a task that was posted. */
RT_NODISCARD rt_status comm_engine_start_mpi(struct comm_engine *e);
void comm_engine_take_in(struct comm_engine *e, struct comm_task *t);

/* engine_thread.c, on the main thread. ring: there is news; the mutex is held. await: until *flag is
 * `value`. */
RT_NODISCARD rt_status comm_engine_start_thread(struct comm_engine *e);
void comm_engine_ring(struct comm_engine *e);
void comm_engine_await(struct comm_engine *e, const _Atomic int *flag, int value);

#endif
