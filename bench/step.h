/* bench/step.h - what `recua-bench step` measures, and how it is shown
 *
 * Units    seconds, bytes, floating-point operations (FLOP); `per step` unless it says otherwise
 * Terms    MFU = tokens_per_s * flops_per_token / peak_flops_per_s; the peak is the best matmul
 *          of model/peak.h, measured by all ranks at once in this very run, before and after the
 *          steps, added over ranks; the better of the two counts
 */
#ifndef BENCH_STEP_H
#define BENCH_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "comm/comm.h"
#include "jobs/train/runfile.h"
#include "model/peak.h"
#include "runtime/trace.h"

enum { STEP_PEAK_ROUNDS = 2 }; /* before and after the steps */

struct step_options {
    const char *run_file, *json;
    const char **sets; /* owned */
    size_t set_count;
    int steps, warmup;
};

struct step_phase {
    double slowest_s, median_s; /* over ranks; of each, the median over steps */
};

struct step_figures {
    int ranks, threads, nodes;
    uint64_t tokens_per_step, parameters, matmul_parameters;
    double flops_per_token;
    int steps;
    double *step_s; /* owned: (steps), the slowest rank of each step */
    double step_median_s, step_min_s, step_max_s;
    double tokens_per_s, model_flops_per_s, mfu;
    struct model_peak peak[STEP_PEAK_ROUNDS];  /* of this rank */
    double peak_flops_per_s[STEP_PEAK_ROUNDS]; /* of all ranks */
    double best_peak_flops_per_s;
    struct step_phase phase[RT_PHASES]; /* RT_PHASE_OTHER has what no span covers too */
    uint64_t planned_bytes, measured_peak_bytes;
    bool memory_known;
    double loss_first, loss_last; /* of the measured steps */
};

/* Run it: collective over world. f is filled on all ranks; step_figures_clear frees. */
RT_NODISCARD rt_status step_measure(const struct step_options *o, const struct runfile *r,
                                    struct comm *world, struct step_figures *f);
void step_figures_clear(struct step_figures *f);

/* For people on stdout, and as one JSON object in a file. Not collective. */
void step_print(const struct runfile *r, const struct step_figures *f);
RT_NODISCARD rt_status step_write_json(const char *path, const char *run_file,
                                       const struct runfile *r, const struct step_figures *f);

#endif
