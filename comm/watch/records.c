/* comm/watch/records.c - the newest operations of this rank
 *
 * A writer takes the number away, writes the fields with release stores, and puts the number back.
 * A reader that saw a new field therefore sees the missing (or another) number when it looks again:
 * a sequence lock without fences, which the thread sanitizer understands.
 */
#include "comm/watch/records.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { DUMP_BYTES = 4096 }; /* PIPE_BUF: a pipe keeps such a write in one piece */

struct slot {
    _Atomic uint64_t seq; /* 0: none, or being written */
    _Atomic(const char *) op;
    _Atomic int unit, round, rounds;
    _Atomic uint64_t step, bytes;
    _Atomic uint64_t entered_ns, left_ns; /* 0: not left */
};

struct comm_records {
    _Atomic uint64_t newest, progress, step, longest_ns;
    _Atomic uint64_t waits; /* 0: computes; else the number waited for, plus 1 */
    struct slot ring[COMM_RECORDS];
};

static uint64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void set(_Atomic uint64_t *field, uint64_t value)
{
    atomic_store_explicit(field, value, memory_order_release);
}

static uint64_t get(const _Atomic uint64_t *field)
{
    return atomic_load_explicit(field, memory_order_acquire);
}

static void moved(struct comm_records *r)
{
    (void)atomic_fetch_add_explicit(&r->progress, 1, memory_order_relaxed);
}

static struct slot *slot_of(struct comm_records *r, uint64_t seq)
{
    return &r->ring[seq % COMM_RECORDS];
}

rt_status comm_records_create(struct comm_records **out)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL) return RT_FAIL(RT_ENOMEM, "the records of %d operations", COMM_RECORDS);
    return RT_OK;
}

void comm_records_destroy(struct comm_records **r)
{
    free(*r);
    *r = NULL;
}

uint64_t comm_records_enter(struct comm_records *r, const struct comm_what *what)
{
    if (r == NULL) return 0;
    const uint64_t seq = atomic_fetch_add_explicit(&r->newest, 1, memory_order_relaxed) + 1;
    struct slot *s = slot_of(r, seq);

    set(&s->seq, 0);
    atomic_store_explicit(&s->op, what->op, memory_order_release);
    atomic_store_explicit(&s->unit, what->unit, memory_order_release);
    atomic_store_explicit(&s->round, 0, memory_order_release);
    atomic_store_explicit(&s->rounds, 0, memory_order_release);
    set(&s->step, what->step);
    set(&s->bytes, what->bytes);
    set(&s->entered_ns, now_ns());
    set(&s->left_ns, 0);
    set(&s->seq, seq);
    moved(r);
    return seq;
}

void comm_records_round(struct comm_records *r, uint64_t seq, int round, int rounds)
{
    if (r == NULL) return;
    struct slot *s = slot_of(r, seq);

    if (get(&s->seq) != seq) return; /* older than the ring */
    atomic_store_explicit(&s->round, round, memory_order_release);
    atomic_store_explicit(&s->rounds, rounds, memory_order_release);
    moved(r);
}

static void keep_longest(struct comm_records *r, uint64_t took)
{
    uint64_t longest = atomic_load_explicit(&r->longest_ns, memory_order_relaxed);

    while (took > longest &&
           !atomic_compare_exchange_weak_explicit(&r->longest_ns, &longest, took,
                                                  memory_order_relaxed, memory_order_relaxed))
        continue;
}

void comm_records_leave(struct comm_records *r, uint64_t seq)
{
    if (r == NULL) return;
    struct slot *s = slot_of(r, seq);
    const uint64_t now = now_ns();

    moved(r);
    if (get(&s->seq) != seq) return;
    keep_longest(r, now - get(&s->entered_ns));
    set(&s->left_ns, now);
}

void comm_records_wait(struct comm_records *r, uint64_t seq, bool on)
{
    if (r == NULL) return;
    set(&r->waits, on ? seq + 1 : 0);
    moved(r);
}

void comm_records_step(struct comm_records *r, uint64_t step)
{
    if (r == NULL) return;
    set(&r->step, step);
    moved(r);
}

