/* runtime/trace.c - spans: sums by phase, and events for Perfetto (Chrome's trace format)
 *
 * Time is charged when the innermost phase changes: at every begin and end the seconds since the
 * last change go to the phase that was innermost. Nothing is allocated after create.
 * Units    ts and dur of the file are microseconds of the monotonic clock
 * Source   "Trace Event Format" (Google): complete events, "ph": "X"
 */
#include "runtime/trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/log.h"

enum { DEPTH_MAX = 64, NAME_BYTES = 28 };

struct event {
    double begin_s, duration_s;
    char name[NAME_BYTES];
    int unit;
    rt_phase phase;
};

struct span {
    double begin_s;
    const char *name; /* the caller's, until the span ends */
    int unit;
    rt_phase phase;
};

struct rt_trace {
    char *path; /* NULL: only sums */
    int rank;
    struct event *events; /* (limit), NULL without a path */
    uint64_t count, limit, dropped;
    struct span stack[DEPTH_MAX];
    int depth; /* may pass DEPTH_MAX: those spans are counted, not kept */
    double changed_s;
    double seconds[RT_PHASES];
};

const char *rt_phase_name(rt_phase p)
{
    static const char *const names[RT_PHASES] = {
        "data",      "gather",     "forward",  "backward", "reduce",
        "optimizer", "checkpoint", "evaluate", "other",
    };
    return (unsigned)p < RT_PHASES ? names[p] : "unknown";
}

double rt_now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void trace_free(struct rt_trace **t)
{
    if (*t == NULL) return;
    free((*t)->path);
    free((*t)->events);
    free(*t);
    *t = NULL;
}

/* The file is made now, so that a path that cannot be written is refused before any work. */
static rt_status open_file(const char *path, FILE **out)
{
    *out = fopen(path, "we");
    if (*out == NULL)
        return RT_FAIL(RT_EIO, "trace file %s cannot be written: %s", path, strerror(errno));
    return RT_OK;
}

rt_status rt_trace_create(const char *path, int rank, uint64_t limit, struct rt_trace **out)
{
    struct rt_trace *t = calloc(1, sizeof *t);
    rt_status st = RT_OK;
    FILE *f = NULL;

    *out = NULL;
    if (t == NULL) return RT_FAIL(RT_ENOMEM, "a trace");
    t->rank = rank;
    if (path != NULL) {
        t->limit = limit;
        t->path = strdup(path);
        t->events = calloc(limit > 0 ? (size_t)limit : 1, sizeof *t->events);
        if (t->path == NULL || t->events == NULL) {
            st = RT_FAIL(RT_ENOMEM, "a trace of %llu events", (unsigned long long)limit);
            goto out;
        }
        RT_TRY_OUT(open_file(path, &f));
        fclose(f);
    }
    t->changed_s = rt_now_s();
    *out = t;
    t = NULL; /* the caller's now */
out:
    trace_free(&t);
    return st;
}

/* Time since the last change goes to the innermost phase. Outside of every span: to none. */
static double charge(struct rt_trace *t)
{
    double now = rt_now_s();
    int depth = t->depth < DEPTH_MAX ? t->depth : DEPTH_MAX;

    if (depth > 0) t->seconds[t->stack[depth - 1].phase] += now - t->changed_s;
    t->changed_s = now;
    return now;
}

void rt_trace_begin(struct rt_trace *t, rt_phase p, const char *name, int unit)
{
    if (t == NULL) return;
    double now = charge(t);
    if (t->depth < DEPTH_MAX)
        t->stack[t->depth] = (struct span){.begin_s = now, .name = name, .unit = unit, .phase = p};
    t->depth++;
}

static void keep_event(struct rt_trace *t, const struct span *s, double now)
{
    if (t->events == NULL) return;
    if (t->count == t->limit) {
        t->dropped++;
        return;
    }
    struct event *e = &t->events[t->count++];
    e->begin_s = s->begin_s;
    e->duration_s = now - s->begin_s;
    e->unit = s->unit;
    e->phase = s->phase;
    strncpy(e->name, s->name, NAME_BYTES - 1); /* the last byte is 0 already */
}

void rt_trace_end(struct rt_trace *t)
{
    if (t == NULL || t->depth == 0) return;
    double now = charge(t);
    t->depth--;
    if (t->depth < DEPTH_MAX) keep_event(t, &t->stack[t->depth], now);
}

void rt_trace_take(struct rt_trace *t, double seconds[RT_PHASES])
{
    if (t == NULL) {
        for (int p = 0; p < RT_PHASES; p++) seconds[p] = 0;
        return;
    }
    charge(t);
    memcpy(seconds, t->seconds, sizeof t->seconds);
    memset(t->seconds, 0, sizeof t->seconds);
}

/* JSON's own rules for the characters of a string; other bytes pass as they are. */
static void write_string(FILE *f, const char *s)
{
    fputc('"', f);
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\') fputc('\\', f);
        if (c < 0x20 || c >= 0x7f)
            fprintf(f, "\\u%04x", c); /* a cut name may end inside UTF-8 */
        else
            fputc(c, f);
    }
    fputc('"', f);
}

static void write_events(const struct rt_trace *t, FILE *f)
{
    fprintf(f,
            "{\"displayTimeUnit\": \"ms\", \"otherData\": {\"dropped_events\": %llu},\n"
            "\"traceEvents\": [\n"
            "{\"ph\": \"M\", \"name\": \"process_name\", \"pid\": %d, "
            "\"args\": {\"name\": \"rank %d\"}}",
            (unsigned long long)t->dropped, t->rank, t->rank);
    for (uint64_t i = 0; i < t->count; i++) {
        const struct event *e = &t->events[i];
        fprintf(f, ",\n{\"ph\": \"X\", \"name\": ");
        write_string(f, e->name);
        fprintf(f,
                ", \"cat\": \"%s\", \"pid\": %d, \"tid\": 0, \"ts\": %.3f, \"dur\": %.3f, "
                "\"args\": {\"unit\": %d}}",
                rt_phase_name(e->phase), t->rank, 1e6 * e->begin_s, 1e6 * e->duration_s, e->unit);
    }
    fprintf(f, "\n]}\n");
}

static rt_status write_file(const struct rt_trace *t)
{
    FILE *f = NULL;

    RT_TRY(open_file(t->path, &f));
    write_events(t, f);
    bool failed = ferror(f) != 0;
    failed = fclose(f) != 0 || failed;
    if (failed)
        return RT_FAIL(RT_EIO, "trace file %s is not complete: %s", t->path, strerror(errno));
    if (t->dropped > 0)
        rt_log(RT_LOG_WARN, "trace file %s: the first %llu events are kept, %llu are not", t->path,
               (unsigned long long)t->limit, (unsigned long long)t->dropped);
    return RT_OK;
}

rt_status rt_trace_destroy(struct rt_trace **t)
{
    rt_status st = RT_OK;

    if (*t != NULL && (*t)->path != NULL) st = write_file(*t);
    trace_free(t);
    return st;
}
