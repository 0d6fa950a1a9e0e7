/* tests/comm/schedule/play.h - all ranks' schedules executed in one process, and watched
 *
 * Transfers are as slow as they may be: a round ends only when its sends have been received. What
 * no schedule may do is noticed: touch what is in flight, read what was never written or what a
 * neighbour writes meanwhile, leave its places, mismatch counts or spaces, wait for ever.
 * Values are 64 bits and what the arithmetic makes of them: a hash of the expression, or a float.
 */
#ifndef TESTS_COMM_SCHEDULE_PLAY_H
#define TESTS_COMM_SCHEDULE_PLAY_H

#include "comm/schedule/schedule.h"

struct play_arithmetic {
    /* What rank contributes to a block: of LOCAL, of OWN in ALLREDUCE_OWN; its slice in GATHER. */
    uint64_t (*leaf)(const void *context, int rank, size_t block);
    uint64_t (*sum)(uint64_t a, uint64_t b);
    uint64_t (*cast)(uint64_t a); /* to bf16 */
    const void *context;
    bool tree; /* sums by a binary tree over the sources, as rt_vector's reduce */
};

extern const struct play_arithmetic play_symbols;
uint64_t play_leaf(const void *context, int rank, size_t block);
uint64_t play_sum(uint64_t a, uint64_t b);
uint64_t play_cast(uint64_t a);

struct play_cell {
    uint64_t value;
    int writer;              /* rank + 1; 0: never written */
    uint32_t received, sent; /* last, in round + 1 of the rank that touches it */
};

struct play_message;

struct play_rank {
    struct comm_schedule schedule;
    struct play_cell *space[COMM_SPACES]; /* UNIT may be the node's; no LOCAL */
    size_t blocks[COMM_SPACES];
    size_t round;
    bool posted;
    bool *taken;    /* (steps) received */
    size_t waiting; /* receives of this round that are to come */
    size_t flying;  /* sends of this rank that nobody has received yet */
    int owns;       /* how often OWN was written */
};

struct play {
    struct comm_layout layout; /* of rank 0 */
    comm_op op;
    rt_dtype wire;
    const struct play_arithmetic *arithmetic;
    struct play_rank *ranks;
    struct play_message **head, **tail; /* (size, size) from, to */
    const char *bad;                    /* the first breach; NULL: none */
    int bad_rank;
};

/* Builds every rank's schedule; a test may spoil them before play_run. Aborts without memory. */
void play_open(struct play *p, const struct comm_layout *l, const struct comm_algorithm *a,
               comm_op op, rt_dtype wire, const struct play_arithmetic *arithmetic);
void play_run(struct play *p);
void play_close(struct play *p);

/* false, and the breach kept, if it is the first. */
bool play_must(struct play *p, int rank, bool ok, const char *what);

/* The sum of a block as the algorithm's header states it; symbols. */
uint64_t play_stated(const struct comm_algorithm *a, const struct comm_layout *l, comm_op op,
                     rt_dtype wire, int lane, int owner);
/* Everything that must be true when it has run. */
void play_check(struct play *p, const struct comm_algorithm *a);

#endif
