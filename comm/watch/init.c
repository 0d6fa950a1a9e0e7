/* comm/watch/init.c - MPI_Init within its limit
 *
 * Ranks that never meet wait for ever in MPI_Init, where no watchdog has peers yet: each process
 * counts for itself the time in which it was awake.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "comm/watch/watch_impl.h"

static const double slice_s = 0.2, longest_gap_s = 1.0;

struct comm_watch_init {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ended;
    double limit_s;
};

static void too_late(double limit_s) __attribute__((noreturn));

static void too_late(double limit_s)
{
    char host[COMM_BEAT_HOST] = "?", line[512];

    (void)gethostname(host, sizeof host - 1);
    int n =
        snprintf(line, sizeof line,
                 "recua: error: MPI_Init has not returned within %g s (RECUA_INIT_LIMIT) on %s: "
                 "a rank did not start, or the ranks cannot reach each other over the "
                 "interfaces that MPI chose; `recua fabric` shows them; this process ends with "
                 "%d\n",
                 limit_s, host, COMM_WATCH_EXIT);
    if (n > 0) {
        ssize_t done =
            write(STDERR_FILENO, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
        (void)done; /* nowhere else to say it */
    }
    _exit(COMM_WATCH_EXIT);
}

static struct timespec at(double seconds)
{
    const double whole = floor(seconds);

    return (struct timespec){(time_t)whole, (long)(1e9 * (seconds - whole))};
}

static void *limit(void *context)
{
    struct comm_watch_init *init = context;
    double awake = 0;

    (void)pthread_mutex_lock(&init->lock);
    for (double last = comm_watch_now(); !init->ended;) {
        const struct timespec until = at(last + slice_s);
        (void)pthread_cond_timedwait(&init->changed, &init->lock, &until);
        const double now = comm_watch_now();
        if (now - last <= longest_gap_s) awake += now - last;
        last = now;
        if (!init->ended && awake > init->limit_s) too_late(init->limit_s);
    }
    (void)pthread_mutex_unlock(&init->lock);
    return NULL;
}

rt_status comm_watch_init_begin(const struct comm_watch_settings *settings,
                                struct comm_watch_init **out)
{
    struct comm_watch_init *init;
    pthread_condattr_t monotonic;

    *out = NULL;
    if (!settings->on) return RT_OK;
    init = calloc(1, sizeof *init);
    if (init == NULL) return RT_FAIL(RT_ENOMEM, "the limit of MPI_Init");
    init->limit_s = settings->init_s;
    (void)pthread_mutex_init(&init->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&init->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    if (!comm_watch_thread(&init->thread, limit, init)) {
        rt_log(RT_LOG_WARN, "no thread to limit MPI_Init: it may take for ever");
        free(init);
        return RT_OK;
    }
    *out = init;
    return RT_OK;
}

void comm_watch_init_end(struct comm_watch_init **init)
{
    struct comm_watch_init *i = *init;

    if (i == NULL) return;
    (void)pthread_mutex_lock(&i->lock);
    i->ended = true;
    (void)pthread_cond_signal(&i->changed);
    (void)pthread_mutex_unlock(&i->lock);
    (void)pthread_join(i->thread, NULL);
    (void)pthread_cond_destroy(&i->changed);
    (void)pthread_mutex_destroy(&i->lock);
    free(i);
    *init = NULL;
}
