/* tests/jobs/test_metrics.c - metrics.jsonl holds whole lines, whatever the disk does */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "jobs/train/metrics.h"
#include "tests/check.h"

static char directory[64], path[96];

static struct metrics_line line_of(uint64_t step)
{
    return (struct metrics_line){.step = step,
                                 .loss = 1.0 / 3,
                                 .val_loss = (double)NAN,
                                 .grad_norm = -1.2345678901234567e-300,
                                 .tokens_per_s = 1e300 / 3,
                                 .ranks = 2,
                                 .attempt = 1};
}

/* The file's bytes; false unless it is `lines` whole objects, one a line. */
static bool read_lines(char *text, size_t bytes, int lines)
{
    FILE *f = fopen(path, "rb");
    int found = 0;

    if (!CHECK(f != NULL)) return false;
    text[fread(text, 1, bytes - 1, f)] = '\0';
    (void)fclose(f);
    for (const char *c = text; *c != '\0'; found++) {
        const char *end = strchr(c, '\n');
        if (end == NULL || strncmp(c, "{\"step\": ", 9) != 0 || end[-1] != '}') return false;
        if (memchr(c + 1, '{', (size_t)(end - c - 1)) != NULL) return false; /* two in one */
        c = end + 1;
    }
    return found == lines;
}

static void add_text(const char *text)
{
    FILE *f = fopen(path, "ab");

    if (!CHECK(f != NULL)) return;
    fputs(text, f);
    (void)fclose(f);
}

static void allow_bytes(rlim_t bytes)
{
    struct rlimit limit;

    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = bytes;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void a_write_that_fails_leaves_nothing(void)
{
    static char before[16384], after[16384];
    struct metrics_line line = line_of(1);
    struct metrics *m = NULL;

    if (!CHECK_OK(metrics_open(directory, &m))) return;
    CHECK_OK(metrics_write(m, &line));
    CHECK_OK(metrics_write(m, &line));
    CHECK(read_lines(before, sizeof before, 2));
    for (rlim_t more = 0; more < 200; more += 50) { /* none of a line fits, or a part */
        allow_bytes(strlen(before) + more);
        CHECK(metrics_write(m, &line) == RT_EIO);
        CHECK(read_lines(after, sizeof after, 2) && strcmp(before, after) == 0);
    }
    allow_bytes(RLIM_INFINITY);
    line = line_of(3);
    CHECK_OK(metrics_write(m, &line));
    CHECK(read_lines(after, sizeof after, 3));
    CHECK(strncmp(before, after, strlen(before)) == 0);
    CHECK(strncmp(after + strlen(before), "{\"step\": 3,", 11) == 0);
    metrics_close(&m);
}

static void half_a_line_at_the_end_is_cut_off(void)
{
    static char text[32768];
    struct metrics_line line = line_of(4);
    struct metrics *m = NULL;

    add_text("{\"step\": 4, \"tokens_to");
    CHECK(!read_lines(text, sizeof text, 3));
    if (!CHECK_OK(metrics_open(directory, &m))) return;
    CHECK(read_lines(text, sizeof text, 3));
    CHECK_OK(metrics_write(m, &line));
    metrics_close(&m);
    CHECK(read_lines(text, sizeof text, 4));
    for (int i = 0; i < 600; i++) add_text("{\"step\": 44444"); /* more than a block */
    CHECK_OK(metrics_open(directory, &m));
    metrics_close(&m);
    CHECK(read_lines(text, sizeof text, 4));
    CHECK(truncate(path, 20) == 0); /* no line at all */
    CHECK_OK(metrics_open(directory, &m));
    metrics_close(&m);
    CHECK(read_lines(text, sizeof text, 0));
}

int main(void)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(directory, sizeof directory, "%.40s/recua-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (!CHECK(mkdtemp(directory) != NULL)) return 1;
    snprintf(path, sizeof path, "%s/metrics.jsonl", directory);
    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    a_write_that_fails_leaves_nothing();
    half_a_line_at_the_end_is_cut_off();
    (void)unlink(path);
    (void)rmdir(directory);
    return check_failures > 0;
}
