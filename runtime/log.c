/* runtime/log.c - lines for people, on stderr
 *
 * A line is formatted into one buffer and written by one call, so lines of several ranks on one
 * terminal do not mix. Longer lines are cut and end in "...".
 */
#include "runtime/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/status.h"

enum { LINE_BYTES = 2048 }; /* below PIPE_BUF: a pipe keeps such a write in one piece */

/* The level, this process's place in the job: the only process-wide state of the libraries. */
static struct {
    rt_log_level level;
    int rank, size;
    bool common;
} self = {RT_LOG_INFO, 0, 1, false};

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void rt_log_init(int rank, int size)
{
    const char *wanted = getenv("RECUA_LOG");

    self.rank = rank;
    self.size = size;
    if (wanted == NULL || wanted[0] == '\0') return;
    for (int i = RT_LOG_ERROR; i <= RT_LOG_DEBUG; i++) {
        if (strcmp(wanted, level_names[i]) == 0) {
            self.level = (rt_log_level)i;
            return;
        }
    }
    rt_log_once(RT_LOG_WARN, "RECUA_LOG is '%s', must be error, warn, info or debug: ignored",
                wanted);
}

void rt_log_set_level(rt_log_level level) { self.level = level; }

rt_log_level rt_log_get_level(void) { return self.level; }

void rt_log_common(bool on) { self.common = on; }

/* A line under construction: what does not fit is dropped, finish() marks the cut. */
struct line {
    char text[LINE_BYTES];
    size_t used; /* may pass LINE_BYTES: what would have been used */
};

static void __attribute__((format(printf, 2, 0)))
append_v(struct line *l, const char *fmt, va_list ap)
{
    size_t room = l->used < LINE_BYTES ? LINE_BYTES - l->used : 0;
    int n = vsnprintf(room > 0 ? l->text + l->used : NULL, room, fmt, ap);
    if (n > 0) l->used += (size_t)n;
}

static void __attribute__((format(printf, 2, 3))) append(struct line *l, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    append_v(l, fmt, ap);
    va_end(ap);
}

static void finish(struct line *l)
{
    size_t done = 0;

    if (l->used > LINE_BYTES - 1) {
        l->used = LINE_BYTES - 1;
        memcpy(l->text + l->used - 3, "...", 3);
    }
    l->text[l->used++] = '\n';
    fflush(stderr);
    while (done < l->used) {
        ssize_t n = write(STDERR_FILENO, l->text + done, l->used - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return; /* nowhere left to say it */
        done += (size_t)n;
    }
}

static void begin(struct line *l, rt_log_level level, bool with_rank)
{
    static const char *const words[] = {"error: ", "warning: ", "", "debug: "};

    l->used = 0;
    if (with_rank) append(l, "[rank %d/%d] ", self.rank, self.size);
    append(l, "recua: %s", words[level]);
}

void rt_log_error(rt_status code, const char *file, int line, const char *fmt, ...)
{
    int kept = errno; /* callers may still look at it */
    struct line l;
    va_list ap;

    if (self.common && self.rank != 0) return;
    begin(&l, RT_LOG_ERROR, self.size > 1 && !self.common);
    va_start(ap, fmt);
    append_v(&l, fmt, ap);
    va_end(ap);
    if (self.level >= RT_LOG_DEBUG) append(&l, " (%s, %s:%d)", rt_status_str(code), file, line);
    finish(&l);
    errno = kept;
}

void rt_log(rt_log_level level, const char *fmt, ...)
{
    int kept = errno;
    struct line l;
    va_list ap;

    if (level > self.level || (self.common && self.rank != 0)) return;
    begin(&l, level, self.size > 1 && !self.common);
    va_start(ap, fmt);
    append_v(&l, fmt, ap);
    va_end(ap);
    finish(&l);
    errno = kept;
}

void rt_log_once(rt_log_level level, const char *fmt, ...)
{
    int kept = errno;
    struct line l;
    va_list ap;

    if (level > self.level || self.rank != 0) return;
    begin(&l, level, false);
    va_start(ap, fmt);
    append_v(&l, fmt, ap);
    va_end(ap);
    finish(&l);
    errno = kept;
}
