/* bench/bench.h - the commands of the program recua-bench
 *
 * Each parses its own options with argp (argv[0] is "recua-bench NAME"), starts and ends MPI
 * itself, prints a table for people on stdout and, with --json FILE, one object whose keys carry
 * their units. The value is the exit code of DESIGN's list (rt_status_exit).
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

int bench_gemm(int argc, char **argv); /* the matmul peak of this machine, all ranks at once */
int bench_step(int argc, char **argv); /* one training step: tokens/s, MFU, where the time goes */
int bench_comm(int argc, char **argv); /* the interconnect: ours, MPI's, links, pairs, overlap */

#endif
