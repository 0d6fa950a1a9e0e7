/* comm/run.h - one chunk of a schedule, run with MPI point-to-point calls
 *
 * A run is made once and used for chunk after chunk. It enters a round, posts its sends and as
 * many receives as it may have outstanding, does the local steps, and goes on when all transfers
 * are complete. A receive that is not posted holds its sender back (above MPI's eager limit
 * nothing moves until it is): receiver-driven admission.
 * Messages of one run match by its tag, in order; they are cut at 2^30 bytes; blocks that do not
 * lie side by side travel as one MPI vector type.
 */
#ifndef COMM_RUN_H
#define COMM_RUN_H

#include "comm/group.h"
#include "comm/schedule/schedule.h"
#include "runtime/vector/vector.h"

/* The memory behind the spaces of a schedule. */
struct comm_spaces {
    void *unit;
    const void *const *local;
    float *own;
    void *stage; /* private to a run, as wire: stage_blocks and wire_blocks of n elements */
    void *wire;
    size_t slice; /* elements of a block in UNIT, LOCAL and OWN */
    rt_dtype unit_type, local_type, wire_type;
    bool add;  /* the reduce into OWN adds to what is there */
    bool tree; /* sums by a binary tree over the sources */
    bool fold; /* every block lies at the first one's place: simulators */
};

enum { COMM_RUN_RECEIVE_BYTES = 16 << 20 }; /* outstanding receives of a run; one always may */

struct comm_run {
    const struct comm_schedule *schedule; /* lent, as the next two */
    const struct comm *comm;
    const struct rt_vector *vector;
    struct comm_spaces spaces;
    size_t from, n; /* the chunk: elements of every block */
    int tag;
    bool active;
    size_t round;          /* the one under way */
    size_t next_receive;   /* the next step of it whose receive may have to be posted */
    size_t receive_bytes;  /* outstanding */
    MPI_Request *requests; /* owned, as the rest */
    struct comm_transfer {
        size_t bytes; /* of a receive; 0: a send */
        int peer;
    } * transfers;
    MPI_Status *statuses;
    int *indices;
    int requests_count, requests_capacity, pending;
    const void **sources; /* of one reduce */
    rt_dtype *types;
};

/* block_bytes: of the largest block that it will ever send. Not collective. RT_ENOMEM. */
RT_NODISCARD rt_status comm_run_init(struct comm_run *run, const struct comm *comm,
                                     const struct comm_schedule *schedule,
                                     const struct rt_vector *vector, size_t block_bytes);
void comm_run_clear(struct comm_run *run);

/* These on the thread that owns MPI. begin posts the first round of elements [from, from+n) of
 * every block. advance goes as far as it can without waiting; *moved if it did anything.
 * complete: what a wait elsewhere found done. RT_ECOMM; RT_EDATA: a message of another size. */
RT_NODISCARD rt_status comm_run_begin(struct comm_run *run, const struct comm_spaces *spaces,
                                      size_t from, size_t n, int tag);
RT_NODISCARD rt_status comm_run_advance(struct comm_run *run, bool test, bool *moved);
RT_NODISCARD rt_status comm_run_complete(struct comm_run *run, int index, const MPI_Status *status);

#endif
