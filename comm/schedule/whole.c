/* comm/schedule/whole.c - little data in one exchange, by as few messages as there may be
 *
 * With a window the first rank of each node is its member and works for all of the node, since
 * little data is a matter of messages: the others only meet it in the window.
 *
 * gather      the node's blocks, side by side, to all other members, and theirs from them
 * all-reduce  what a member adds to all blocks, whole, to all others; each adds everything
 * reduce      direct's: the sums belong to ranks that only they can reach
 * On one node it does what direct does.
 *
 * Order    S[0] + S[1] + ... + S[N-1], from the left; S[m] is the sum of member m's parts
 * Numbers  every S is rounded once to the wire's type, the own one too: all end with the same bits
 * Staging  all-reduce N*B blocks of WIRE
 * Cost     gather      alpha + (N-1) G n beta
 *          all-reduce  alpha + (N-1) B n beta + [B (G+1) + B (N+1)] n gamma
 *          n bytes a block, B of them in all, N members of G blocks or parts
 */
#include "comm/schedule/team.h"

struct members {
    int count, place; /* N, mine */
    int parts;        /* G, each with all blocks */
    size_t blocks;    /* B */
    comm_space from, to;
};

static struct members members_of(comm_op op, const struct comm_layout *l)
{
    const int node = comm_layout_node(l, l->rank);

    if (op == COMM_ALLREDUCE_OWN) /* one lane for each local rank */
        return (struct members){.count = l->nodes,
                                .place = node,
                                .parts = 1,
                                .blocks = (size_t)l->nodes,
                                .from = COMM_SPACE_OWN,
                                .to = COMM_SPACE_OWN};
    return (struct members){.count = l->window ? l->nodes : l->size,
                            .place = l->window ? node : l->rank,
                            .parts = l->window ? comm_layout_local_size(l, node) : 1,
                            .blocks = (size_t)l->size,
                            .from = COMM_SPACE_LOCAL,
                            .to = COMM_SPACE_UNIT};
}

/* Which rank works for a member. */
static int rank_of(comm_op op, const struct comm_layout *l, int member)
{
    if (op == COMM_ALLREDUCE_OWN)
        return l->first[member] + l->rank - l->first[comm_layout_node(l, l->rank)];
    return l->window ? l->first[member] : member;
}

/* A member's blocks of UNIT. */
static struct comm_place blocks_of(const struct comm_layout *l, int member, size_t *count)
{
    *count = l->window ? (size_t)comm_layout_local_size(l, member) : 1;
    return comm_at(COMM_SPACE_UNIT, (size_t)rank_of(COMM_GATHER, l, member));
}

static void gather(struct comm_schedule *s, const struct comm_layout *l, const struct members *m)
{
    size_t count;

    comm_schedule_round(s);
    s->for_node = m->parts > 1;
    for (int d = 1; d < m->count; d++) {
        const int from = (m->place - d + m->count) % m->count;
        const struct comm_place to = blocks_of(l, from, &count);
        comm_schedule_recv(s, rank_of(COMM_GATHER, l, from), to, count);
    }
    for (int d = 1; d < m->count; d++) {
        const struct comm_place own = blocks_of(l, m->place, &count);
        comm_schedule_send(s, rank_of(COMM_GATHER, l, (m->place + d) % m->count), own, count);
    }
}

static struct comm_place slots(const struct members *m, int member)
{
    return comm_at(COMM_SPACE_WIRE, (size_t)member * m->blocks);
}

static void allreduce(struct comm_schedule *s, comm_op op, const struct comm_layout *l,
                      const struct members *m)
{
    comm_schedule_round(s);
    comm_schedule_reduce(s, slots(m, m->place), m->blocks);
    for (int k = 0; k < m->parts; k++) {
        struct comm_place from = comm_at(m->from, 0);
        from.buffer = k;
        comm_schedule_source(s, from);
    }
    comm_schedule_round(s);
    for (int d = 1; d < m->count; d++) {
        const int from = (m->place - d + m->count) % m->count;
        comm_schedule_recv(s, rank_of(op, l, from), slots(m, from), m->blocks);
    }
    for (int d = 1; d < m->count; d++)
        comm_schedule_send(s, rank_of(op, l, (m->place + d) % m->count), slots(m, m->place),
                           m->blocks);
    comm_schedule_round(s);
    comm_schedule_reduce(s, comm_at(m->to, 0), m->blocks);
    for (int k = 0; k < m->count; k++) comm_schedule_source(s, slots(m, k));
}

void comm_whole(struct comm_schedule *s, comm_op op, const struct comm_layout *l)
{
    const struct members m = members_of(op, l);

    if (op == COMM_REDUCE || m.count == 1)
        comm_compose(s, &comm_pattern_direct, false, op, l);
    else if (rank_of(op, l, m.place) != l->rank)
        return; /* another rank of the node works for this one */
    else if (op == COMM_GATHER)
        gather(s, l, &m);
    else
        allreduce(s, op, l, &m);
}
