/* comm/watch/watchdog.c - the watchdog's thread, from open to finish */
#include "comm/watch/watchdog.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "comm/watch/watch_impl.h"

static const double longest_tick_s = 0.1, longest_gap_s = 1.0;
/* One datagram a rank and interval reaches each monitor: 0.2 s up to 400 ranks, 1 s from 2048. */
static const double shortest_interval_s = 0.2, longest_interval_s = 1.0, ranks_per_s = 2048;

double comm_watch_now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool comm_watch_thread(pthread_t *thread, void *(*run)(void *), void *context)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const int code = pthread_create(thread, NULL, run, context);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code == 0;
}

static void release(struct comm_watch **w)
{
    if (*w == NULL) return;
    if ((*w)->fd >= 0) (void)close((*w)->fd);
    if ((*w)->wake >= 0) (void)close((*w)->wake);
    comm_judge_destroy(&(*w)->judge);
    free((*w)->addresses);
    free((*w)->ranks);
    free((*w)->acked);
    free(*w);
    *w = NULL;
}

rt_status comm_watch_open(const struct comm_watch_settings *settings, int size, int node, int nodes,
                          struct comm_watch **out, struct comm_beat_address *mine)
{
    struct comm_watch *w;

    *out = NULL;
    memset(mine, 0, sizeof *mine);
    comm_beat_identify(mine);
    mine->node = node;
    if (!settings->on) return RT_OK;
    w = calloc(1, sizeof *w);
    if (w == NULL) return RT_FAIL(RT_ENOMEM, "the watchdog");
    w->settings = *settings;
    w->fd = -1;
    w->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    rt_status st = w->wake < 0 ? RT_EMISSING : RT_OK;
    if (st == RT_OK && size > 1) st = comm_beat_open(nodes == 1, node, &w->fd, &w->mine);
    if (st == RT_OK) {
        if (size > 1) *mine = w->mine;
        *out = w;
        return RT_OK;
    }
    const int cause = errno;
    release(&w);
    if (st != RT_EMISSING) return st;
    rt_log(RT_LOG_WARN,
           "no socket for the watchdog's heartbeats on %s (%s): this rank is not "
           "watched; RECUA_WATCH_IF names an interface",
           mine->host, strerror(cause));
    return RT_OK;
}

/* Time in which this process was suspended, swapped out or starved does not count, and all ranks
 * are forgiven what they could not be heard saying. */
static void advance(struct comm_watch *w)
{
    const double now = comm_watch_now(), gap = now - w->clock;
    const double most = fmin(longest_gap_s, w->settings.silent_s / 3);

    w->clock = now;
    if (gap <= most) {
        w->awake += gap;
        return;
    }
    if (w->judge != NULL) comm_judge_forgive(w->judge, w->awake);
}

static void check_phase(struct comm_watch *w)
{
    char text[256];
    const uint64_t phase = atomic_load_explicit(&w->phase, memory_order_acquire);
    const char *name = atomic_load_explicit(&w->phase_name, memory_order_acquire);
    const double limit_s =
        1e-3 * (double)atomic_load_explicit(&w->phase_limit_ms, memory_order_acquire);

    if (phase != w->phase_seen) {
        w->phase_seen = phase;
        w->phase_since = w->awake;
    }
    if ((phase & 1) == 0 || w->awake - w->phase_since <= limit_s) return;
    if (atomic_load_explicit(&w->phase, memory_order_acquire) != phase) return;
    (void)snprintf(text, sizeof text, "rank %d (%s) has not ended its phase '%s' within %.1f s",
                   w->job.rank, w->mine.host, name, limit_s);
    comm_watch_end(w, text, true);
}

/* Rank 0 decides; rank 1 where rank 0 has left or is the silent one. */
static bool decides(const struct comm_watch *w)
{
    if (w->job.rank == 0) return true;
    return w->job.rank == 1 && (comm_judge_left(w->judge, 0) ||
                                comm_judge_silent(w->judge, 0, w->settings.silent_s, w->awake));
}

static void decide(struct comm_watch *w)
{
    char text[COMM_BEAT_TEXT + 1];
    comm_judgement found;

    while ((found = comm_judge_next(w->judge, w->awake, text, sizeof text)) != COMM_JUDGE_NOTHING) {
        if (found == COMM_JUDGE_VERDICT) comm_watch_end(w, text, true);
        comm_watch_say(w, RT_LOG_WARN, text);
    }
}

/* A rank that hears no monitor any more is cut off, or they are both lost. A little later than a
 * monitor would say more of it. */
static void check_monitors(struct comm_watch *w)
{
    const double limit_s = 1.25 * w->settings.silent_s;
    char text[512];
    int silent = 0, present = 0;

    for (int r = 0; r < COMM_WATCH_MONITORS; r++) {
        present += comm_judge_heard(w->judge, r) && !comm_judge_left(w->judge, r);
        silent += comm_judge_silent(w->judge, r, limit_s, w->awake);
    }
    if (present == 0 || silent < present) return;
    (void)snprintf(text, sizeof text,
                   "rank %d (%s) has not heard rank 0 (%s) nor rank 1 (%s) for %.1f s: it is cut "
                   "off from them, or they are stopped or dead",
                   w->job.rank, w->mine.host, w->addresses[0].host, w->addresses[1].host, limit_s);
    comm_watch_end(w, text, true);
}

