/* jobs/train/progress.c - see progress.h */
#include "jobs/train/progress.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "jobs/format.h"

enum { BAR_LEAST = 6, BAR_MOST = 24, BAR_ENDS = 2, GAP = 2, COLUMNS = 80, PART_BYTES = 64 };

/* As they stand in the line. */
enum { STEP, LOSS, NORM, RATE, SPEED, MFU, LEFT, PARTS };

/* As they are dear; the bar comes before the last two. */
static const int dear[PARTS] = {STEP, LOSS, LEFT, SPEED, MFU, NORM, RATE};

/* 0: no terminal. */
static int columns_of(int fd)
{
    struct winsize size;

    if (!isatty(fd)) return 0;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : COLUMNS;
}

/* Open MPI gives each rank a terminal of its own and copies what it reads there to wherever
 * mpirun's output goes: then that is the one to ask about. */
static int terminal_columns(void)
{
    char path[64];
    int fd, columns;

    if (!isatty(STDOUT_FILENO)) return 0;
    if (getenv("OMPI_COMM_WORLD_RANK") == NULL) return columns_of(STDOUT_FILENO);
    snprintf(path, sizeof path, "/proc/%ld/fd/1", (long)getppid());
    fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) return 0;
    columns = columns_of(fd);
    (void)close(fd);
    return columns;
}

void progress_start(struct progress *p, uint64_t steps)
{
    const char *wish = getenv("RECUA_PROGRESS");

    *p = (struct progress){.steps = steps};
    p->bar = wish != NULL ? strcmp(wish, "bar") == 0 : terminal_columns() > 0;
}

static void write_parts(const struct progress *p, const struct metrics_line *l,
                        char part[PARTS][PART_BYTES])
{
    const bool small = fabs(l->loss) < 1e4;
    char text[32];

    snprintf(part[STEP], PART_BYTES, "%s%llu/%llu", p->bar ? "" : "step ",
             (unsigned long long)l->step, (unsigned long long)p->steps);
    snprintf(part[LOSS], PART_BYTES, small ? "loss %.4f" : "loss %.3g", l->loss);
    snprintf(part[NORM], PART_BYTES, fabs(l->grad_norm) < 1e4 ? "norm %.3f" : "norm %.3g",
             l->grad_norm);
    snprintf(part[RATE], PART_BYTES, "lr %.2e", l->lr);
    snprintf(part[SPEED], PART_BYTES, "%s tokens/s",
             format_count(l->tokens_per_s, text, sizeof text));
    part[MFU][0] = '\0';
    if (isfinite(l->mfu)) snprintf(part[MFU], PART_BYTES, "mfu %.1f%%", 100 * l->mfu);
    snprintf(part[LEFT], PART_BYTES, "left %s",
             format_seconds(p->step_s * (double)(p->steps - l->step), text, sizeof text));
}

/* "[###...]" of `width` signs between the brackets. */
static void write_bar(const struct progress *p, const struct metrics_line *l, int width, char *out)
{
    const int done = (int)((double)width * (double)l->step / (double)p->steps);

    *out++ = '[';
    for (int i = 0; i < width; i++) *out++ = i < done ? '#' : '.';
    *out++ = ']';
    *out = '\0';
}

int progress_line(const struct progress *p, const struct metrics_line *l, int columns, char *buffer,
                  size_t bytes)
{
    char part[PARTS][PART_BYTES], bar[BAR_MOST + BAR_ENDS + 1] = "";
    const int most = columns - 2 < (int)bytes - 1 ? columns - 2 : (int)bytes - 1;
    int room = most + GAP, used = 0; /* each part with the gap behind it */
    bool shown[PARTS] = {false};
    int width = 0;

    write_parts(p, l, part);
    for (int i = 0; i < PARTS; i++) {
        const int need = (int)strlen(part[dear[i]]) + GAP;
        if (dear[i] == NORM && p->bar && room >= BAR_LEAST + BAR_ENDS + GAP) {
            width = BAR_LEAST;
            room -= BAR_LEAST + BAR_ENDS + GAP;
        }
        shown[dear[i]] = need > GAP && need <= room;
        if (shown[dear[i]]) room -= need;
    }
    if (width > 0) {
        width = width + room < BAR_MOST ? width + room : BAR_MOST;
        write_bar(p, l, width, bar);
    }
    buffer[0] = '\0';
    if (width > 0) used = snprintf(buffer, bytes, "%s", bar);
    for (int i = 0; i < PARTS; i++)
        if (shown[i])
            used += snprintf(buffer + used, bytes - (size_t)used, "%*s%s", used > 0 ? GAP : 0, "",
                             part[i]);
    return used;
}

void progress_step(struct progress *p, const struct metrics_line *l)
{
    char line[256];
    const int columns = p->bar ? terminal_columns() : (int)sizeof line; /* it may be resized */

    p->step_s = p->step_s > 0 ? 0.9 * p->step_s + 0.1 * l->step_s : l->step_s;
    (void)progress_line(p, l, columns > 0 ? columns : COLUMNS, line, sizeof line);
    if (p->bar)
        printf("\r\033[K%s", line);
    else
        printf("%s\n", line);
    p->open = p->bar;
    fflush(stdout);
}

void progress_pause(struct progress *p)
{
    if (p->open) putchar('\n');
    p->open = false;
    fflush(stdout);
}
