/* comm/schedule/schedule.h - a collective as data: rounds of {send, recv, copy, reduce}, for one
 * rank
 *
 * An algorithm is a function that appends rounds; the engine runs them, the verifier executes them
 * symbolically, the cost model times them, anybody can print them. Nothing here speaks MPI.
 *
 * Units    offsets and counts are blocks; a block is one rank's slice of the unit, so that one
 *          schedule serves units of every size. The engine may cut every block into the same
 *          chunks and run the schedule once a chunk, several at a time
 * Round    its transfers are posted at once; while they are under way its local steps run in
 *          order; then all transfers are waited for. So a local step touches no block that is
 *          received in its round and writes none that is sent in it. Rounds are this rank's own:
 *          a peer may have more or fewer. Between two ranks transfers match in their order: same
 *          counts and the same space, whatever the strides
 * Spaces   UNIT      the gathered unit, P blocks; the own one is in place. With a window it is the
 *                    node's, else this rank's own. fp32 where an all-reduce ends in it
 *          LOCAL i   the unit gradient buffer of local rank i, P blocks, never written; without a
 *                    window there is only 0, this rank's own
 *          OWN       the own slice of the sums, fp32; 1 block, or N in ALLREDUCE_OWN. REDUCE:
 *                    written once, by the last reduce, which adds to what is there if the caller
 *                    says so
 *          STAGE     private blocks in fp32
 *          WIRE      private blocks in the type that travels
 */
#ifndef COMM_SCHEDULE_SCHEDULE_H
#define COMM_SCHEDULE_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "runtime/dtype.h"
#include "runtime/status.h"

typedef enum {
    COMM_GATHER,        /* all-gather: UNIT has every slice */
    COMM_REDUCE,        /* reduce-scatter: LOCAL of all ranks summed, slice r into OWN of rank r */
    COMM_ALLREDUCE,     /* the same sums, all P blocks of them into UNIT (fp32) */
    COMM_ALLREDUCE_OWN, /* hybrid: OWN (N blocks) of the ranks with this local rank on all N
                           nodes, summed in place; nodes of equal size */
    COMM_OPS
} comm_op;

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
    size_t stride; /* blocks from one to the next, where a step has several; 1: side by side */
};

typedef enum {
    COMM_STEP_SEND,   /* at -> peer   */
    COMM_STEP_RECV,   /* at <- peer   */
    COMM_STEP_COPY,   /* at = the one source, cast where the spaces' types differ */
    COMM_STEP_REDUCE, /* at = ((source 0 + source 1) + source 2) ..., added in fp32 whatever the
                         types, rounded once to that of at; at may be any one of the sources, the
                         very same blocks */
} comm_step_kind;

struct comm_step {
    comm_step_kind kind;
    int peer; /* world rank; -1 in local steps */
    struct comm_place at;
    size_t count;  /* blocks; of at and of every source */
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
    bool for_node; /* with a window: sends what its neighbours put into UNIT, so not before theirs
                      is there and they are done */
    bool broken;   /* memory ran out while it was built: see comm_schedule_check */
};

/* Where a rank stands: enough for any algorithm, real or not. Ranks of a node are neighbours. */
struct comm_layout {
    int size, rank, nodes;
    const int *first; /* (nodes+1): first[n] is the world rank of node n's first rank */
    bool window;      /* the ranks of a node share UNIT and LOCAL: nothing is sent inside it */
};

int comm_layout_node(const struct comm_layout *l, int rank);
bool comm_layout_even(const struct comm_layout *l); /* all nodes have the same number of ranks */
int comm_layout_local_size(const struct comm_layout *l, int node);

/* An algorithm, for any number of ranks and nodes of any sizes. With a window it runs between
 * nodes: lane i (slices of local ranks i) is carried on node n by its local rank i mod G_n, so
 * every local rank has its own lane. Without one, the flat algorithms take every rank for a node;
 * the two-level ones go round the node first (reduce) or last (gather), by messages, and end with
 * the bits that they have with a window, where they are the same as the plain ones. whole is for
 * little data, gathered or all-reduced: one rank a node works for all of it. */
struct comm_algorithm {
    const char *name; /* direct, ring, doubling, bruck, whole; two-level-direct ... */
    bool two_level;
    bool fp32_only;   /* carries partial sums along a chain as long as the ranks: no bf16 wire */
    bool exact;       /* all additions for a slice are made at its owner: fit for tree sums */
    bool for_node;    /* with a window one rank of a node sends what all of them have gathered */
    const char *cost; /* the formula, for people */
    /* Appends to an empty schedule; cannot fail but for memory (broken). op ALLREDUCE_OWN only
     * where comm_layout_even. */
    void (*build)(struct comm_schedule *s, comm_op op, const struct comm_layout *l, rt_dtype wire);
};
extern const struct comm_algorithm comm_algorithms[];               /* name NULL last */
const struct comm_algorithm *comm_algorithm_find(const char *name); /* NULL: not known */

/* For builders. count and strides as in the places given. */
void comm_schedule_round(struct comm_schedule *s);
void comm_schedule_send(struct comm_schedule *s, int peer, struct comm_place from, size_t count);
void comm_schedule_recv(struct comm_schedule *s, int peer, struct comm_place to, size_t count);
void comm_schedule_copy(struct comm_schedule *s, struct comm_place to, struct comm_place from,
                        size_t count);
/* Sources are added one by one to the reduce begun last. */
void comm_schedule_reduce(struct comm_schedule *s, struct comm_place to, size_t count);
void comm_schedule_source(struct comm_schedule *s, struct comm_place from);

static inline struct comm_place comm_at(comm_space space, size_t offset)
{
    return (struct comm_place){.space = space, .buffer = 0, .offset = offset, .stride = 1};
}

/* RT_ENOMEM if memory ran out while it was built. */
RT_NODISCARD rt_status comm_schedule_check(const struct comm_schedule *s);
size_t comm_schedule_round_end(const struct comm_schedule *s, size_t round); /* its last step + 1 */
size_t comm_schedule_transfers(const struct comm_schedule *s); /* most of them in one round */
size_t comm_schedule_most_sources(const struct comm_schedule *s);
size_t comm_schedule_most_count(const struct comm_schedule *s); /* blocks of the largest step */
void comm_schedule_print(const struct comm_schedule *s, FILE *out);
void comm_schedule_clear(struct comm_schedule *s);

#endif
