/* comm/schedule/direct.c - every pair of members exchanges at once
 *
 * gather   one round: the own block to all others, all others' blocks from them
 * reduce   round 0: what this member adds to every other's block; round 1: each to its owner, and
 *          the others' sums of the own block from them; round 2: they are added in member order
 * Order    S[0] + S[1] + ... + S[N-1], from the left; S[m] is the sum of member m's parts.
 *          Receives by distance backwards, sends by distance forwards, so that pairs line up and
 *          nobody is everybody's first target
 * Numbers  every S but the owner's is rounded once to the wire's type
 * Staging  2N blocks of WIRE, 1 of STAGE where a member has several parts
 * Cost     gather  alpha + (N-1) n beta
 *          reduce  alpha + (N-1) n beta + [(G+1)(N-1) + (G > 1) (G+1) + N+1] n gamma
 *          n bytes a slice, N members of G parts
 * Source   Thakur, Rabenseifner, Gropp 2005, "Optimization of Collective Communication Operations
 *          in MPICH" (pairwise exchange, here at once)
 */
#include "comm/schedule/team.h"

static int gather_rounds(int members)
{
    (void)members;
    return 1;
}

static void gather(struct comm_schedule *s, const struct comm_team *team, int round)
{
    (void)round;
    for (int d = 1; d < team->members; d++) {
        int from = comm_team_member(team, -d);
        comm_team_recv(s, team, from, from, 1);
    }
    for (int d = 1; d < team->members; d++)
        comm_team_send(s, team, comm_team_member(team, d), team->place, 1);
}

static int reduce_rounds(int members)
{
    (void)members;
    return 3;
}

static size_t wire_blocks(int members) { return 2 * (size_t)members; }

/* Slot m: for member m; slot N + m: from it. */
static void reduce_send(struct comm_schedule *s, const struct comm_team *team)
{
    const int N = team->members;
    struct comm_span own = {0};

    for (int d = 1; d < N && comm_team_owns(team, team->place); d++) {
        int from = comm_team_member(team, -d);
        comm_team_recv_wire(s, team, from, team->place, 1, (size_t)(N + from));
    }
    for (int d = 1; d < N; d++) {
        int to = comm_team_member(team, d);
        comm_team_send_wire(s, team, to, to, 1, (size_t)to);
    }
    if (team->parts == 1 || !comm_span_next(team, team->place, 1, &own)) return;
    comm_schedule_reduce(s, comm_at(COMM_SPACE_STAGE, team->stage), 1);
    comm_team_add_parts(s, team, &own);
}

static void reduce_add(struct comm_schedule *s, const struct comm_team *team)
{
    struct comm_span own;

    if (!comm_team_result(s, team, &own)) return;
    for (int m = 0; m < team->members; m++) {
        if (m != team->place)
            comm_schedule_source(s, comm_team_wire(team, (size_t)(team->members + m)));
        else if (team->parts == 1)
            comm_team_add_parts(s, team, &own);
        else
            comm_schedule_source(s, comm_at(COMM_SPACE_STAGE, team->stage));
    }
}

static void reduce(struct comm_schedule *s, const struct comm_team *team, int round)
{
    if (round == 1) reduce_send(s, team);
    if (round == 2) reduce_add(s, team);
    if (round > 0) return;
    const int from = comm_team_member(team, 1);
    for (struct comm_span p = {0}; comm_span_next(team, from, team->members - 1, &p);) {
        comm_schedule_reduce(s, comm_team_wire(team, (size_t)p.member), p.count);
        comm_team_add_parts(s, team, &p);
    }
}

const struct comm_pattern comm_pattern_direct = {.gather_rounds = gather_rounds,
                                                 .gather = gather,
                                                 .reduce_rounds = reduce_rounds,
                                                 .reduce = reduce,
                                                 .wire_blocks = wire_blocks};
