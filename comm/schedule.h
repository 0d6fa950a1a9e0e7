/* comm/schedule.h - a collective as data: rounds of {send, recv, copy, reduce}, for one rank
 *
 * An algorithm is a function that appends rounds; the engine runs them, a test executes them
 * symbolically, anybody can print them. Nothing here speaks MPI.
 *
 * Units    offsets and counts are blocks; a block is one rank's slice of the unit, so that one
 *          schedule serves units of every size
 * Round    its transfers are posted at once; while they are under way its local steps run in
 *          order; then all transfers are waited for. So a local step touches no block that is
 *          received in its round and writes none that is sent in it.
 * Spaces   UNIT      the gathered unit in this node's window, P blocks; the own one is in place
 *          LOCAL i   the unit gradient buffer of local rank i, P blocks, never written
 *          OWN       the result of a reduce, 1 block; written once, by the last reduce, which
 *                    adds to what is there if the caller says so
 *          STAGE     private blocks in fp32
 *          WIRE      private blocks in the type that travels
 */
#ifndef COMM_SCHEDULE_H
#define COMM_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "runtime/dtype.h"
#include "runtime/status.h"

typedef enum {
    COMM_SPACE_UNIT,
    COMM_SPACE_LOCAL,
    COMM_SPACE_OWN,
    COMM_SPACE_STAGE,
    COMM_SPACE_WIRE,
    COMM_SPACES
} comm_space;

struct comm_place {
    comm_space space;
    int buffer;    /* LOCAL: the local rank; else 0 */
    size_t offset; /* blocks */
};

typedef enum {
    COMM_STEP_SEND,   /* at -> peer   */
    COMM_STEP_RECV,   /* at <- peer   */
    COMM_STEP_COPY,   /* at = the one source, cast where the spaces' types differ */
    COMM_STEP_REDUCE, /* at = ((source 0 + source 1) + source 2) ..., fp32 */
} comm_step_kind;

struct comm_step {
    comm_step_kind kind;
    int peer; /* world rank; -1 in local steps */
    struct comm_place at;
    size_t count;  /* blocks */
    size_t source; /* first of them in comm_schedule.sources */
    int sources;
};

struct comm_schedule {
    struct comm_step *steps; /* owned, as the two below */
    size_t steps_count, steps_capacity;
    struct comm_place *sources;
    size_t sources_count, sources_capacity;
    size_t *rounds; /* (rounds_count): index of each round's first step */
    size_t rounds_count, rounds_capacity;
    size_t stage_blocks, wire_blocks; /* how much of STAGE and WIRE is used */
    bool broken; /* memory ran out while it was built: see comm_schedule_check */
};

/* Where a rank stands: enough for any algorithm, real or not. */
struct comm_layout {
    int size, rank, nodes;
    const int *first; /* (nodes+1) as in struct comm_nodes */
};

int comm_layout_node(const struct comm_layout *l, int rank);
bool comm_layout_even(const struct comm_layout *l); /* all nodes have the same number of ranks */
int comm_layout_local_size(const struct comm_layout *l, int node);
/* The rank of `node` that fetches the slice of `owner`, and sums the node's part of it. */
int comm_layout_deputy(const struct comm_layout *l, int node, int owner);

/* An algorithm. build appends to an empty schedule; it cannot fail but for memory. */
struct comm_algorithm {
    const char *name;
    bool even_only; /* needs nodes of equal size */
    bool fp32_only; /* carries partial sums: no bf16 on the wire */
    void (*gather)(struct comm_schedule *s, const struct comm_layout *l);
    void (*reduce)(struct comm_schedule *s, const struct comm_layout *l, rt_dtype wire);
};
extern const struct comm_algorithm comm_algorithms[]; /* name NULL last */

/* gather_direct.c, gather_ring.c, reduce_direct.c, reduce_ring.c */
void comm_gather_direct(struct comm_schedule *s, const struct comm_layout *l);
void comm_gather_ring(struct comm_schedule *s, const struct comm_layout *l);
void comm_reduce_direct(struct comm_schedule *s, const struct comm_layout *l, rt_dtype wire);
void comm_reduce_ring(struct comm_schedule *s, const struct comm_layout *l, rt_dtype wire);

/* For builders. */
void comm_schedule_round(struct comm_schedule *s);
void comm_schedule_send(struct comm_schedule *s, int peer, struct comm_place from);
void comm_schedule_recv(struct comm_schedule *s, int peer, struct comm_place to);
void comm_schedule_copy(struct comm_schedule *s, struct comm_place to, struct comm_place from);
/* Sources are added one by one to the reduce begun last. */
void comm_schedule_reduce(struct comm_schedule *s, struct comm_place to);
void comm_schedule_source(struct comm_schedule *s, struct comm_place from);
/* at = block `slice` of all local buffers, in local rank order. */
void comm_schedule_node_sum(struct comm_schedule *s, const struct comm_layout *l,
                            struct comm_place to, int slice);

static inline struct comm_place comm_at(comm_space space, int offset)
{
    return (struct comm_place){.space = space, .buffer = 0, .offset = (size_t)offset};
}

/* RT_ENOMEM if memory ran out while it was built. */
RT_NODISCARD rt_status comm_schedule_check(const struct comm_schedule *s);
size_t comm_schedule_transfers(const struct comm_schedule *s); /* most of them in one round */
size_t comm_schedule_most_sources(const struct comm_schedule *s);
void comm_schedule_print(const struct comm_schedule *s, FILE *out);
void comm_schedule_clear(struct comm_schedule *s);

#endif
