/* comm/engine_thread.c - the communication thread, and how the main thread hands over and waits */
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "comm/engine_impl.h"
#include "comm/pause.h"
#include "comm/task.h"
#include "runtime/parallel.h"

/* WAIT_SPINS: of the main thread, before it sleeps. NAP: of the communication thread, while something
 * is under way that nobody waits for. */
enum { WAIT_SPINS = 300, NAP_LEAST_NS = 20 * 1000, NAP_MOST_NS = 640 * 1000 };

/* Take what was handed over; with nothing to do, sleep until there is. False: the end. */
static bool take_news(struct comm_engine *e)
{
    struct comm_task *posted = NULL;
    rt_status (*call)(void *) = NULL;

    pthread_mutex_lock(&e->mutex);
    while (e->first == NULL && e->posted == NULL && e->call == NULL && !e->quit && !e->abort_code) {
        e->asleep = true;
        pthread_cond_wait(&e->wake, &e->mutex);
        e->asleep = false;
    }
    posted = e->posted;
    e->posted = NULL;
    e->posted_last = &e->posted;
    call = e->call;
    e->news = 0;
    pthread_mutex_unlock(&e->mutex);
    while (posted != NULL) {
        struct comm_task *t = posted;
        posted = t->next;
        comm_engine_take_in(e, t);
    }
    if (call != NULL) {
        const rt_status st = call(e->call_arg);
        pthread_mutex_lock(&e->mutex);
        e->call = NULL;
        e->call_status = st;
        e->call_done = 1;
        pthread_cond_signal(&e->ready);
        pthread_mutex_unlock(&e->mutex);
    }
    return e->first != NULL || !e->quit;
}

/* Something is under way, nobody waits for it, and this core may be wanted: sleep, but not through
 * news or the begin of a wait. */
static void nap(struct comm_engine *e, long ns)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ns;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&e->mutex);
    if (!e->news && !e->waiting && !e->abort_code) {
        e->napping = true;
        pthread_cond_timedwait(&e->wake, &e->mutex, &until);
        e->napping = false;
    }
    pthread_mutex_unlock(&e->mutex);
}

/* What is under way as far as it goes. A nap takes about as long as it has lately been between one
 * piece of progress and the next: each poll costs those who compute. */
static void work(struct comm_engine *e, struct comm_pause *pause, long *nap_ns)
{
    if (comm_engine_progress(e)) { /* also where nothing is: the job may have to end */
        *pause = (struct comm_pause){0};
        if (*nap_ns > NAP_LEAST_NS) *nap_ns /= 2;
    } else if (e->first == NULL) {
        return;
    } else if (e->waiting != 0) {
        comm_pause(pause);
    } else {
        nap(e, *nap_ns);
        if (*nap_ns < NAP_MOST_NS) *nap_ns *= 2;
    }
}

static void *run_thread(void *arg)
{
    struct comm_engine *e = arg;
    struct comm_pause pause = {0};
    long nap_ns = NAP_LEAST_NS;

    prctl(PR_SET_NAME, "recua-comm"); /* in top -H and profiles */
    rt_parallel_alone();
    const rt_status st = comm_engine_start_mpi(e);
    pthread_mutex_lock(&e->mutex);
    e->started = st;
    e->call_done = 1;
    pthread_cond_signal(&e->ready);
    pthread_mutex_unlock(&e->mutex);
    if (st != RT_OK) return NULL;
    for (;;) {
        if ((e->news || e->first == NULL) && !take_news(e)) break;
        work(e, &pause, &nap_ns);
    }
    MPI_Finalize();
    return NULL;
}

void comm_engine_ring(struct comm_engine *e)
{
    e->news = 1;
    if (e->asleep || e->napping) pthread_cond_signal(&e->wake);
}

void comm_engine_waits(struct comm_engine *e, bool on)
{
    if (!e->options.thread || !on) {
        e->waiting = on;
        return;
    }
    pthread_mutex_lock(&e->mutex);
    e->waiting = 1;
    if (e->napping) pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->mutex);
}

void comm_engine_await(struct comm_engine *e, const _Atomic int *flag, int value)
{
    if (atomic_load_explicit(flag, memory_order_acquire) == value) return;
    comm_engine_waits(e, true);
    for (int i = 0; i < WAIT_SPINS; i++) {
        if (atomic_load_explicit(flag, memory_order_acquire) == value) break;
        comm_relax();
    }
    if (atomic_load_explicit(flag, memory_order_acquire) != value) {
        pthread_mutex_lock(&e->mutex);
        e->sleeper = true;
        while (*flag != value) pthread_cond_wait(&e->ready, &e->mutex);
        e->sleeper = false;
        pthread_mutex_unlock(&e->mutex);
    }
    e->waiting = 0;
}

rt_status comm_engine_start_thread(struct comm_engine *e)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int code = pthread_create(&e->thread, NULL, run_thread, e);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0)
        return RT_FAIL(RT_ENOMEM, "no communication thread: %s; set RECUA_COMM=poll",
                       strerror(code));
    comm_engine_await(e, &e->call_done, 1);
    if (e->started != RT_OK) pthread_join(e->thread, NULL);
    return e->started;
}
