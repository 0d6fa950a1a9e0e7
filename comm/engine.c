/* comm/engine.c - who calls MPI: a communication thread a rank, or the caller itself */
#include "comm/engine_impl.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "comm/pause.h"
#include "comm/task.h"

enum { ABORT_TRIES = 2000, ABORT_NAP_NS = 1000000, FINALIZE_S = 60 };

bool comm_engine_threaded(const struct comm_engine *e) { return e->options.thread; }
bool comm_engine_blocking(const struct comm_engine *e) { return e->options.blocking; }
const char *comm_engine_library(const struct comm_engine *e) { return e->library; }

rt_status comm_engine_start_mpi(struct comm_engine *e)
{
    const int wanted = e->options.thread ? MPI_THREAD_FUNNELED : MPI_THREAD_SINGLE;
    int level = MPI_THREAD_SINGLE, length = 0;

    RT_TRY(comm_mpi(MPI_Init_thread(e->argc, e->argv, wanted, &level), "MPI_Init_thread"));
    MPI_Get_library_version(e->library, &length);
    e->library[strcspn(e->library, ",\n")] = '\0'; /* what follows is who built the package */
    if (level >= wanted) return RT_OK;
    const rt_status st =
        RT_FAIL(RT_ECOMM,
                "%s gives no MPI_THREAD_FUNNELED, which a communication thread needs: set "
                "RECUA_COMM=poll",
                e->library);
    MPI_Finalize();
    return st;
}

/* Has an earlier task that is not done yet the same done flag? */
static bool must_wait_for_earlier(const struct comm_engine *e, const struct comm_task *t)
{
    if (t->done.window == NULL) return false;
    for (const struct comm_task *o = e->first; o != t; o = o->next)
        if (o->done.window == t->done.window && o->done.flag == t->done.flag) return true;
    return false;
}

/* Signal and take out of the list; *at is its link. */
static void retire(struct comm_engine *e, struct comm_task **at)
{
    struct comm_task *t = *at;

    *at = t->next;
    if (t->next == NULL) e->last = at;
    comm_records_leave(e->records, t->record);
    if (t->done.window != NULL && t->status == RT_OK)
        comm_window_signal(t->done.window, t->done.flag, t->done.value);
    if (!e->options.thread) {
        atomic_store_explicit(&t->state, COMM_TASK_DONE, memory_order_release);
        return;
    }
    pthread_mutex_lock(&e->mutex);
    atomic_store_explicit(&t->state, COMM_TASK_DONE, memory_order_release);
    if (e->sleeper) pthread_cond_signal(&e->ready);
    pthread_mutex_unlock(&e->mutex);
}

/* test: ask MPI what has completed; without, a wait elsewhere has. */
static bool progress(struct comm_engine *e, bool test)
{
    bool moved = false;

    if (e->abort_code != 0) MPI_Abort(MPI_COMM_WORLD, e->abort_code);
    for (struct comm_task **at = &e->first; *at != NULL;) {
        struct comm_task *t = *at;
        comm_task_advance(t, test, &moved);
        if (atomic_load_explicit(&t->state, memory_order_relaxed) == COMM_TASK_ENDED &&
            !must_wait_for_earlier(e, t)) {
            retire(e, at);
            moved = true;
        } else {
            at = &t->next;
        }
    }
    return moved;
}

bool comm_engine_progress(struct comm_engine *e) { return progress(e, !e->options.blocking); }

void comm_engine_take_in(struct comm_engine *e, struct comm_task *t)
{
    t->next = NULL;
    *e->last = t;
    e->last = &t->next;
    comm_task_accept(t);
}

rt_status comm_engine_start(const struct comm_engine_options *o, int *argc, char ***argv,
                            struct comm_engine **out)
{
    struct comm_engine *e = calloc(1, sizeof *e);

    *out = NULL;
    if (e == NULL) return RT_FAIL(RT_ENOMEM, "a communication engine");
    e->options = *o;
    e->argc = argc;
    e->argv = argv;
    e->last = &e->first;
    e->posted_last = &e->posted;
    if (o->thread) {
        pthread_condattr_t clock;
        pthread_condattr_init(&clock);
        pthread_condattr_setclock(&clock, CLOCK_MONOTONIC); /* for naps */
        pthread_mutex_init(&e->mutex, NULL);
        pthread_cond_init(&e->wake, &clock);
        pthread_condattr_destroy(&clock);
        pthread_cond_init(&e->ready, NULL);
    }
    const rt_status st = o->thread ? comm_engine_start_thread(e) : comm_engine_start_mpi(e);
    if (st != RT_OK) {
        free(e);
        return st;
    }
    *out = e;
    return RT_OK;
}

void comm_engine_finish(struct comm_engine **p)
{
    struct comm_engine *e = *p;

    if (e == NULL) return;
    comm_watch_phase_begin(e->watch, "MPI_Finalize", FINALIZE_S);
    if (e->options.thread) {
        pthread_mutex_lock(&e->mutex);
        e->quit = 1;
        comm_engine_ring(e);
        pthread_mutex_unlock(&e->mutex);
        pthread_join(e->thread, NULL);
        pthread_cond_destroy(&e->ready);
        pthread_cond_destroy(&e->wake);
        pthread_mutex_destroy(&e->mutex);
    } else {
        MPI_Finalize();
    }
    comm_watch_finish(&e->watch);
    comm_records_destroy(&e->records);
    free(e->requests);
    free(e);
    *p = NULL;
}

