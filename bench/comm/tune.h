/* bench/comm/tune.h - a tuning file (comm/tuning.h) read, or made from what was measured */
#ifndef BENCH_COMM_TUNE_H
#define BENCH_COMM_TUNE_H

#include "bench/comm/run.h"

/* --tuning: rank 0 reads, all get the same; r->tuning stays NULL where the file is ignored.
 * Collective over world. */
RT_NODISCARD rt_status bench_tuning_load(struct bench_run *r);

/* --tune: fit the costs, try chunk sizes, take the rows' times, and write FILE and, where MPI's
 * algorithms could be forced, FILE.ompi-rules. After bench_measure. Collective over world. */
RT_NODISCARD rt_status bench_tune(struct bench_run *r);

/* tune_fit.c: latency and bandwidth of each class of path, and the speed of local work. What
 * cannot be measured here keeps the value that it has. */
RT_NODISCARD rt_status bench_fit_costs(struct bench_run *r, struct comm_costs *c);

/* t = alpha + beta * bytes over n samples, by least squares of relative errors; both are kept
 * above 0. n >= 2. */
void bench_fit_line(const double *bytes, const double *seconds, int n, double *alpha_s,
                    double *beta_s_per_byte);

enum { BENCH_CHUNKS = 3 };
extern const size_t bench_chunks[BENCH_CHUNKS]; /* bytes that are tried */

#endif
