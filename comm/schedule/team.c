/* comm/schedule/team.c - lanes, and steps on ranges of their members */
#include "comm/schedule/team.h"

#include <stdlib.h>

/* false: memory ran out; what there is belongs to the team. */
static bool fill(struct comm_team *team, const struct comm_layout *l, bool flat, int lane)
{
    const int members = flat ? l->size : l->nodes;
    const int node = comm_layout_node(l, l->rank);
    const int parts = flat || !l->window ? 1 : comm_layout_local_size(l, node);

    *team = (struct comm_team){.members = members,
                               .place = flat ? l->rank : node,
                               .ranks = calloc((size_t)members, sizeof *team->ranks),
                               .blocks = calloc((size_t)members, sizeof *team->blocks),
                               .space = COMM_SPACE_UNIT,
                               .result = comm_at(COMM_SPACE_OWN, 0),
                               .parts = parts,
                               .part = calloc((size_t)parts, sizeof *team->part)};
    if (team->ranks == NULL || team->blocks == NULL || team->part == NULL) return false;
    for (int m = 0; m < members; m++) {
        int first = flat ? m : l->first[m], here = flat ? 1 : comm_layout_local_size(l, m);
        team->ranks[m] = first + lane % here;
        team->blocks[m] = lane < here ? (size_t)(first + lane) : COMM_NO_BLOCK;
    }
    for (int k = 0; k < parts; k++)
        team->part[k] = (struct comm_part){.space = COMM_SPACE_LOCAL, .buffer = k};
    return true;
}

void comm_lanes_init(struct comm_lanes *lanes, struct comm_schedule *s, const struct comm_layout *l,
                     bool flat)
{
    const int node = comm_layout_node(l, l->rank);
    int most = 1;

    for (int n = 0; !flat && n < l->nodes; n++)
        if (comm_layout_local_size(l, n) > most) most = comm_layout_local_size(l, n);
    *lanes = (struct comm_lanes){.team = calloc((size_t)most, sizeof *lanes->team),
                                 .local = flat ? 0 : l->rank - l->first[node],
                                 .here = flat ? 1 : comm_layout_local_size(l, node),
                                 .first = flat ? l->rank : l->first[node]};
    if (lanes->team == NULL) {
        s->broken = true;
        return;
    }
    for (int i = 0; i < most && !s->broken; i++) {
        lanes->count++;
        s->broken = !fill(&lanes->team[i], l, flat, i);
    }
    if (s->broken) comm_lanes_clear(lanes);
}

void comm_lanes_clear(struct comm_lanes *lanes)
{
    for (int i = 0; i < lanes->count; i++) {
        free(lanes->team[i].ranks);
        free(lanes->team[i].blocks);
        free(lanes->team[i].part);
    }
    free(lanes->team);
    *lanes = (struct comm_lanes){0};
}

bool comm_span_next(const struct comm_team *team, int from, int members, struct comm_span *span)
{
    const int N = team->members;
    int i = span->next;

    while (i < members && !comm_team_owns(team, (from + i) % N)) i++;
    if (i >= members) return false;
    const int m = (from + i) % N;
    *span = (struct comm_span){
        .member = m, .at = i, .next = i + 1, .count = 1, .block = team->blocks[m], .stride = 1};
    for (int last = m; span->next < members && last + 1 < N && comm_team_owns(team, last + 1);
         last++) {
        size_t stride = team->blocks[last + 1] - team->blocks[last];
        if (span->count > 1 && stride != span->stride) break;
        span->stride = stride;
        span->count++;
        span->next++;
    }
    return true;
}

void comm_team_send(struct comm_schedule *s, const struct comm_team *team, int to, int from,
                    int members)
{
    for (struct comm_span p = {0}; comm_span_next(team, from, members, &p);)
        comm_schedule_send(s, team->ranks[to], comm_span_at(team->space, &p), p.count);
}

void comm_team_recv(struct comm_schedule *s, const struct comm_team *team, int sender, int from,
                    int members)
{
    for (struct comm_span p = {0}; comm_span_next(team, from, members, &p);)
        comm_schedule_recv(s, team->ranks[sender], comm_span_at(team->space, &p), p.count);
}

void comm_team_send_wire(struct comm_schedule *s, const struct comm_team *team, int to, int from,
                         int members, size_t slot)
{
    for (struct comm_span p = {0}; comm_span_next(team, from, members, &p);)
        comm_schedule_send(s, team->ranks[to], comm_team_wire(team, slot + (size_t)p.at), p.count);
}

void comm_team_recv_wire(struct comm_schedule *s, const struct comm_team *team, int sender,
                         int from, int members, size_t slot)
{
    for (struct comm_span p = {0}; comm_span_next(team, from, members, &p);)
        comm_schedule_recv(s, team->ranks[sender], comm_team_wire(team, slot + (size_t)p.at),
                           p.count);
}

void comm_team_add_parts(struct comm_schedule *s, const struct comm_team *team,
                         const struct comm_span *p)
{
    for (int k = 0; k < team->parts; k++) {
        const struct comm_part *part = &team->part[k];
        struct comm_place from = comm_span_at(part->space, p);
        from.buffer = part->buffer;
        if (part->space == COMM_SPACE_STAGE)
            from = comm_at(COMM_SPACE_STAGE, part->slot + (size_t)p->member);
        comm_schedule_source(s, from);
    }
}

bool comm_team_result(struct comm_schedule *s, const struct comm_team *team, struct comm_span *own)
{
    *own = (struct comm_span){0};
    if (!comm_span_next(team, team->place, 1, own)) return false;
    comm_schedule_reduce(s, team->result, 1);
    return true;
}
