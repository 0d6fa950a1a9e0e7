/* comm/schedule/doubling.c - recursive doubling to gather, recursive halving to reduce
 *
 * Let Q = 2^K be the largest power of two up to N. The first 2 (N-Q) members go in pairs: the odd
 * one gives its blocks to the even one before, and gets its own from it after. The others and the
 * even ones are Q points; those whose number differs in bit k exchange halves of ranges.
 *
 * gather   [odd to even] bit 0, 1 ... K-1: all that both have [even to odd]
 * reduce   [odd to even] bit K-1 ... 0: partial sums of the blocks of the other's half
 *          [even to odd]
 * Order    the parts one by one, [what came from the odd one,] what came at bit K-1, K-2, ...;
 *          every partial sum that travels is made in the same order of what its sender had by
 *          then. An odd member adds its own parts behind what comes last
 * Numbers  partial sums are rounded to the wire's type when sent, K (+ 2) times at most, and are
 *          added in fp32
 * Staging  WIRE: N blocks where N is a power of two, else up to N + 2 Q - 2. Slot m of the first N
 *          is of member m: what came from the odd one, then what is sent at bit K-1. Later sums
 *          are made and sent where came what is added last
 * Cost     N = Q:  gather  K alpha + (N-1) n beta
 *                  reduce  K alpha + (N-1) n beta + [N (G+1) + N-1] n gamma
 *          else    gather  at most (K+2) alpha + (N + 2Q-2) n beta, and so reduce
 *          n bytes a slice, N members of G parts
 * Source   Thakur, Rabenseifner, Gropp 2005, "Optimization of Collective Communication Operations
 *          in MPICH"; Rabenseifner 2004, "Optimization of Collective Reduction Operations"
 */
#include "comm/schedule/team.h"

/* Where a member stands. */
struct point {
    int N, K, extra; /* extra: pairs */
    int number;      /* of its point */
    bool paired, odd;
};

static struct point point_of(const struct comm_team *team)
{
    struct point p = {.N = team->members};

    while ((2 << p.K) <= p.N) p.K++;
    p.extra = p.N - (1 << p.K);
    p.paired = team->place < 2 * p.extra;
    p.odd = p.paired && team->place % 2 == 1;
    p.number = p.paired ? team->place / 2 : team->place - p.extra;
    return p;
}

static int member_of(const struct point *p, int number)
{
    return number < p->extra ? 2 * number : number + p->extra;
}

/* The 2^k points that have the same upper bits: their first member; how many members they are. */
static int group_first(const struct point *p, int number, int k)
{
    return member_of(p, number >> k << k);
}

static int group_members(const struct point *p, int number, int k)
{
    const int first = number >> k << k;

    return member_of(p, first + (1 << k)) - member_of(p, first);
}

static int gather_rounds(int members)
{
    int K = 0;

    while ((2 << K) <= members) K++;
    return members == 1 << K ? K : K + 2;
}

static void gather(struct comm_schedule *s, const struct comm_team *team, int round)
{
    const struct point p = point_of(team);
    const int me = team->place, k = p.extra > 0 ? round - 1 : round;

    if (k >= 0 && k < p.K && !p.odd) {
        int other = p.number ^ (1 << k), peer = member_of(&p, other);
        comm_team_recv(s, team, peer, group_first(&p, other, k), group_members(&p, other, k));
        comm_team_send(s, team, peer, group_first(&p, p.number, k), group_members(&p, p.number, k));
    }
    if (k >= 0 && k < p.K) return;
    if (p.odd && k < 0) comm_team_send(s, team, me - 1, me, 1);
    if (p.paired && !p.odd && k < 0) comm_team_recv(s, team, me + 1, me + 1, 1);
    if (p.odd && k == p.K) comm_team_recv(s, team, me - 1, comm_team_member(team, 1), p.N - 1);
    if (p.paired && !p.odd && k == p.K)
        comm_team_send(s, team, me + 1, comm_team_member(team, 2), p.N - 1);
}

static size_t wire_blocks(int members)
{
    const size_t N = (size_t)members;
    size_t Q = 1;

    while (2 * Q <= N) Q *= 2;
    return N == Q ? N : N + 2 * Q - 2;
}

/* What comes at bit k lies in slots from here on, by member of this point's group. */
static size_t slot_in(const struct point *p, int k)
{
    size_t slot = (size_t)p->N;

    if (p->extra == 0 && k == p->K - 1) return (size_t)group_first(p, p->number, k);
    if (p->extra == 0) /* packed where the first half was sent from */
        return (size_t)group_first(p, p->number ^ (1 << (p->K - 1)), p->K - 1) +
               ((size_t)1 << (p->K - 1)) - ((size_t)2 << k);
    for (int j = p->K - 1; j > k; j--) slot += (size_t)group_members(p, p->number, j);
    return slot;
}