void comm_engine_watch(struct comm_engine *e, struct comm_records *records,
                       struct comm_watch *watch)
{
    e->records = records;
    e->watch = watch;
}

struct comm_records *comm_engine_records(const struct comm_engine *e) { return e->records; }
struct comm_watch *comm_engine_watched(const struct comm_engine *e) { return e->watch; }

uint64_t comm_engine_enter(struct comm_engine *e, const char *op, int unit, uint64_t bytes)
{
    const struct comm_what what = {.op = op, .unit = unit, .step = e->step, .bytes = bytes};
    return comm_records_enter(e->records, &what);
}

void comm_engine_step(struct comm_engine *e, uint64_t step)
{
    e->step = step;
    comm_records_step(e->records, step);
}

rt_status comm_engine_call(struct comm_engine *e, rt_status (*f)(void *), void *arg)
{
    if (!e->options.thread || pthread_equal(pthread_self(), e->thread)) return f(arg);
    pthread_mutex_lock(&e->mutex);
    e->call_done = 0;
    e->call = f;
    e->call_arg = arg;
    comm_engine_ring(e);
    pthread_mutex_unlock(&e->mutex);
    comm_engine_await(e, &e->call_done, 1);
    return e->call_status;
}

void comm_engine_post(struct comm_engine *e, struct comm_task *t)
{
    if (!e->options.thread) {
        comm_engine_take_in(e, t);
        comm_engine_progress(e);
        return;
    }
    pthread_mutex_lock(&e->mutex);
    atomic_store_explicit(&t->state, COMM_TASK_WAITING, memory_order_relaxed);
    t->next = NULL;
    *e->posted_last = t;
    e->posted_last = &t->next;
    comm_engine_ring(e);
    pthread_mutex_unlock(&e->mutex);
}

/* All requests under way in one array, since MPI wants them so; what it finds goes back. */
static rt_status wait_for_messages(struct comm_engine *e)
{
    size_t n = 0;
    int index = 0;
    MPI_Status status;

    for (struct comm_task *t = e->first; t != NULL; t = t->next) n += comm_task_requests(t);
    if (n == 0) return RT_OK;
    if (n > e->requests_capacity) {
        MPI_Request *more = realloc(e->requests, 2 * n * sizeof(MPI_Request));
        if (more == NULL) return RT_FAIL(RT_ENOMEM, "%zu requests", n);
        e->requests = more;
        e->requests_capacity = 2 * n;
    }
    n = 0;
    for (struct comm_task *t = e->first; t != NULL; t = t->next)
        for (int s = 0; s < t->depth; s++)
            for (int i = 0; t->runs[s].active && i < t->runs[s].requests_count; i++)
                e->requests[n++] = t->runs[s].requests[i];
    RT_TRY(comm_mpi(MPI_Waitany((int)n, e->requests, &index, &status), "MPI_Waitany"));
    if (index == MPI_UNDEFINED) return RT_OK;
    for (struct comm_task *t = e->first; t != NULL; t = t->next)
        for (int s = 0; s < t->depth; s++) {
            if (!t->runs[s].active) continue;
            if (index < t->runs[s].requests_count)
                return comm_run_complete(&t->runs[s], index, &status);
            index -= t->runs[s].requests_count;
        }
    return RT_OK;
}

void comm_engine_wait(struct comm_engine *e, struct comm_task *t)
{
    struct comm_pause pause = {0};

    if (e->options.thread) {
        comm_engine_await(e, &t->state, COMM_TASK_DONE);
        return;
    }
    while (atomic_load_explicit(&t->state, memory_order_relaxed) != COMM_TASK_DONE) {
        if (comm_engine_progress(e)) {
            pause = (struct comm_pause){0};
            continue;
        }
        if (!e->options.blocking) {
            comm_pause(&pause);
            continue;
        }
        const rt_status st = wait_for_messages(e);
        if (st == RT_OK) continue;
        t->status = st;
        return;
    }
}

void comm_engine_poll(struct comm_engine *e)
{
    if (!e->options.thread) progress(e, true);
}

void comm_engine_abort(struct comm_engine *e, int exit_code)
{
    const struct timespec nap = {.tv_nsec = ABORT_NAP_NS};

    if (e->options.thread && !pthread_equal(pthread_self(), e->thread)) {
        e->abort_code = exit_code == 0 ? 1 : exit_code;
        pthread_mutex_lock(&e->mutex);
        comm_engine_ring(e);
        pthread_mutex_unlock(&e->mutex);
        for (int i = 0; i < ABORT_TRIES; i++) nanosleep(&nap, NULL);
    } else {
        MPI_Abort(MPI_COMM_WORLD, exit_code);
    }
    _Exit(exit_code); /* MPI_Abort of some libraries returns, and of some hangs */
}
