/* jobs/train/metrics.c - see metrics.h
 *
 * A line is made whole in memory and goes out with one write at the end of the last good line. What
 * a failed write leaves there is cut off, or at the latest before the next line.
 */
#include "jobs/train/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jobs/format.h"

/* The keys are some 350 bytes and no value is longer than 32. */
enum { LINE_BYTES = 2048 };

struct metrics {
    int fd;
    off_t end;   /* of the last whole line */
    bool ragged; /* there may be more behind it */
    bool said;   /* a failure was reported */
    char path[4096], line[LINE_BYTES];
    size_t used; /* of line */
};

/* Behind the last line feed; -1: cannot be read. */
static off_t end_of_lines(int fd)
{
    char block[4096];
    off_t end = lseek(fd, 0, SEEK_END);

    while (end > 0) {
        const size_t n = end < (off_t)sizeof block ? (size_t)end : sizeof block;
        if (pread(fd, block, n, end - (off_t)n) != (ssize_t)n) return -1;
        const char *last = memrchr(block, '\n', n);
        if (last != NULL) return end - (off_t)n + (last - block) + 1;
        end -= (off_t)n;
    }
    return end;
}

rt_status metrics_open(const char *run, struct metrics **out)
{
    struct metrics *m = calloc(1, sizeof *m);
    rt_status st = RT_OK;

    *out = NULL;
    if (m == NULL) return RT_FAIL(RT_ENOMEM, "metrics");
    snprintf(m->path, sizeof m->path, "%s/metrics.jsonl", run);
    m->fd = open(m->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (m->fd < 0)
        RT_TRY_OUT(RT_FAIL(RT_EIO, "%s: cannot be written: %s", m->path, strerror(errno)));
    m->end = end_of_lines(m->fd);
    if (m->end < 0) RT_TRY_OUT(RT_FAIL(RT_EIO, "%s: cannot be read", m->path));
    if (ftruncate(m->fd, m->end) != 0)
        RT_TRY_OUT(RT_FAIL(RT_EIO, "%s: cannot be written: %s", m->path, strerror(errno)));
    *out = m;
    m = NULL;
out:
    metrics_close(&m);
    return st;
}

void metrics_close(struct metrics **m)
{
    if (*m == NULL) return;
    if ((*m)->fd >= 0) (void)close((*m)->fd);
    free(*m);
    *m = NULL;
}

__attribute__((format(printf, 2, 3))) static void put(struct metrics *m, const char *fmt, ...)
{
    va_list list;

    va_start(list, fmt);
    const int n = vsnprintf(m->line + m->used, sizeof m->line - m->used, fmt, list);
    va_end(list);
    if (n > 0) m->used += (size_t)n;
    if (m->used >= sizeof m->line) m->used = sizeof m->line - 1;
}

/* 17 digits: a reader gets the same bits back. */
static void put_real(struct metrics *m, const char *key, double v)
{
    if (isfinite(v))
        put(m, ", \"%s\": %.17g", key, v);
    else
        put(m, ", \"%s\": null", key);
}

static void put_whole(struct metrics *m, const char *key, uint64_t v)
{
    if (v > 0)
        put(m, ", \"%s\": %llu", key, (unsigned long long)v);
    else
        put(m, ", \"%s\": null", key);
}

static void put_line(struct metrics *m, const struct metrics_line *l)
{
    char utc[32];

    m->used = 0;
    put(m, "{\"step\": %llu, \"tokens_total\": %llu", (unsigned long long)l->step,
        (unsigned long long)l->tokens_total);
    put_real(m, "loss", l->loss);
    put_real(m, "val_loss", l->val_loss);
    put_real(m, "grad_norm", l->grad_norm);
    put_real(m, "lr", l->lr);
    put_real(m, "step_s", l->step_s);
    put_real(m, "tokens_per_s", l->tokens_per_s);
    put_real(m, "tokens_per_s_per_rank", l->tokens_per_s / l->ranks);
    put_real(m, "model_flops_per_s", l->model_flops_per_s);
    put_real(m, "mfu", l->mfu);
    put_real(m, "peak_flops_per_s", l->peak_flops_per_s);
    put(m, ", \"peak_source\": %s", isfinite(l->peak_flops_per_s) ? "\"measured\"" : "null");
    put_real(m, "gather_s", l->gather_s);
    put_real(m, "reduce_s", l->reduce_s);
    put_real(m, "comm_exposed_s", l->comm_exposed_s);
    put_real(m, "gather_gbyte_per_s", l->gather_gbyte_per_s);
    put_whole(m, "peak_memory_bytes", l->peak_memory_bytes);
    put_real(m, "gpu_energy_step_j", (double)NAN);
    put_real(m, "host_energy_step_j", (double)NAN);
    put(m, ", \"ranks\": %d, \"attempt\": %d, \"time_utc\": \"%s\"}\n", l->ranks, l->attempt,
        format_utc(utc, sizeof utc));
}

/* 0, or why the line is not in the file. */
static int write_line(struct metrics *m)
{
    size_t done = 0;

    if (m->ragged && ftruncate(m->fd, m->end) != 0) return errno;
    m->ragged = true;
    while (done < m->used) { /* a second round only behind a short write: it tells why */
        const ssize_t n = pwrite(m->fd, m->line + done, m->used - done, m->end + (off_t)done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            const int cause = n < 0 ? errno : EIO;
            m->ragged = ftruncate(m->fd, m->end) != 0;
            return cause;
        }
        done += (size_t)n;
    }
    m->ragged = false;
    m->end += (off_t)m->used;
    return 0;
}

rt_status metrics_write(struct metrics *m, const struct metrics_line *l)
{
    put_line(m, l);
    const int cause = write_line(m);
    if (cause == 0) return RT_OK;
    if (m->said) return RT_EIO;
    m->said = true;
    return RT_FAIL(RT_EIO, "%s: cannot be written: %s; training goes on without these lines",
                   m->path, strerror(cause));
}
