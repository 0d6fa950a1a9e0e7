/* bench/comm/report.h - the rows for people, for programs, and drawn
 *
 * Written on rank 0 of the world; what needs all ranks is collected before (bench_ranks_collect).
 */
#ifndef BENCH_COMM_REPORT_H
#define BENCH_COMM_REPORT_H

#include "bench/comm/expect.h"

struct bench_rank_times {
    double p50_s, p95_s;
};

/* One operation at its largest size, rank by rank. */
struct bench_ranks {
    const struct bench_cell *cell;  /* lent */
    struct bench_rank_times *times; /* owned: (world) */
    bool *slow;                     /* owned: (world) more than 3 MADs and 10 % below the median */
    double median_s;
};

/* All pairs at the largest size. Bandwidths in GB/s each way; NaN where there is none. */
struct bench_pairs {
    const struct bench_cell *cell; /* lent; NULL: pairs were not measured */
    int ranks, nodes;
    double *gbyte_per_s; /* owned: (ranks, ranks), of this rank's lane with --split */
    bool *slow;          /* owned: (ranks, ranks) */
    double *node;        /* owned: (nodes) median over the pairs that touch it */
    bool *slow_node;     /* owned: (nodes) */
    double median;
};

struct bench_report {
    struct bench_ranks *ranks; /* owned */
    int ranks_count;
    struct bench_pairs pairs;
};

/* Collective over world; filled on all ranks. clear frees. */
RT_NODISCARD rt_status bench_report_collect(struct bench_run *r, struct bench_report *p);
void bench_report_clear(struct bench_report *p);

uint64_t bench_wrong_elements(const struct bench_run *r);
/* A label for a row: "auto (ring)". */
void bench_cell_title(const struct bench_cell *c, char *out, size_t bytes);
/* The row of ours that stands for an operation at this size: auto, else the fastest; NULL. */
const struct bench_cell *bench_best_ours(const struct bench_run *r, bench_op op, size_t bytes);
const struct bench_cell *bench_best_mpi(const struct bench_run *r, bench_op op, size_t bytes);

void bench_print(const struct bench_run *r, const struct bench_report *p);
void bench_print_comparison(const struct bench_run *r);                         /* compare.c */
void bench_print_slow(const struct bench_run *r, const struct bench_report *p); /* slow.c */
RT_NODISCARD rt_status bench_write_json(const struct bench_run *r, const struct bench_report *p);
RT_NODISCARD rt_status bench_write_csv(const struct bench_run *r);
RT_NODISCARD rt_status bench_write_svg(const struct bench_run *r, const struct bench_report *p);

#endif
