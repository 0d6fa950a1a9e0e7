/* bench/comm/run.h - everything that one `recua-bench comm` has in hand
 *
 * Terms    cell   an operation with one algorithm at one size; one row of the table
 *          side   what of a cell is timed apart: all-gather from the fp32 slice, and in place;
 *                 overlap: together, the exchange alone, the work alone
 *          world  all ranks: they meet before each repetition, and its slowest rank counts
 *          group  the ranks that an operation runs over: the world, or with --split one lane of it
 */
#ifndef BENCH_COMM_RUN_H
#define BENCH_COMM_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/comm/counters.h"
#include "bench/comm/options.h"
#include "bench/comm/statistics.h"
#include "bench/comm/values.h"
#include "comm/baseline_mpi.h"
#include "comm/comm.h"
#include "comm/exchange.h"
#include "comm/network.h"
#include "comm/tuning.h"
#include "comm/window.h"

struct bench_run;
struct bench_cell;

struct bench_kind {
    /* A barrier over the world, then one repetition: seconds of this rank. Collective. */
    RT_NODISCARD rt_status (*once)(struct bench_run *r, struct bench_cell *c, int side,
                                   double *seconds);
    /* Known data in, one repetition, every element compared: how many are wrong on this rank.
     * NULL: nothing is moved that could be wrong. Collective. */
    RT_NODISCARD rt_status (*check)(struct bench_run *r, struct bench_cell *c, int side,
                                    uint64_t *wrong);
};

struct bench_side {
    double *mine, *slowest; /* (repetitions): of this rank; of the slowest */
    int count;
    bool done;
    double warmup_s; /* the slowest rank of the first, which no summary has */
    struct bench_summary time;
    uint64_t wrong; /* elements, over all ranks */
};

enum { BENCH_SIDES = 3 };
enum { BENCH_OUT_OF_PLACE = 0, BENCH_IN_PLACE = 1 };
enum { BENCH_TOGETHER = 0, BENCH_ALONE = 1, BENCH_WORK = 2 };

struct bench_cell {
    const struct bench_kind *kind;
    bench_op op;
    char algorithm[48], chosen[48]; /* chosen: what auto took; empty else */
    const char *label;              /* lent: of --shape; "" */
    bool ours, bound;
    size_t bytes, slice; /* total bytes; elements a rank */
    rt_dtype type, wire;
    int index;         /* of the exchange, or the baseline, or the scalar */
    int mpi_id;        /* of a forced algorithm; 0: none */
    double factor;     /* busbw / algbw */
    double expected_s; /* 0: not known */
    int sides;
    struct bench_side side[BENCH_SIDES];
    struct bench_summary hidden; /* overlap */
    double *pair_s;              /* pairs: (repetitions, group): time with each peer; NULL else */
};

struct bench_host {
    char name[64], leaf[64]; /* leaf switch; empty: not known */
};

struct bench_exchange {
    const char *asked; /* auto, or an algorithm's name */
    size_t slice_max;
    struct comm_exchange *x;
};

struct bench_baseline {
    const struct comm_baseline_algorithm *algorithm;
    struct comm_baseline *b;
};

/* Buffers for the largest size. Window: of the node, or private where all is sent. */
struct bench_memory {
    size_t slice_max; /* elements a rank */
    size_t unit_bytes, grads_bytes, own_bytes, staging_bytes;
    size_t mpi_in_bytes, mpi_out_bytes, mpi_cast_bytes, mpi_sums_bytes, message_bytes;
    void *shared; /* unit, then a gradient buffer a local rank; in the window, or private */
    void *unit;
    const void **grads; /* owned: (local ranks, or 1) */
    void *own, *staging;
    void *mpi_in, *mpi_out, *mpi_cast, *mpi_sums;
    char *out, *in; /* messages */
};

struct bench_run {
    const struct bench_options *o;
    struct comm *world;        /* lent */
    struct comm *group, *lane; /* group is the world, or lane, which is owned */
    int groups;                /* at once; 1 without --split */
    struct comm_nodes *hosts;  /* of the world, as the machine is */
    struct comm_nodes *nodes;  /* of the group */
    struct bench_host *host;   /* (world) */
    struct comm_layout layout;
    struct comm_window *window; /* NULL where all is sent */
    uint64_t meets;             /* how often the ranks of the node have met in it */
    struct bench_memory memory;
    struct bench_values values;
    struct bench_counters *counters; /* owned */
    struct comm_tuning *tuning;
    struct bench_exchange *exchanges; /* owned */
    int exchanges_count;
    struct bench_baseline *baselines; /* owned */
    int baselines_count;
    bool forceable; /* MPI's algorithms */
    struct bench_cell *cells;
    size_t cells_count, cells_capacity;
    struct comm_network network; /* as training takes it */
    const char *fabric;          /* network.kind, or shared: nothing is sent */
    double node_rate;            /* of a node's link, bytes a second one way; 0: not known */
    uint64_t work_rounds;        /* of overlap */
    int flip_rank;               /* damage what this rank receives: for tests; -1 */
    double measured_s;           /* how long measuring took */
    bool capped;                 /* it ended because max_seconds had passed */
};

