/* comm/schedule/bruck.c - distances double; any number of members in ceil(log2 N) rounds
 *
 * gather   round k: from the member 2^k ahead the min(2^k, N - 2^k) blocks that begin with its own.
 *          Blocks lie where they belong and ranges wrap, so that nothing is rotated at the end
 * reduce   time reversed: for k from the last to 0 the partial sums for the members 2^k ahead and
 *          beyond go to the member 2^k ahead, and as many come from 2^k behind
 * Order    the parts one by one, then what came, the farthest (first) first; every partial sum
 *          that travels is made in the same order of what its sender had by then
 * Numbers  partial sums are rounded to the wire's type when sent, K times at most, and are added
 *          in fp32. K = ceil(log2 N), Q = 2^(K-1)
 * Staging  Q + max(N - Q, Q - 1) blocks of WIRE. Slot d is of the member d ahead:
 *
 *            0 ............ Q ............ N       sent first: d of Q..N-1
 *            [ round K-1 in ][ K-2 in ][ K-3 ]...  later sums are made and sent where came what is
 *                                                  added last
 * Cost     gather  K alpha + (N-1) n beta
 *          reduce  K alpha + (N-1) n beta + [N (G+1) + N-1] n gamma
 *          n bytes a slice, N members of G parts; a range that wraps is two messages
 * Source   Bruck, Ho, Kipnis, Upfal, Weathersby 1997, "Efficient Algorithms for All-to-All
 *          Communications in Multiport Message-Passing Systems"
 */
#include "comm/schedule/team.h"

static int gather_rounds(int members)
{
    int k = 0;

    while ((1 << k) < members) k++;
    return k;
}

static int range_of(const struct comm_team *team, int k)
{
    const int ahead = 1 << k;

    return ahead < team->members - ahead ? ahead : team->members - ahead;
}

static void gather(struct comm_schedule *s, const struct comm_team *team, int round)
{
    const int ahead = comm_team_member(team, 1 << round);
    const int behind = comm_team_member(team, -(1 << round));

    comm_team_recv(s, team, ahead, ahead, range_of(team, round));
    comm_team_send(s, team, behind, team->place, range_of(team, round));
}

static int reduce_rounds(int members) { return 2 * gather_rounds(members) + 1; }

static size_t wire_blocks(int members)
{
    const size_t N = (size_t)members, Q = (size_t)1 << (gather_rounds(members) - 1);

    return Q + (N - Q > Q - 1 ? N - Q : Q - 1);
}

/* Where came what round k brought for the member d ahead. */
static size_t slot_in(int K, int k, int d)
{
    return ((size_t)1 << K) - ((size_t)2 << k) + (size_t)d;
}

/* Where lies what round k sends for the member d ahead. */
static size_t slot_out(int K, int k, int d)
{
    return k == K - 1 ? (size_t)d : slot_in(K, k + 1, d);
}

/* What came for a span, `at` ahead, in rounds K-1..k+1. */
static void add_received(struct comm_schedule *s, const struct comm_team *team, int K, int k,
                         int at)
{
    for (int j = K - 1; j > k; j--)
        if (at < range_of(team, j))
            comm_schedule_source(s, comm_team_wire(team, slot_in(K, j, at)));
}

/* Partial sums for `members` members from `d` ahead on; they have the same sources. */
static void make(struct comm_schedule *s, const struct comm_team *team, int k, int d, int members)
{
    const int K = gather_rounds(team->members), from = comm_team_member(team, d);

    for (struct comm_span p = {0}; comm_span_next(team, from, members, &p);) {
        comm_schedule_reduce(s, comm_team_wire(team, slot_out(K, k, d + p.at)), p.count);
        comm_team_add_parts(s, team, &p);
        add_received(s, team, K, k, d + p.at);
    }
}

static void reduce(struct comm_schedule *s, const struct comm_team *team, int round)
{
    const int K = gather_rounds(team->members), k = K - 1 - round / 2;
    struct comm_span own;

    if (k < 0) {
        if (!comm_team_result(s, team, &own)) return;
        comm_team_add_parts(s, team, &own);
        add_received(s, team, K, -1, 0);
        return;
    }
    const int ahead = 1 << k, range = range_of(team, k);
    if (round % 2 == 1) {
        comm_team_recv_wire(s, team, comm_team_member(team, -ahead), team->place, range,
                            slot_in(K, k, 0));
        comm_team_send_wire(s, team, comm_team_member(team, ahead), comm_team_member(team, ahead),
                            range, slot_out(K, k, ahead));
        return;
    }
    /* The first round that brought something may have brought it for fewer. */
    const int first = k < K - 1 ? range_of(team, K - 1) : team->members;
    const int both = first - ahead < 0 ? 0 : first - ahead < range ? first - ahead : range;
    make(s, team, k, ahead, both);
    make(s, team, k, ahead + both, range - both);
}

const struct comm_pattern comm_pattern_bruck = {.gather_rounds = gather_rounds,
                                                .gather = gather,
                                                .reduce_rounds = reduce_rounds,
                                                .reduce = reduce,
                                                .wire_blocks = wire_blocks};
