/* jobs/train/progress.h - what a person sees of the steps: a bar on a terminal, else lines
 *
 * Not collective: rank 0 shows. RECUA_PROGRESS=bar|lines decides instead of the terminal.
 */
#ifndef JOBS_TRAIN_PROGRESS_H
#define JOBS_TRAIN_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jobs/train/metrics.h"

struct progress {
    bool bar;
    bool open; /* the bar stands on the last line of the terminal */
    uint64_t steps;
    double step_s; /* smoothed; 0: none yet */
};

/* The line of a step in buffer, at most columns - 2 characters long: the least important is left out
 * first, and the bar takes what room there is. Its length. */
int progress_line(const struct progress *p, const struct metrics_line *l, int columns, char *buffer,
                  size_t bytes);

void progress_start(struct progress *p, uint64_t steps);
void progress_step(struct progress *p, const struct metrics_line *l);
/* Make room for other output below the bar. */
void progress_pause(struct progress *p);

#endif
