/* comm/watch/end.c - a job that is lost is ended: said once a rank, then 72
 *
 * The last resort is started first: whatever hangs afterwards (a full pipe behind stderr, MPI_Abort
 * on a broken network) does not keep the process. Ranks linger before they abort, so that the
 * launcher does not kill those that have not spoken yet.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "comm/watch/watch_impl.h"

enum { LINE_BYTES = 2048, NEWEST = 16, MOST_DUMPING = 32, LINGER_MS = 1000, REPEAT_MS = 100 };

static void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    while (nanosleep(&t, &t) != 0 && errno == EINTR) continue;
}

/* What rt_log does; but rt_log_common may be on in the main thread just now, and is its own. */
void comm_watch_say(const struct comm_watch *w, rt_log_level level, const char *text)
{
    static const char *const words[] = {"error: ", "warning: ", "", "debug: "};
    char line[LINE_BYTES], who[32] = "";
    size_t done = 0;

    if (level > w->level) return;
    if (w->job.size > 1) (void)snprintf(who, sizeof who, "[rank %d/%d] ", w->job.rank, w->job.size);
    int n = snprintf(line, sizeof line, "%srecua: %s%.1900s\n", who, words[level], text);
    while (n > 0 && done < (size_t)n) {
        ssize_t one = write(STDERR_FILENO, line + done, (size_t)n - done);
        if (one < 0 && errno == EINTR) continue;
        if (one <= 0) return;
        done += (size_t)one;
    }
}

static void *last_resort(void *nothing)
{
    (void)nothing;
    sleep_ms(LINGER_MS + 1000 * COMM_WATCH_GRACE_S);
    _exit(COMM_WATCH_EXIT);
}

static void dump(const struct comm_watch *w)
{
    char text[512];

    if (w->job.rank < MOST_DUMPING) {
        (void)snprintf(text, sizeof text, "[rank %d/%d] ", w->job.rank, w->job.size);
        comm_records_dump(w->job.records, STDERR_FILENO, text, NEWEST);
    }
    if (w->settings.dump_dir == NULL) return;
    int n = snprintf(text, sizeof text, "%s/records-%016llx-rank-%d.txt", w->settings.dump_dir,
                     (unsigned long long)w->id, w->job.rank);
    if (n < 0 || (size_t)n >= sizeof text) return;
    const int fd = open(text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return;
    comm_records_dump(w->job.records, fd, "", COMM_RECORDS);
    (void)close(fd);
}

static void tell_others(struct comm_watch *w, const char *text)
{
    struct comm_beat verdict = {
        .kind = COMM_BEAT_VERDICT, .unit = -1, .text = text, .text_bytes = strlen(text)};

    for (int r = 0; r < w->job.size; r++)
        if (!comm_judge_left(w->judge, r)) comm_watch_send(w, r, &verdict);
}

void comm_watch_end(struct comm_watch *w, const char *text, bool tell)
{
    pthread_t thread;
    char line[COMM_BEAT_TEXT + 64];
    const bool guarded = comm_watch_thread(&thread, last_resort, NULL);

    tell = tell && w->job.size > 1;
    if (tell) tell_others(w, text);
    (void)snprintf(line, sizeof line, "%s; the job ends with %d", text, COMM_WATCH_EXIT);
    comm_watch_say(w, RT_LOG_ERROR, line);
    dump(w);
    for (int ms = 0; ms < LINGER_MS; ms += REPEAT_MS) {
        sleep_ms(REPEAT_MS);
        if (tell) tell_others(w, text);
    }
    if (guarded && w->job.on_verdict != NULL) w->job.on_verdict(w->job.context);
    _exit(COMM_WATCH_EXIT);
}