/* Takes what arrives until the next beat or tick; true: finish wants the thread back. */
static bool pause_for(struct comm_watch *w)
{
    struct pollfd fds[] = {{.fd = w->wake, .events = POLLIN}, {.fd = w->fd, .events = POLLIN}};
    const double to_beat_s = w->judge != NULL ? w->next_beat - w->awake : w->tick_s;
    const double until = comm_watch_now() + fmin(w->tick_s, to_beat_s);

    for (double left_s; (left_s = until - comm_watch_now()) > 0;) {
        if (poll(fds, w->judge != NULL ? 2 : 1, (int)ceil(1e3 * left_s)) <= 0) continue;
        if (fds[0].revents != 0) return true;
        comm_watch_receive(w);
    }
    return false;
}

static void *watch(void *context)
{
    struct comm_watch *w = context;

    w->clock = comm_watch_now();
    /* Not all at once: a monitor's socket holds few hundred datagrams. */
    w->next_beat = w->interval_s * w->job.rank / w->job.size;
    for (bool stop = false; !stop;) {
        if (w->judge != NULL && w->awake >= w->next_beat) {
            w->next_beat = w->awake + w->interval_s;
            comm_watch_beat(w);
        }
        stop = pause_for(w);
        advance(w);
        check_phase(w);
        if (w->judge == NULL) continue;
        comm_watch_receive(w);
        if (stop) break;
        if (decides(w)) decide(w);
        if (w->job.rank >= COMM_WATCH_MONITORS) check_monitors(w);
    }
    if (w->judge != NULL) comm_watch_leave(w);
    return NULL;
}

static void process_state(void *context, int rank, char *text, size_t bytes)
{
    const struct comm_watch *w = context;

    comm_beat_process_state(&w->addresses[rank], &w->mine, text, bytes);
}

static rt_status prepare(struct comm_watch *w)
{
    const size_t size = (size_t)w->job.size;
    bool named = false;

    w->addresses = calloc(size, sizeof *w->addresses);
    w->ranks = calloc(size, sizeof *w->ranks);
    w->acked = calloc(size, sizeof *w->acked);
    if (w->addresses == NULL || w->ranks == NULL || w->acked == NULL)
        return RT_FAIL(RT_ENOMEM, "the watchdog's addresses of %zu ranks", size);
    memcpy(w->addresses, w->job.addresses, size * sizeof *w->addresses);
    for (size_t r = 0; r < size; r++) {
        struct comm_beat_address *a = &w->addresses[r];
        const bool absent = a->family == 0;
        if (a->node < 0 || a->node >= w->job.size)
            return RT_FAIL(RT_EINVAL, "rank %zu says that its node is %d, of %zu ranks", r, a->node,
                           size);
        a->host[COMM_BEAT_HOST - 1] = '\0';
        w->ranks[r] = (struct comm_judge_rank){a->host, a->node, absent};
        if (!absent && !named) w->id = a->nonce;
        named |= !absent;
    }
    const struct comm_judge_options options = {
        .rank = w->job.rank,
        .size = w->job.size,
        .silent_s = w->settings.silent_s,
        .stuck_s = w->settings.stuck_s,
        .straggler_s = w->settings.straggler_s,
        .ranks = w->ranks,
        .process_state = process_state,
        .context = w,
    };
    return comm_judge_create(&options, w->awake, &w->judge);
}

static bool run(struct comm_watch *w)
{
    w->running = comm_watch_thread(&w->thread, watch, w);
    if (!w->running)
        rt_log(RT_LOG_WARN, "no thread for the watchdog: this rank is not watched; raise the limit "
                            "of processes (ulimit -u)");
    return w->running;
}

rt_status comm_watch_start(struct comm_watch **out, const struct comm_watch_job *job)
{
    struct comm_watch *w = *out;

    if (w == NULL) return RT_OK;
    w->job = *job;
    w->level = rt_log_get_level();
    w->interval_s = fmin(fmax(shortest_interval_s, job->size / ranks_per_s), longest_interval_s);
    w->interval_s = fmin(w->interval_s, w->settings.silent_s / 5);
    w->tick_s = fmin(longest_tick_s, w->interval_s / 2);
    if (job->size == 1) {
        w->mine = job->addresses[0];
        return RT_OK; /* the thread begins with the first phase */
    }
    const rt_status st = prepare(w);
    if (st != RT_OK) {
        release(out);
        return st;
    }
    rt_log_once(RT_LOG_DEBUG,
                "watchdog: a heartbeat every %.2f s; a rank is missed after %.1f s, named as a "
                "straggler after %.1f s, called stuck after %.0f s or %d times the longest "
                "operation",
                w->interval_s, w->settings.silent_s, w->settings.straggler_s, w->settings.stuck_s,
                COMM_STUCK_TIMES);
    /* Who has started has been heard: a rank that stops at once is missed as well. */
    comm_watch_beat(w);
    if (run(w)) return RT_OK;
    comm_watch_leave(w);
    release(out);
    return RT_OK;
}

void comm_watch_phase_begin(struct comm_watch *w, const char *name, double limit_s)
{
    if (w == NULL || w->phase_depth++ > 0) return;
    atomic_store_explicit(&w->phase_name, name, memory_order_release);
    atomic_store_explicit(&w->phase_limit_ms, (uint64_t)(1e3 * fmin(limit_s, 1e9)),
                          memory_order_release);
    (void)atomic_fetch_add_explicit(&w->phase, 1, memory_order_release);
    if (!w->running && w->job.size == 1) (void)run(w);
}

void comm_watch_phase_end(struct comm_watch *w)
{
    if (w == NULL || --w->phase_depth > 0) return;
    (void)atomic_fetch_add_explicit(&w->phase, 1, memory_order_release);
}

void comm_watch_finish(struct comm_watch **w)
{
    const uint64_t one = 1;

    if (*w == NULL) return;
    if ((*w)->running) {
        ssize_t n = write((*w)->wake, &one, sizeof one);
        (void)n; /* an eventfd takes it always */
        (void)pthread_join((*w)->thread, NULL);
    }
    release(w);
}
