/* comm/schedule/team.h - who takes part in one exchange, and with which blocks; for algorithms
 *
 * Terms    team     one lane: for each node one member, in node order, with one block or none
 *          lane i   slice i of every node; carried on node n by its local rank i mod G_n, so a
 *                   node of few ranks carries lanes in which it owns nothing. Without nodes
 *                   (flat) there is one lane, of all ranks
 *          part     what this member adds to a block is the sum of its parts, in their order
 *          span     members of a range, wrapping behind the last, whose blocks lie evenly: one
 *                   step. Sender and receiver cut a range into the same spans
 *          pattern  an algorithm between the members of a team. All lanes of a rank run side by
 *                   side in the same rounds, lane by lane, so that messages match
 */
#ifndef COMM_SCHEDULE_TEAM_H
#define COMM_SCHEDULE_TEAM_H

#include <stdint.h>

#include "comm/schedule/schedule.h"

#define COMM_NO_BLOCK SIZE_MAX

struct comm_part {
    comm_space space; /* LOCAL, OWN: at the block's place; STAGE: at slot + member */
    int buffer;
    size_t slot;
};

struct comm_team {
    int members, place;       /* N, mine */
    int *ranks;               /* (members) world rank that works for each */
    size_t *blocks;           /* (members) COMM_NO_BLOCK where a node has no such slice */
    comm_space space;         /* where blocks are gathered: UNIT or OWN */
    struct comm_place result; /* of the own block */
    int parts;
    struct comm_part *part;
    size_t wire, stage; /* first of its own blocks of WIRE; its one block of STAGE */
};

struct comm_span {
    int member;   /* first of them */
    int at, next; /* its distance from the beginning of the range, that of what comes next */
    size_t count, block, stride;
};

struct comm_pattern {
    int (*gather_rounds)(int members); /* members >= 2 here and below */
    void (*gather)(struct comm_schedule *s, const struct comm_team *team, int round);
    int (*reduce_rounds)(int members);
    void (*reduce)(struct comm_schedule *s, const struct comm_team *team, int round);
    size_t (*wire_blocks)(int members); /* of a team */
};

extern const struct comm_pattern comm_pattern_direct, comm_pattern_ring, comm_pattern_doubling,
    comm_pattern_bruck;

/* All lanes of a layout; this rank carries local, local + here, local + 2 here... */
struct comm_lanes {
    struct comm_team *team; /* (count) */
    int count, local, here; /* here: ranks of this node */
    int first;              /* world rank of this node's first */
};

/* Takes every rank for a node if flat. Parts are LOCAL 0..here-1 of a window, result OWN 0.
 * Memory ran out: s is broken and there is no lane. */
void comm_lanes_init(struct comm_lanes *lanes, struct comm_schedule *s, const struct comm_layout *l,
                     bool flat);
void comm_lanes_clear(struct comm_lanes *lanes);

/* The next span of `members` members from `from` on; span starts as {0}. false: no more. */
bool comm_span_next(const struct comm_team *team, int from, int members, struct comm_span *span);

static inline int comm_team_member(const struct comm_team *team, int distance)
{
    return (team->place + distance % team->members + team->members) % team->members;
}

static inline bool comm_team_owns(const struct comm_team *team, int member)
{
    return team->blocks[member] != COMM_NO_BLOCK;
}

static inline struct comm_place comm_span_at(comm_space space, const struct comm_span *p)
{
    return (struct comm_place){.space = space, .offset = p->block, .stride = p->stride};
}

/* Gathered blocks of a range of members. */
void comm_team_send(struct comm_schedule *s, const struct comm_team *team, int to, int from,
                    int members);
void comm_team_recv(struct comm_schedule *s, const struct comm_team *team, int sender, int from,
                    int members);
/* Blocks of WIRE, one a member from `slot` on (of the team's): partial sums of a range. */
void comm_team_send_wire(struct comm_schedule *s, const struct comm_team *team, int to, int from,
                         int members, size_t slot);
void comm_team_recv_wire(struct comm_schedule *s, const struct comm_team *team, int sender,
                         int from, int members, size_t slot);
/* The parts of a span's blocks become sources of the reduce begun last. */
void comm_team_add_parts(struct comm_schedule *s, const struct comm_team *team,
                         const struct comm_span *p);
/* Begins the reduce of the own block; false: there is none. Its parts are one span in `own`. */
bool comm_team_result(struct comm_schedule *s, const struct comm_team *team, struct comm_span *own);

static inline struct comm_place comm_team_wire(const struct comm_team *team, size_t slot)
{
    return comm_at(COMM_SPACE_WIRE, team->wire + slot);
}

/* Inside a node without a window (two-level): every rank sends each of its neighbours what falls
 * to it. Partial sums become parts of the own lanes. */
size_t comm_node_stage_blocks(const struct comm_lanes *lanes);
void comm_node_reduce(struct comm_schedule *s, struct comm_lanes *lanes);
void comm_node_gather(struct comm_schedule *s, const struct comm_lanes *lanes);

/* Any operation by a pattern; an all-reduce is its reduce, then its gather. */
void comm_compose(struct comm_schedule *s, const struct comm_pattern *pattern, bool two_level,
                  comm_op op, const struct comm_layout *l);

/* What follows no pattern. */
void comm_whole(struct comm_schedule *s, comm_op op, const struct comm_layout *l);

#endif
