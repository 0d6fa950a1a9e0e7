/* comm/schedule/whole.c - an all-reduce of little data in one exchange
 *
 * Every member sends what it adds to all blocks, whole, to all others, and each adds everything.
 * Its gather and its reduce are direct's.
 *
 * Order    S[0] + S[1] + ... + S[N-1], from the left; S[m] is the sum of member m's parts
 * Numbers  every S is rounded once to the wire's type, the own one too: all end with the same bits
 * Staging  N*N blocks of WIRE
 * Cost     alpha + (N-1) N n beta + [N (G+1) + N (N+1)] n gamma   n bytes a slice, N members of G
 *          parts
 */
#include "comm/schedule/team.h"

static int allreduce_rounds(int members)
{
    (void)members;
    return 3;
}

static size_t allreduce_wire_blocks(int members) { return (size_t)members * (size_t)members; }

static size_t slot(const struct comm_team *team, int from, int member)
{
    return (size_t)from * (size_t)team->members + (size_t)member;
}

static void exchange(struct comm_schedule *s, const struct comm_team *team)
{
    const int N = team->members;

    for (int d = 1; d < N; d++) {
        int from = comm_team_member(team, -d);
        comm_team_recv_wire(s, team, from, 0, N, slot(team, from, 0));
    }
    for (int d = 1; d < N; d++)
        comm_team_send_wire(s, team, comm_team_member(team, d), 0, N, slot(team, team->place, 0));
}

static void allreduce(struct comm_schedule *s, const struct comm_team *team, int round)
{
    const int N = team->members;

    if (round == 1) {
        exchange(s, team);
        return;
    }
    for (struct comm_span p = {0}; comm_span_next(team, 0, N, &p);) {
        if (round == 0) {
            comm_schedule_reduce(s, comm_team_wire(team, slot(team, team->place, p.member)),
                                 p.count);
            comm_team_add_parts(s, team, &p);
            continue;
        }
        comm_schedule_reduce(s, comm_span_at(team->space, &p), p.count);
        for (int m = 0; m < N; m++)
            comm_schedule_source(s, comm_team_wire(team, slot(team, m, p.member)));
    }
}

const struct comm_pattern comm_pattern_whole = {.allreduce_rounds = allreduce_rounds,
                                                .allreduce = allreduce,
                                                .allreduce_wire_blocks = allreduce_wire_blocks};
