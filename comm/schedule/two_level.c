/* comm/schedule/two_level.c - inside a node without a window, by messages
 *
 * reduce   before the lanes run: each local rank copies for each of its neighbours what it adds to
 *          the lanes that this one carries, and sends it; what came is then a part beside its own.
 *          The parts of a block stand in the order of local ranks, as in a window
 * gather   after the lanes have run: each local rank sends its neighbours the blocks of its lanes
 * Numbers  inside a node fp32 travels: a sum has the bits that it has with a window
 * Staging  2 (G-1) N blocks of STAGE for nodes of G ranks
 * Cost     beside that of the lanes, for nodes of equal size:
 *          gather  alpha + (G-1) N n beta
 *          reduce  alpha + (G-1) N n beta + 2 (G-1) N n gamma     inside the node
 * Source   Karonis et al. 2000, "Exploiting Hierarchy in Parallel Computer Networks to Optimize
 *          Collective Operation Performance"; lanes: Traeff, Hunold 2020, "Decomposing MPI
 *          Collectives for Exploiting Multi-lane Communication"
 */
#include <stdlib.h>

#include "comm/schedule/team.h"

/* Most blocks that lanes of one local rank have together, gaps included. */
static size_t area(const struct comm_lanes *lanes)
{
    const size_t most = (size_t)((lanes->count + lanes->here - 1) / lanes->here);
    return most * (size_t)lanes->team[0].members;
}

size_t comm_node_stage_blocks(const struct comm_lanes *lanes)
{
    return 2 * (size_t)(lanes->here - 1) * area(lanes);
}

/* Areas lie by distance: what goes `d` forward, behind it what comes from `d` backward. */
static size_t slot_out(const struct comm_lanes *lanes, int d)
{
    return (size_t)(d - 1) * area(lanes);
}

static size_t slot_in(const struct comm_lanes *lanes, int d)
{
    return (size_t)(lanes->here - 1 + d - 1) * area(lanes);
}

static int neighbour(const struct comm_lanes *lanes, int d)
{
    return (lanes->local + d + lanes->here) % lanes->here;
}

/* What falls to local rank `to`, in its area from `slot` on. kind COPY: out of LOCAL. */
static void each_lane(struct comm_schedule *s, const struct comm_lanes *lanes, comm_step_kind kind,
                      int to, int peer, size_t slot)
{
    for (int i = to; i < lanes->count; i += lanes->here) {
        const struct comm_team *team = &lanes->team[i];
        for (struct comm_span p = {0}; comm_span_next(team, 0, team->members, &p);) {
            struct comm_place at = comm_at(COMM_SPACE_STAGE, slot + (size_t)p.member);
            if (kind == COMM_STEP_COPY)
                comm_schedule_copy(s, at, comm_span_at(COMM_SPACE_LOCAL, &p), p.count);
            if (kind == COMM_STEP_SEND) comm_schedule_send(s, peer, at, p.count);
            if (kind == COMM_STEP_RECV) comm_schedule_recv(s, peer, at, p.count);
        }
        slot += (size_t)team->members;
    }
}

static bool set_parts(const struct comm_lanes *lanes, struct comm_team *team, size_t slot)
{
    struct comm_part *part = calloc((size_t)lanes->here, sizeof *part);

    if (part == NULL) return false;
    for (int k = 0; k < lanes->here; k++) {
        int d = (lanes->local - k + lanes->here) % lanes->here;
        part[k].space = d == 0 ? COMM_SPACE_LOCAL : COMM_SPACE_STAGE;
        if (d > 0) part[k].slot = slot_in(lanes, d) + slot;
    }
    free(team->part);
    team->part = part;
    team->parts = lanes->here;
    return true;
}

void comm_node_reduce(struct comm_schedule *s, struct comm_lanes *lanes)
{
    size_t slot = 0;

    comm_schedule_round(s);
    for (int d = 1; d < lanes->here; d++)
        each_lane(s, lanes, COMM_STEP_COPY, neighbour(lanes, d), -1, slot_out(lanes, d));
    comm_schedule_round(s);
    for (int d = 1; d < lanes->here; d++)
        each_lane(s, lanes, COMM_STEP_RECV, lanes->local, lanes->first + neighbour(lanes, -d),
                  slot_in(lanes, d));
    for (int d = 1; d < lanes->here; d++)
        each_lane(s, lanes, COMM_STEP_SEND, neighbour(lanes, d), lanes->first + neighbour(lanes, d),
                  slot_out(lanes, d));
    for (int i = lanes->local; i < lanes->count && !s->broken; i += lanes->here) {
        s->broken = !set_parts(lanes, &lanes->team[i], slot);
        slot += (size_t)lanes->team[i].members;
    }
}

/* The gathered blocks of the lanes that local rank `from` carries. */
static void each_block(struct comm_schedule *s, const struct comm_lanes *lanes, comm_step_kind kind,
                       int from, int peer)
{
    for (int i = from; i < lanes->count; i += lanes->here) {
        const struct comm_team *team = &lanes->team[i];
        for (struct comm_span p = {0}; comm_span_next(team, 0, team->members, &p);) {
            if (kind == COMM_STEP_SEND)
                comm_schedule_send(s, peer, comm_span_at(COMM_SPACE_UNIT, &p), p.count);
            else
                comm_schedule_recv(s, peer, comm_span_at(COMM_SPACE_UNIT, &p), p.count);
        }
    }
}

void comm_node_gather(struct comm_schedule *s, const struct comm_lanes *lanes)
{
    comm_schedule_round(s);
    for (int d = 1; d < lanes->here; d++) {
        int from = neighbour(lanes, -d);
        each_block(s, lanes, COMM_STEP_RECV, from, lanes->first + from);
    }
    for (int d = 1; d < lanes->here; d++)
        each_block(s, lanes, COMM_STEP_SEND, lanes->local, lanes->first + neighbour(lanes, d));
}
