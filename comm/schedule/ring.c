/* comm/schedule/ring.c - blocks go round the members; only neighbours talk
 *
 * gather   N-1 rounds: on to the next member what came last, beginning with the own block
 * reduce   a partial sum per block starts behind its owner, goes round and ends at it. Two blocks
 *          take turns: one travels in while the other travels out; then the own parts are added
 * Order    owner m: ((S[m+1] + parts of m+2) + ...) + parts of m; S[m+1] is the sum of its parts,
 *          the others' parts are added to the partial sum one by one
 * Numbers  fp32 on the wire only: a rounded partial sum would be rounded N-1 times
 * Staging  2 blocks of WIRE
 * Cost     gather  (N-1) (alpha + n beta)
 *          reduce  (N-1) (alpha + n beta + (G+2) n gamma) + (G+1) n gamma
 *          n bytes a slice, N members of G parts
 * Source   Chan, Heimlich, Purkayastha, van de Geijn 2007, "Collective communication: theory,
 *          practice, and experience" (bucket algorithms)
 */
#include "comm/schedule/team.h"

static int gather_rounds(int members) { return members - 1; }

static void gather(struct comm_schedule *s, const struct comm_team *team, int round)
{
    const int in = comm_team_member(team, -1 - round), out = comm_team_member(team, -round);

    comm_team_recv(s, team, comm_team_member(team, -1), in, 1);
    comm_team_send(s, team, comm_team_member(team, 1), out, 1);
}

static int reduce_rounds(int members) { return 1 + 2 * (members - 1); }

static size_t wire_blocks(int members)
{
    (void)members;
    return 2;
}

/* Round 0: the first partial sum. Rounds 2t+1: travel. Rounds 2t+2: add to what came. */
static void reduce(struct comm_schedule *s, const struct comm_team *team, int round)
{
    const int t = (round + 1) / 2; /* the sum after t hops */
    const int now = comm_team_member(team, -1 - t);
    const size_t slot = (size_t)(t % 2);

    if (round % 2 == 1) {
        const int out = comm_team_member(team, -t);
        comm_team_recv_wire(s, team, comm_team_member(team, -1), now, 1, slot);
        comm_team_send_wire(s, team, comm_team_member(team, 1), out, 1, 1 - slot);
        return;
    }
    struct comm_span p = {0};
    if (!comm_span_next(team, now, 1, &p)) return;
    comm_schedule_reduce(s, now == team->place ? team->result : comm_team_wire(team, slot), 1);
    if (t > 0) comm_schedule_source(s, comm_team_wire(team, slot));
    comm_team_add_parts(s, team, &p);
}

const struct comm_pattern comm_pattern_ring = {.gather_rounds = gather_rounds,
                                               .gather = gather,
                                               .reduce_rounds = reduce_rounds,
                                               .reduce = reduce,
                                               .wire_blocks = wire_blocks};