bool comm_records_find(const struct comm_records *r, uint64_t seq, struct comm_record *out)
{
    if (r == NULL || seq == 0) return false;
    const struct slot *s = &r->ring[seq % COMM_RECORDS];

    if (get(&s->seq) != seq) return false;
    const uint64_t entered = get(&s->entered_ns), left = get(&s->left_ns), now = now_ns();
    *out = (struct comm_record){
        .seq = seq,
        .what = {.op = atomic_load_explicit(&s->op, memory_order_acquire),
                 .unit = atomic_load_explicit(&s->unit, memory_order_acquire),
                 .step = get(&s->step),
                 .bytes = get(&s->bytes)},
        .round = atomic_load_explicit(&s->round, memory_order_acquire),
        .rounds = atomic_load_explicit(&s->rounds, memory_order_acquire),
        .left = left != 0,
        .age_s = now > entered ? 1e-9 * (double)(now - entered) : 0,
        .took_s = left > entered ? 1e-9 * (double)(left - entered) : 0,
    };
    return get(&s->seq) == seq;
}

/* The oldest number of the ring that is entered and not left, less one. */
static uint64_t done_of(const struct comm_records *r, uint64_t newest)
{
    uint64_t first = newest > COMM_RECORDS ? newest - COMM_RECORDS + 1 : 1;

    for (uint64_t seq = first; seq <= newest; seq++) {
        const struct slot *s = &r->ring[seq % COMM_RECORDS];
        if (get(&s->seq) == seq && get(&s->left_ns) == 0) return seq - 1;
    }
    return newest;
}

void comm_records_standing(const struct comm_records *r, struct comm_standing *out)
{
    struct comm_record record;

    *out = (struct comm_standing){.what = {.unit = -1}};
    if (r == NULL) return;
    const uint64_t waits = get(&r->waits);
    out->entered = get(&r->newest);
    out->done = done_of(r, out->entered);
    out->waiting = waits != 0;
    out->waited = waits == 0 ? 0 : waits - 1;
    out->progress = get(&r->progress);
    out->step = get(&r->step);
    out->longest_s = 1e-9 * (double)get(&r->longest_ns);
    if (comm_records_find(r, out->waited != 0 ? out->waited : out->entered, &record))
        out->what = record.what;
}

static int state_of(const struct comm_record *d, char *text, size_t bytes)
{
    if (d->left) return snprintf(text, bytes, "done, took %.0f ms", 1e3 * d->took_s);
    if (d->rounds > 0)
        return snprintf(text, bytes, "round %d/%d, for %.0f ms", d->round, d->rounds,
                        1e3 * d->age_s);
    return snprintf(text, bytes, "entered, for %.0f ms", 1e3 * d->age_s);
}

static size_t line_of(const struct comm_record *d, const char *prefix, char *text, size_t bytes)
{
    char unit[24] = "-", step[24] = "-", state[64];

    if (d->what.unit >= 0) (void)snprintf(unit, sizeof unit, "%d", d->what.unit);
    if (d->what.step > 0) (void)snprintf(step, sizeof step, "%" PRIu64, d->what.step);
    (void)state_of(d, state, sizeof state);
    int n = snprintf(
        text, bytes, "%.64s%8" PRIu64 " %-12s unit %-4s step %-8s %12" PRIu64 " bytes  %s\n",
        prefix, d->seq, d->what.op != NULL ? d->what.op : "-", unit, step, d->what.bytes, state);
    return n < 0 ? 0 : (size_t)n < bytes ? (size_t)n : bytes - 1;
}

static void flush(int fd, const char *text, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t one = write(fd, text + done, n - done);
        if (one <= 0) return; /* nowhere left to say it */
        done += (size_t)one;
    }
}

void comm_records_dump(const struct comm_records *r, int fd, const char *prefix, int most)
{
    char text[DUMP_BYTES], line[256];
    struct comm_record record;
    size_t used = 0;

    if (r == NULL || most < 1) return;
    const uint64_t newest = get(&r->newest);
    const uint64_t count = most < COMM_RECORDS ? (uint64_t)most : COMM_RECORDS;
    for (uint64_t seq = newest > count ? newest - count + 1 : 1; seq <= newest; seq++) {
        if (!comm_records_find(r, seq, &record)) continue;
        size_t n = line_of(&record, prefix, line, sizeof line);
        if (used + n > sizeof text) {
            flush(fd, text, used);
            used = 0;
        }
        for (size_t i = 0; i < n; i++) text[used + i] = line[i];
        used += n;
    }
    flush(fd, text, used);
}
