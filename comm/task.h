/* comm/task.h - one operation under way: its chunks, and when it may start and is done
 *
 *   waiting    until its start flag is reached and, where this rank sends for its whole node, all
 *              neighbours are done: their slices are in place
 *   running    chunk by chunk, `depth` of them at a time, each by its own run: while one chunk's
 *              blocks are added another's are on the wire
 *   ended      all chunks are; the done flag is signalled once all earlier tasks with the same flag
 *              have signalled theirs, since flags only count
 */
#ifndef COMM_TASK_H
#define COMM_TASK_H

#include <stdatomic.h>

#include "comm/exchange.h"
#include "comm/run.h"

typedef enum {
    COMM_TASK_FREE,
    COMM_TASK_CHECKING, /* the ranks compare the slice that each has posted */
    COMM_TASK_WAITING,
    COMM_TASK_RUNNING,
    COMM_TASK_ENDED,
    COMM_TASK_DONE, /* the poster has not waited for it yet */
} comm_task_state;

struct comm_task {
    struct comm_task *next; /* in the engine's lists */
    _Atomic int state;
    rt_status status; /* valid from DONE on */

    const struct comm *comm; /* lent, as the next two */
    const struct comm_schedule *schedule;
    const struct rt_vector *vector;
    comm_op op;
    struct comm_spaces spaces;
    size_t slice, chunk; /* elements */
    const float *own;    /* cast into block own_block of UNIT; NULL: in place */
    size_t own_block;
    struct comm_flag start, done;
    int name;
    int tag;    /* its first of `depth` tags */
    bool check; /* compare sizes before anything moves */

    int depth; /* owned runs, and their staging */
    struct comm_run *runs;
    char *stage; /* lent; depth regions of stage_bytes; NULL: none */
    size_t stage_bytes;
    size_t begun, ended; /* elements of a block whose chunks are begun, ended */
    MPI_Request check_request;
    int64_t sizes[2];        /* the smallest and, negated, the largest slice posted */
    double start_s, seconds; /* when it began to run; how long it ran */
    uint64_t record;         /* sequence number; 0: none */
};

/* On the thread that owns MPI. accept: in the order posted, the same on all ranks. advance moves
 * it as far as it goes without waiting; in the end ENDED, with task->status. */
void comm_task_accept(struct comm_task *t);
void comm_task_advance(struct comm_task *t, bool test, bool *moved);

/* Is it waiting for messages alone, and for how many? */
size_t comm_task_requests(const struct comm_task *t);

#endif
