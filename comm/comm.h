/* comm/comm.h - the ranks that work together: groups, agreement, scalars
 *
 * The only folder that speaks MPI. Counts are elements or bytes in size_t; messages above
 * 2^30 bytes are cut. All state lives in the handle. Every function is collective over its group
 * unless it says otherwise. Called from one thread, which need not be the one that owns MPI
 * (comm/engine.h).
 */
#ifndef COMM_COMM_H
#define COMM_COMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/exact.h"
#include "runtime/status.h"

struct comm;

/* Start MPI (alone it is one rank) and give the group of all ranks; also tells rt_log its rank.
 * RT_EINVAL (exit 2): SLURM_NTASKS, OMPI_COMM_WORLD_SIZE or PMI_SIZE says more than one, but MPI
 * sees one rank: names `srun --mpi=pmix` and mpirun. Once per process. */
RT_NODISCARD rt_status comm_init(int *argc, char ***argv, struct comm **world);
void comm_finish(struct comm **world);

/* The bare start, for simulators: no environment is set, ranks keep MPI's order, the log hears
 * nothing. blocking: see comm_engine_options. */
struct comm_start_options {
    bool thread, blocking;
};
RT_NODISCARD rt_status comm_start(const struct comm_start_options *o, int *argc, char ***argv,
                                  struct comm **world);

/* End all ranks at once with this exit code. Does not return. Not collective. */
void comm_abort(struct comm *world, int exit_code) __attribute__((noreturn));

/* The MPI library's name and version, one line. Lent. Not collective. */
const char *comm_library(const struct comm *c);

/* For the watchdog (comm/watch/): this rank is in this step of training; it is in a phase (a static
 * string) that ends the job with 72 if it outlives limit_s. Not collective. */
void comm_step(const struct comm *c, uint64_t step);
void comm_phase_begin(const struct comm *c, const char *name, double limit_s);
void comm_phase_end(const struct comm *c);

/* Is there a communication thread (RECUA_COMM=thread|poll)? Without one, whoever waits for
 * something else than comm's own functions calls comm_poll now and then. Not collective. */
bool comm_threaded(const struct comm *c);
void comm_poll(const struct comm *c);

/* As MPI_Comm_split. color < 0: this rank is in no group and gets NULL. Over parent. */
RT_NODISCARD rt_status comm_split(const struct comm *parent, int color, int key, struct comm **out);
void comm_destroy(struct comm **c);

int comm_rank(const struct comm *c);
int comm_size(const struct comm *c);

/* The worst of the statuses that the ranks bring, on all of them. Between a step that can fail
 * on one rank alone (malloc, a file) and the next collective. */
RT_NODISCARD rt_status comm_agree(const struct comm *c, rt_status mine);

RT_NODISCARD rt_status comm_barrier(const struct comm *c);
RT_NODISCARD rt_status comm_bcast(const struct comm *c, int root, void *data, size_t bytes);
/* in (bytes) of each rank to out (size*bytes) on all. */
RT_NODISCARD rt_status comm_allgather(const struct comm *c, const void *in, void *out,
                                      size_t bytes);
/* in (bytes, may differ by rank) to root: *out is malloc'ed there, in rank order, with its total
 * in *total; NULL and 0 elsewhere. */
RT_NODISCARD rt_status comm_gather_bytes(const struct comm *c, int root, const void *in,
                                         size_t bytes, void **out, size_t *total);
RT_NODISCARD rt_status comm_max_f64(const struct comm *c, double *values, size_t n);
RT_NODISCARD rt_status comm_sum_u64(const struct comm *c, uint64_t *values, size_t n);
/* Exact sums over ranks: the same bits for any number and order of ranks. Normalises. */
RT_NODISCARD rt_status comm_sum_exact(const struct comm *c, struct rt_exact *values, size_t n);

/* The world as nodes. ranks_per_node 0: as the machine is (shared memory); k > 0: pretend that
 * every k consecutive ranks are a node, the last may have fewer. RT_EINVAL where ranks of one
 * pretended node do not share memory. */
struct comm_nodes {
    struct comm *world; /* lent */
    struct comm *local; /* owned: the ranks of this node */
    int node, nodes;    /* this node, how many */
    int local_rank, local_size;
    int *first; /* (nodes+1): first[n] is the world rank of node n's first rank; ranks of a
                            node are consecutive in world (comm_init reorders if need be) */
    int *leaf;  /* (nodes) equal numbers share a leaf switch, -1 unknown; NULL: none is known */
};
RT_NODISCARD rt_status comm_nodes_create(struct comm *world, int ranks_per_node,
                                         struct comm_nodes **out);
void comm_nodes_destroy(struct comm_nodes **n);

#endif
