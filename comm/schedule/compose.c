/* comm/schedule/compose.c - the operations, made of a pattern's gather and reduce
 *
 * Numbers  ALLREDUCE and ALLREDUCE_OWN gather sums that their owners made, in fp32: all ranks end
 *          with the same bits whatever travels in the reduce half
 */
#include "comm/schedule/team.h"

/* Where sums end, and what they are sums of. */
static void prepare(struct comm_lanes *lanes, comm_op op, size_t wire_blocks, size_t stage)
{
    int mine = 0;

    for (int i = lanes->local; i < lanes->count; i += lanes->here, mine++) {
        struct comm_team *team = &lanes->team[i];
        team->wire = (size_t)mine * wire_blocks;
        team->stage = stage + (size_t)mine;
        if (op == COMM_ALLREDUCE && comm_team_owns(team, team->place))
            team->result = comm_at(COMM_SPACE_UNIT, team->blocks[team->place]);
        if (op != COMM_ALLREDUCE_OWN) continue;
        for (int n = 0; n < team->members; n++) team->blocks[n] = (size_t)n;
        team->space = COMM_SPACE_OWN;
        team->result = comm_at(COMM_SPACE_OWN, (size_t)team->place);
        team->parts = 1;
        team->part[0] = (struct comm_part){.space = COMM_SPACE_OWN};
    }
}

static void run(struct comm_schedule *s, const struct comm_lanes *lanes, int rounds,
                void (*append)(struct comm_schedule *, const struct comm_team *, int))
{
    for (int t = 0; t < rounds; t++) {
        comm_schedule_round(s);
        for (int i = lanes->local; i < lanes->count; i += lanes->here)
            append(s, &lanes->team[i], t);
    }
}

/* One node alone. */
static void reduce_alone(struct comm_schedule *s, const struct comm_team *team, int round)
{
    struct comm_span own;

    (void)round;
    if (team->result.space == COMM_SPACE_OWN && team->part[0].space == COMM_SPACE_OWN) return;
    if (comm_team_result(s, team, &own)) comm_team_add_parts(s, team, &own);
}

static void between(struct comm_schedule *s, const struct comm_lanes *lanes,
                    const struct comm_pattern *pattern, comm_op op)
{
    const int N = lanes->team[0].members;
    const bool sums = op != COMM_GATHER, gathers = op != COMM_REDUCE;

    if (N == 1) {
        if (sums) run(s, lanes, 1, reduce_alone);
    } else {
        if (sums) run(s, lanes, pattern->reduce_rounds(N), pattern->reduce);
        if (gathers) run(s, lanes, pattern->gather_rounds(N), pattern->gather);
    }
}

void comm_compose(struct comm_schedule *s, const struct comm_pattern *pattern, bool two_level,
                  comm_op op, const struct comm_layout *l)
{
    const bool flat = !l->window && !two_level && op != COMM_ALLREDUCE_OWN;
    const bool inside = !l->window && two_level && op != COMM_ALLREDUCE_OWN;
    struct comm_lanes lanes;

    comm_lanes_init(&lanes, s, l, flat);
    if (s->broken) return;
    const int N = lanes.team[0].members;
    prepare(&lanes, op, N == 1 ? 0 : pattern->wire_blocks(N),
            inside && op != COMM_GATHER ? comm_node_stage_blocks(&lanes) : 0);
    if (inside && op != COMM_GATHER) comm_node_reduce(s, &lanes);
    if (!s->broken) between(s, &lanes, pattern, op);
    if (inside && op != COMM_REDUCE && !s->broken) comm_node_gather(s, &lanes);
    comm_schedule_round(s); /* none is left empty at the end */
    s->rounds_count -= s->rounds_count > 0 && s->rounds[s->rounds_count - 1] == s->steps_count;
    comm_lanes_clear(&lanes);
}
