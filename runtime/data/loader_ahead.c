/* runtime/data/loader_ahead.c - see loader_ahead.h */
#include "runtime/data/loader_ahead.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* An announcement. The reader owns samples [ready, count), the consumer [0, ready). */
struct slot {
    uint64_t *index;  /* (capacity) */
    int32_t *samples; /* (capacity, 2, context) inputs, targets */
    size_t count, ready, taken;
    rt_status failed; /* of sample `ready`, if not RT_OK */
};

struct ahead {
    const struct loader *loader;
    size_t capacity, context;
    struct slot slots[2];
    size_t reading, taking; /* which slot */
    pthread_mutex_t mutex;  /* guards all but the samples themselves */
    pthread_cond_t changed;
    pthread_t thread;
    bool running, stop;
};

size_t loader_ahead_bytes(int context, size_t capacity)
{
    const size_t sample = 2 * (size_t)context * sizeof(int32_t) + sizeof(uint64_t);
    return 2 * capacity * sample;
}

static int32_t *sample_of(const struct ahead *a, const struct slot *s, size_t k)
{
    return s->samples + k * 2 * a->context;
}

/* Wait until there is a sample to read; false: stop. The mutex is held. */
static bool await_work(struct ahead *a)
{
    for (;;) {
        struct slot *s = &a->slots[a->reading];
        if (a->stop) return false;
        if (s->ready < s->count && s->failed == RT_OK) return true;
        pthread_cond_wait(&a->changed, &a->mutex);
    }
}

static void *read_all(void *ctx)
{
    struct ahead *a = ctx;

    pthread_mutex_lock(&a->mutex);
    while (await_work(a)) {
        struct slot *s = &a->slots[a->reading];
        int32_t *to = sample_of(a, s, s->ready);
        const uint64_t i = s->index[s->ready];
        pthread_mutex_unlock(&a->mutex);
        rt_status st = loader_read(a->loader, i, to, to + a->context);
        pthread_mutex_lock(&a->mutex);
        s->failed = st;
        if (st == RT_OK) s->ready++;
        if (s->ready == s->count) a->reading = 1 - a->reading;
        pthread_cond_broadcast(&a->changed);
    }
    pthread_mutex_unlock(&a->mutex);
    return NULL;
}

/* Signals are the main thread's business. */
static rt_status start(struct ahead *a)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&a->thread, NULL, read_all, a);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0) return RT_FAIL(RT_ENOMEM, "the reading thread: %s", strerror(code));
    a->running = true;
    return RT_OK;
}

static rt_status make_slots(struct ahead *a)
{
    const size_t bytes = 2 * a->context * sizeof(int32_t);

    for (int k = 0; k < 2; k++) {
        struct slot *s = &a->slots[k];
        s->index = malloc(a->capacity * sizeof *s->index);
        s->samples = malloc(a->capacity * bytes);
        if (s->index == NULL || s->samples == NULL)
            return RT_FAIL(RT_ENOMEM, "%zu samples of %zu tokens to read ahead", a->capacity,
                           a->context);
        /* touched at once, so that running out shows here */
        memset(s->index, 0xFF, a->capacity * sizeof *s->index);
        memset(s->samples, 0xFF, a->capacity * bytes);
    }
    return RT_OK;
}

rt_status ahead_create(const struct loader *l, int context, size_t capacity, struct ahead **out)
{
    struct ahead *a = NULL;
    rt_status st;

    *out = NULL;
    if (capacity < 1) return RT_FAIL(RT_EINVAL, "room for 0 samples to read ahead");
    a = calloc(1, sizeof *a);
    if (a == NULL) return RT_FAIL(RT_ENOMEM, "a reading thread");
    a->loader = l;
    a->capacity = capacity;
    a->context = (size_t)context;
    pthread_mutex_init(&a->mutex, NULL);
    pthread_cond_init(&a->changed, NULL);
    RT_TRY_OUT(make_slots(a));
    RT_TRY_OUT(start(a));
    *out = a;
    a = NULL;
out:
    ahead_destroy(&a);
    return st;
}

void ahead_destroy(struct ahead **out)
{
    struct ahead *a = *out;

    if (a == NULL) return;
    if (a->running) {
        pthread_mutex_lock(&a->mutex);
        a->stop = true;
        pthread_cond_broadcast(&a->changed);
        pthread_mutex_unlock(&a->mutex);
        pthread_join(a->thread, NULL);
    }
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->mutex);
    for (int k = 0; k < 2; k++) {
        free(a->slots[k].index);
        free(a->slots[k].samples);
    }
    free(a);
    *out = NULL;
}

rt_status ahead_announce(struct ahead *a, const uint64_t *i, size_t count)
{
    rt_status st = RT_OK;

    if (count > a->capacity)
        return RT_FAIL(RT_EINVAL, "%zu samples announced, there is room for %zu", count,
                       a->capacity);
    if (count == 0) return RT_OK;
    pthread_mutex_lock(&a->mutex);
    /* the slot being consumed if it is used up, else the one behind it */
    struct slot *s = &a->slots[a->taking];
    if (s->taken < s->count) s = &a->slots[1 - a->taking];
    if (s->taken < s->count) {
        st = RT_FAIL(RT_EINVAL, "two announcements are outstanding already");
    } else {
        memcpy(s->index, i, count * sizeof *i);
        s->count = count;
        s->ready = s->taken = 0;
        s->failed = RT_OK;
        pthread_cond_broadcast(&a->changed);
    }
    pthread_mutex_unlock(&a->mutex);
    return st;
}

rt_status ahead_next(struct ahead *a, int32_t *inputs, int32_t *targets)
{
    const size_t bytes = a->context * sizeof(int32_t);
    rt_status st = RT_OK;

    pthread_mutex_lock(&a->mutex);
    struct slot *s = &a->slots[a->taking];
    while (s->taken == s->ready && s->ready < s->count && s->failed == RT_OK)
        pthread_cond_wait(&a->changed, &a->mutex);
    if (s->taken == s->count)
        st = RT_FAIL(RT_EINVAL, "no sample is announced");
    else if (s->taken == s->ready)
        st = s->failed; /* the reader has said why */
    if (st == RT_OK) {
        const int32_t *from = sample_of(a, s, s->taken);
        memcpy(inputs, from, bytes);
        memcpy(targets, from + a->context, bytes);
        s->taken++;
        if (s->taken == s->count) a->taking = 1 - a->taking;
    }
    pthread_mutex_unlock(&a->mutex);
    return st;
}
