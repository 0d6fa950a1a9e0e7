/* comm/exchange_impl.h - what an exchange holds; for the files of comm alone */
#ifndef COMM_EXCHANGE_IMPL_H
#define COMM_EXCHANGE_IMPL_H

#include "comm/exchange.h"
#include "comm/task.h"

/* SLOTS tags an operation; SEQUENCE operations can be told apart: 2^14 tags, which every MPI has. */
enum { COMM_SLOTS = 16, COMM_SEQUENCE = 1024, COMM_NAMES = 4096, COMM_WHY = 256 };

/* One kind of operation: its schedule and its tickets. */
struct comm_operation {
    const struct comm_algorithm *algorithm; /* NULL: not wanted */
    struct comm_layout layout;
    int node[2]; /* layout.first of one node */
    char why[COMM_WHY];
    struct comm_schedule schedule;
    size_t chunk; /* elements */
    int depth;
    struct comm_task *tasks; /* owned */
    int tasks_count;
    double seconds;                 /* of those waited for, added up */
    unsigned char seen[COMM_NAMES]; /* units whose size the ranks have compared */
};

struct comm_exchange {
    struct comm *comm; /* our own copy of the world: nobody else's messages meet ours */
    struct comm_exchange_options options;
    struct comm_operation ops[COMM_OPS];
    unsigned posted; /* operations so far: the same on all ranks */
};

const char *comm_op_name(comm_op op);
/* As one operation sees them: slice_max is of what it moves. */
struct comm_exchange_options comm_exchange_options_of(const struct comm_exchange_options *o,
                                                      comm_op op);
/* Elements of a chunk of this schedule: the whole slice where nothing is sent. */
size_t comm_exchange_chunk(const struct comm_exchange_options *o, comm_op op,
                           const struct comm_schedule *s);

#endif
