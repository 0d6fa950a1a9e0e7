/* jobs/train/progress.c - see progress.h */
#include "jobs/train/progress.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jobs/format.h"

enum { WIDTH = 24 };

/* Open MPI gives each rank a terminal of its own and copies what it reads there to wherever
 * mpirun's output goes: then that is the one to ask about. */
static bool on_terminal(void)
{
    char path[64];
    bool terminal;
    int fd;

    if (!isatty(STDOUT_FILENO)) return false;
    if (getenv("OMPI_COMM_WORLD_RANK") == NULL) return true;
    snprintf(path, sizeof path, "/proc/%ld/fd/1", (long)getppid());
    fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) return false;
    terminal = isatty(fd);
    (void)close(fd);
    return terminal;
}

void progress_start(struct progress *p, uint64_t steps)
{
    const char *wish = getenv("RECUA_PROGRESS");

    *p = (struct progress){.steps = steps};
    p->bar = wish != NULL ? strcmp(wish, "bar") == 0 : on_terminal();
}

static void show_numbers(const struct progress *p, const struct metrics_line *l)
{
    char rate[32], left[32];

    printf("loss %.4f  norm %.3f  lr %.2e  %s tokens/s", l->loss, l->grad_norm, l->lr,
           format_count(l->tokens_per_s, rate, sizeof rate));
    if (isfinite(l->mfu)) printf("  mfu %.1f%%", 100 * l->mfu);
    printf("  left %s",
           format_seconds(p->step_s * (double)(p->steps - l->step), left, sizeof left));
}

void progress_step(struct progress *p, const struct metrics_line *l)
{
    p->step_s = p->step_s > 0 ? 0.9 * p->step_s + 0.1 * l->step_s : l->step_s;
    if (!p->bar) {
        printf("step %llu/%llu  ", (unsigned long long)l->step, (unsigned long long)p->steps);
        show_numbers(p, l);
        putchar('\n');
    } else {
        const int done = (int)((double)WIDTH * (double)l->step / (double)p->steps);
        printf("\r\033[K[");
        for (int i = 0; i < WIDTH; i++) putchar(i < done ? '#' : '.');
        printf("] %llu/%llu  ", (unsigned long long)l->step, (unsigned long long)p->steps);
        show_numbers(p, l);
        p->open = true;
    }
    fflush(stdout);
}

void progress_pause(struct progress *p)
{
    if (p->open) putchar('\n');
    p->open = false;
    fflush(stdout);
}
