/* comm/baseline_mpi.h - MPI's own collectives, to hold ours against: the library's choice, and each
 * of its algorithms forced
 *
 * Forcing  through MPI_T: Open MPI reads coll_tuned_COLLECTIVE_algorithm when a communicator is
 *          made, if it was started with coll_tuned_use_dynamic_rules=1; so each algorithm has a
 *          communicator of its own. MPICH has no such variables: only its choice is measured.
 * bf16     MPI has no such type: either sums go through an operation of our own on 16-bit integers
 *          (vectorised; every partial sum is rounded to bf16), or data is cast and summed in fp32
 * In place counts and types are given although MPI ignores them: the rules of Open MPI read them.
 */
#ifndef COMM_BASELINE_MPI_H
#define COMM_BASELINE_MPI_H

#include <stdbool.h>
#include <stddef.h>

#include "comm/comm.h"
#include "runtime/dtype.h"

typedef enum {
    COMM_MPI_ALLGATHER,
    COMM_MPI_ALLREDUCE,
    COMM_MPI_REDUCE_SCATTER,
    COMM_MPI_REDUCE_SCATTER_BLOCK,
    COMM_MPI_COLLECTIVES
} comm_mpi_collective;

struct comm_baseline_algorithm {
    comm_mpi_collective collective;
    int id;           /* coll/tuned's; 0: the library's choice */
    const char *name; /* "mpi:ring"; of the choice "mpi" */
};
extern const struct comm_baseline_algorithm comm_baseline_algorithms[]; /* name NULL last */
const char *comm_mpi_collective_name(comm_mpi_collective c); /* allgather, ... as in coll/tuned */

/* Does it run on so many ranks? (two_proc, neighbor) Not collective. */
bool comm_baseline_applies(const struct comm_baseline_algorithm *a, int ranks);

/* Before comm_init: ask Open MPI for rules that can be changed, unless the user has set them. */
void comm_baseline_prepare(void);

/* Can algorithms be forced? Collective over c. */
RT_NODISCARD rt_status comm_baseline_forceable(const struct comm *c, bool *forceable);

struct comm_baseline;

/* Collective over c. RT_EMISSING: it cannot be forced. */
RT_NODISCARD rt_status comm_baseline_create(const struct comm *c,
                                            const struct comm_baseline_algorithm *a,
                                            struct comm_baseline **out);
void comm_baseline_destroy(struct comm_baseline **b); /* collective over c */

/* in (of in_type) -> cast into `cast` where type differs -> collective in `type` -> cast into out
 * where out_type differs. P*slice elements are gathered, or summed.
 *   allgather       in (slice) is cast into its place in out (P*slice of type); NULL: it is there
 *   allreduce       in (P*slice) -> out (P*slice) of type
 *   reduce_scatter  in (P*slice) -> out (slice) of out_type, by way of `sums` where that differs */
struct comm_baseline_call {
    const void *in;
    rt_dtype in_type, type, out_type;
    void *cast; /* (P*slice) of type; reductions with in_type != type */
    void *sums; /* (slice) of type; reduce_scatter with out_type != type */
    void *out;
    size_t slice;
};

/* A barrier over `all`, then one such call; *seconds of this rank. Collective over all.
 * RT_EINVAL: more elements than MPI's counts can say. */
RT_NODISCARD rt_status comm_baseline_time(struct comm_baseline *b, const struct comm *all,
                                          const struct comm_baseline_call *call, double *seconds);

/* The same for an allgather that is posted (MPI_Iallgather), with work(context) before its wait. */
RT_NODISCARD rt_status comm_baseline_overlap(struct comm_baseline *b, const struct comm *all,
                                             const struct comm_baseline_call *call,
                                             void (*work)(void *), void *context, double *seconds);

#endif