/* place.c: who is where. Collective over world. */
RT_NODISCARD rt_status bench_place_create(struct bench_run *r);
void bench_place_destroy(struct bench_run *r);
/* Where a rank of rank 0's group runs. Not collective. */
const struct bench_host *bench_host_of(const struct bench_run *r, int group_rank);

/* memory.c: RT_ENOMEM, before anything is allocated, where a host has not the room. Collective. */
RT_NODISCARD rt_status bench_memory_create(struct bench_run *r);
void bench_memory_destroy(struct bench_run *r);

/* cells.c: the rows that the options ask for, and what runs them. Collective. */
RT_NODISCARD rt_status bench_cells_create(struct bench_run *r);
void bench_cells_destroy(struct bench_run *r);
/* RT_ENOMEM. The cell has `sides` sides with room for all repetitions. */
RT_NODISCARD rt_status bench_cell_add(struct bench_run *r, const struct bench_cell *like,
                                      struct bench_cell **out);
/* Elements a rank of so many bytes in all. */
size_t bench_slice(const struct bench_run *r, size_t bytes);
/* Does the options' --algo name it? */
bool bench_algorithm_asked(const struct bench_run *r, const char *name);

/* measure.c: warm-up, check, repetitions in shuffled order, check. Collective. */
RT_NODISCARD rt_status bench_measure(struct bench_run *r);
double bench_rank_max(struct bench_run *r, double value, rt_status *st); /* over the world */

/* The kinds, and what adds their cells. Collective. */
extern const struct bench_kind bench_kind_ours, bench_kind_mpi, bench_kind_bound;
RT_NODISCARD rt_status bench_ours_add(struct bench_run *r);    /* ours.c */
RT_NODISCARD rt_status bench_mpi_add(struct bench_run *r);     /* mpi.c */
RT_NODISCARD rt_status bench_bound_add(struct bench_run *r);   /* bound.c */
RT_NODISCARD rt_status bench_links_add(struct bench_run *r);   /* links.c */
RT_NODISCARD rt_status bench_overlap_add(struct bench_run *r); /* overlap.c */
/* The share of the shorter, exchange or work, that the other hid. scratch (repetitions). */
struct bench_summary bench_hidden(const struct bench_cell *c, double *scratch);
RT_NODISCARD rt_status bench_scalars_add(struct bench_run *r); /* scalars.c */

/* ours.c: what all exchanges have in common; ops are those that the options ask for. */
struct comm_exchange_options bench_exchange_options(const struct bench_run *r, size_t slice_max);
/* The index of the exchange that runs `asked` for this slice; made where it is not there. */
RT_NODISCARD rt_status bench_exchange_get(struct bench_run *r, const char *asked, size_t slice,
                                          int *index);
/* Post and wait for one all-gather; the node's ranks have it all on return. */
RT_NODISCARD rt_status bench_gather_post(struct bench_run *r, const struct bench_cell *c,
                                         bool in_place, comm_ticket *t);
RT_NODISCARD rt_status bench_gather_wait(struct bench_run *r, const struct bench_cell *c,
                                         comm_ticket t);
/* Known data for an all-gather, and the comparison. */
RT_NODISCARD rt_status bench_gather_fill(struct bench_run *r, const struct bench_cell *c,
                                         bool in_place);
uint64_t bench_gather_wrong(struct bench_run *r, const struct bench_cell *c);
/* mpi.c: the call of a cell of MPI's, on its buffers. */
struct comm_baseline_call bench_mpi_call(const struct bench_run *r, const struct bench_cell *c,
                                         int side);
RT_NODISCARD rt_status bench_mpi_fill(struct bench_run *r, const struct bench_cell *c, int side);
uint64_t bench_mpi_wrong(struct bench_run *r, const struct bench_cell *c);
RT_NODISCARD rt_status bench_baseline_get(struct bench_run *r,
                                          const struct comm_baseline_algorithm *a, int *index);

/* The ranks of the node wait for each other. They share a window. */
void bench_meet(struct bench_run *r);

#endif
