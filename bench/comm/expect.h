/* bench/comm/expect.h - what a row could reach, and bandwidths as nccl-tests has them */
#ifndef BENCH_COMM_EXPECT_H
#define BENCH_COMM_EXPECT_H

#include "bench/comm/run.h"

/* The least time of each cell, from the link's rate or the memory's. */
void bench_expect(struct bench_run *r);
/* What bound cells say of the others at their size; after measuring. */
void bench_expect_bounds(struct bench_run *r);
/* RT_EINVAL: --expect, and nothing is known to hold an operation against. Before any work. */
RT_NODISCARD rt_status bench_expect_refuse(const struct bench_run *r);
/* RT_EEXPECT: some operation of ours stays below --expect at its largest size. */
RT_NODISCARD rt_status bench_expect_judge(const struct bench_run *r);
/* Seconds that messages need on the links of nodes: to[rank] gets bytes from each rank, -1 none. */
double bench_flow_seconds(const struct bench_run *r, const int *to, size_t bytes);

/* Of side 0, GB/s as nccl-tests has them; 0 where it was not measured. */
double bench_algbw(const struct bench_cell *c, double seconds);
double bench_busbw(const struct bench_cell *c, double seconds);

#endif
