/* comm/watch/traffic.c - the watchdog's datagrams, sent and received */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "comm/watch/watch_impl.h"

static const double leave_s = 1.0;

void comm_watch_send(struct comm_watch *w, int to, struct comm_beat *beat)
{
    struct sockaddr_storage at;
    socklen_t bytes = 0;

    if (to == w->job.rank || !comm_beat_sockaddr(&w->addresses[to], &at, &bytes)) return;
    beat->job = w->id;
    beat->rank = w->job.rank;
    beat->count = ++w->count;
    const size_t n = comm_beat_encode(beat, w->bytes);
    while (sendto(w->fd, w->bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&at, bytes) <
               0 &&
           errno == EINTR)
        continue;
}

static struct comm_beat standing(const struct comm_watch *w)
{
    struct comm_beat beat = {.kind = COMM_BEAT_ALIVE};
    struct comm_standing s;

    comm_records_standing(w->job.records, &s);
    beat.waiting = s.waiting;
    beat.in_phase = (atomic_load_explicit(&w->phase, memory_order_acquire) & 1) != 0;
    beat.entered = s.entered;
    beat.done = s.done;
    beat.waited = s.waited;
    beat.progress = s.progress;
    beat.longest_ms = (uint32_t)fmin(1e3 * s.longest_s, 4e9);
    beat.unit = s.what.unit;
    beat.step = s.what.op != NULL && s.what.step > 0 ? s.what.step : s.step;
    if (s.what.op != NULL) (void)snprintf(beat.op, sizeof beat.op, "%s", s.what.op);
    return beat;
}

/* A monitor tells all, so that they know whether they are cut off; the others tell the monitors. */
static int listeners(const struct comm_watch *w)
{
    return w->job.rank < COMM_WATCH_MONITORS ? w->job.size : COMM_WATCH_MONITORS;
}

void comm_watch_beat(struct comm_watch *w)
{
    struct comm_beat beat = standing(w);

    for (int r = 0; r < listeners(w); r++)
        if (!comm_judge_left(w->judge, r)) comm_watch_send(w, r, &beat);
    beat.rank = w->job.rank;
    beat.count = ++w->count;
    comm_judge_hear(w->judge, &beat, w->awake);
}

static void take(struct comm_watch *w, const struct comm_beat *beat)
{
    char text[COMM_BEAT_TEXT + 1];

    if (beat->rank == w->job.rank) return;
    if (beat->kind == COMM_BEAT_VERDICT) {
        memcpy(text, beat->text, beat->text_bytes);
        text[beat->text_bytes] = '\0';
        comm_watch_end(w, text, false);
    }
    if (beat->kind == COMM_BEAT_SEEN) w->acked[beat->rank] = true;
    if (beat->kind == COMM_BEAT_ALIVE || beat->kind == COMM_BEAT_LEAVING)
        comm_judge_hear(w->judge, beat, w->awake);
    if (beat->kind == COMM_BEAT_LEAVING) {
        struct comm_beat seen = {.kind = COMM_BEAT_SEEN, .unit = -1};
        comm_watch_send(w, beat->rank, &seen);
    }
}

void comm_watch_receive(struct comm_watch *w)
{
    /* One more than the largest, so that a longer one shows. */
    unsigned char bytes[COMM_BEAT_BYTES + 1];
    struct comm_beat beat;

    /* A turn has an end, whatever floods the socket. */
    for (int i = 0; i < 8 * w->job.size + 64; i++) {
        ssize_t n = recv(w->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (n < 0) continue; /* an answer of a port that is closed by now */
        if (comm_beat_decode(bytes, (size_t)n, w->id, w->job.size, &beat)) take(w, &beat);
    }
}

/* Those that hear this rank and have neither left nor answered. */
static int tell_leaving(struct comm_watch *w)
{
    struct comm_beat leaving = standing(w);
    int open = 0;

    leaving.kind = COMM_BEAT_LEAVING;
    for (int r = 0; r < listeners(w); r++) {
        if (r == w->job.rank || w->acked[r] || comm_judge_left(w->judge, r)) continue;
        comm_watch_send(w, r, &leaving);
        open += comm_judge_heard(w->judge, r); /* whom nothing reaches is not waited for */
    }
    return open;
}

void comm_watch_leave(struct comm_watch *w)
{
    const double end = comm_watch_now() + leave_s;
    struct pollfd socket = {.fd = w->fd, .events = POLLIN};

    for (int pause_ms = 5; tell_leaving(w) > 0 && comm_watch_now() < end;) {
        (void)poll(&socket, 1, pause_ms);
        comm_watch_receive(w);
        if (pause_ms < 80) pause_ms *= 2;
    }
}
