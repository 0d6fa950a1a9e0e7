/* bench/comm/options.h - what `recua-bench comm` was asked for */
#ifndef BENCH_COMM_OPTIONS_H
#define BENCH_COMM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/dtype.h"

typedef enum {
    BENCH_GATHER,
    BENCH_REDUCE,
    BENCH_ALLREDUCE,
    BENCH_RING,
    BENCH_PAIRS,
    BENCH_BISECTION,
    BENCH_INCAST,
    BENCH_OVERLAP,
    BENCH_SCALARS,
    BENCH_OPS
} bench_op;

const char *bench_op_name(bench_op op); /* all-gather, ... */

struct bench_size {
    size_t bytes;   /* asked for */
    char label[24]; /* "7b block"; empty: a plain size */
};

enum { BENCH_ALGORITHMS_MAX = 32 };

struct bench_options {
    bool op[BENCH_OPS];
    struct bench_size *sizes; /* owned; ascending unless of --shape */
    size_t sizes_count;
    const char *algorithms; /* auto, all, or a list */
    bool baseline;          /* MPI's own collectives too */
    rt_dtype type, wire;
    bool flat, split, check, counters, explain;
    int pretend; /* ranks a pretended node; 0: as the machine is */
    int repetitions, incast;
    double max_seconds, compute_s;
    double expect, rate_gbit; /* 0: not given */
    size_t chunk_bytes;       /* 0: as tuned or the default */
    uint64_t seed;
    const char *tune, *tuning, *json, *csv, *svg;
};

/* Ends the process with 2 on wrong usage, with 0 on --help. Not collective, before comm_init. */
void bench_options_parse(int argc, char **argv, struct bench_options *o);
void bench_options_clear(struct bench_options *o);

#endif