/* What is sent for `member` at bit k. */
static size_t slot_out(const struct point *p, int k, int member)
{
    if (k == p->K - 1) return (size_t)member;
    return slot_in(p, k + 1) + (size_t)(member - group_first(p, p->number, k + 1));
}

/* All that a point had of a span when it had received at bits K-1..k+1. */
static void add_had(struct comm_schedule *s, const struct comm_team *team, const struct point *p,
                    const struct comm_span *span, int k)
{
    comm_team_add_parts(s, team, span);
    if (p->paired && span->member != team->place + 1)
        comm_schedule_source(s, comm_team_wire(team, (size_t)span->member));
    for (int j = p->K - 1; j > k; j--)
        comm_schedule_source(
            s, comm_team_wire(team, slot_in(p, j) +
                                        (size_t)(span->member - group_first(p, p->number, j))));
}

/* The blocks that an odd member gives away: all but its own, each in its member's slot. */
static void give(struct comm_schedule *s, const struct comm_team *team, const struct point *p,
                 bool transfer)
{
    const int odd = p->odd ? team->place : team->place + 1;
    const int from[] = {0, odd + 1}, members[] = {odd, p->N - odd - 1};

    for (int half = 0; half < 2; half++) {
        if (transfer && p->odd)
            comm_team_send_wire(s, team, odd - 1, from[half], members[half], (size_t)from[half]);
        if (transfer && !p->odd)
            comm_team_recv_wire(s, team, odd, from[half], members[half], (size_t)from[half]);
        for (struct comm_span q = {0};
             !transfer && p->odd && comm_span_next(team, from[half], members[half], &q);) {
            comm_schedule_reduce(s, comm_team_wire(team, (size_t)q.member), q.count);
            comm_team_add_parts(s, team, &q);
        }
    }
}

/* Partial sums of `members` from `first` on, for bit k; -1: of the odd member's. */
static void make(struct comm_schedule *s, const struct comm_team *team, const struct point *p,
                 int k, int first, int members)
{
    for (struct comm_span q = {0}; comm_span_next(team, first, members, &q);) {
        comm_schedule_reduce(s, comm_team_wire(team, slot_out(p, k, q.member)), q.count);
        add_had(s, team, p, &q, k);
    }
}

static void halve(struct comm_schedule *s, const struct comm_team *team, const struct point *p,
                  int k, bool transfer)
{
    const int other = p->number ^ (1 << k), peer = member_of(p, other);
    const int first = group_first(p, other, k), members = group_members(p, other, k);

    if (p->odd) return;
    if (!transfer) {
        make(s, team, p, k, first, members);
        return;
    }
    comm_team_recv_wire(s, team, peer, group_first(p, p->number, k), group_members(p, p->number, k),
                        slot_in(p, k));
    comm_team_send_wire(s, team, peer, first, members, slot_out(p, k, first));
}

/* The sum of an odd member's block goes home. */
static void give_back(struct comm_schedule *s, const struct comm_team *team, const struct point *p,
                      bool transfer)
{
    const int me = team->place;

    if (transfer && p->odd) comm_team_recv_wire(s, team, me - 1, me, 1, (size_t)me);
    if (!p->paired || p->odd) return;
    if (transfer)
        comm_team_send_wire(s, team, me + 1, me + 1, 1, slot_out(p, -1, me + 1));
    else
        make(s, team, p, -1, me + 1, 1);
}

static int reduce_rounds(int members) { return 2 * gather_rounds(members) + 1; }

/* Even rounds make what odd ones send; the last makes the result. */
static void reduce(struct comm_schedule *s, const struct comm_team *team, int round)
{
    const struct point p = point_of(team);
    const int stage = p.extra > 0 ? round / 2 - 1 : round / 2;
    const bool transfer = round % 2 == 1;
    struct comm_span own;

    if (stage < 0) {
        if (p.paired) give(s, team, &p, transfer);
    } else if (stage < p.K) {
        halve(s, team, &p, p.K - 1 - stage, transfer);
    } else if (p.extra > 0 && stage == p.K) {
        give_back(s, team, &p, transfer);
    } else if (comm_team_result(s, team, &own)) {
        if (p.odd) comm_schedule_source(s, comm_team_wire(team, (size_t)team->place));
        if (p.odd)
            comm_team_add_parts(s, team, &own);
        else
            add_had(s, team, &p, &own, -1);
    }
}

const struct comm_pattern comm_pattern_doubling = {.gather_rounds = gather_rounds,
                                                   .gather = gather,
                                                   .reduce_rounds = reduce_rounds,
                                                   .reduce = reduce,
                                                   .wire_blocks = wire_blocks};
