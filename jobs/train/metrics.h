/* jobs/train/metrics.h - metrics.jsonl: a line a step, units in the names, null for unknown
 *
 * docs/file-formats.md lists the keys. Not collective: rank 0 writes.
 */
#ifndef JOBS_TRAIN_METRICS_H
#define JOBS_TRAIN_METRICS_H

#include <stdint.h>

#include "runtime/status.h"

struct metrics;

/* A value that is not known is NAN, an integer 0; both are written as null. */
struct metrics_line {
    uint64_t step, tokens_total;
    double loss, val_loss, grad_norm, lr, step_s;
    double tokens_per_s, model_flops_per_s, mfu, peak_flops_per_s;
    double gather_s, reduce_s, comm_exposed_s, gather_gbyte_per_s;
    uint64_t peak_memory_bytes;
    int ranks, attempt;
};

/* Appends; half a line that a crash left is cut off first. RT_EIO. */
RT_NODISCARD rt_status metrics_open(const char *run, struct metrics **out);
void metrics_close(struct metrics **m);

/* Write one line: all of it is in the file, or, with RT_EIO, nothing. Said once, then silent. */
RT_NODISCARD rt_status metrics_write(struct metrics *m, const struct metrics_line *line);

#endif
