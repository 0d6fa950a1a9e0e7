/* tests/comm/schedule/play.c - runs the schedules of all ranks, one round of one rank at a time */
#include "tests/comm/schedule/play.h"

#include <stdlib.h>
#include <string.h>

struct play_message {
    struct play_message *next;
    comm_space space;
    size_t count;
    uint64_t values[];
};

static void *need(void *p)
{
    if (p == NULL) abort();
    return p;
}

bool play_must(struct play *p, int rank, bool ok, const char *what)
{
    if (!ok && p->bad == NULL) {
        p->bad = what;
        p->bad_rank = rank;
    }
    return ok;
}

static bool flat_unit(const struct play *p) { return !p->layout.window; }

static void open_rank(struct play *p, int rank, const struct comm_algorithm *a)
{
    struct play_rank *r = &p->ranks[rank];
    struct comm_layout mine = p->layout;
    const size_t P = (size_t)mine.size;

    mine.rank = rank;
    a->build(&r->schedule, p->op, &mine, p->wire);
    play_must(p, rank, comm_schedule_check(&r->schedule) == RT_OK, "out of memory");
    r->blocks[COMM_SPACE_UNIT] = P;
    r->blocks[COMM_SPACE_OWN] = p->op == COMM_ALLREDUCE_OWN ? (size_t)mine.nodes : 1;
    r->blocks[COMM_SPACE_STAGE] = r->schedule.stage_blocks;
    r->blocks[COMM_SPACE_WIRE] = r->schedule.wire_blocks;
    r->blocks[COMM_SPACE_LOCAL] = 0;
    for (int s = 0; s < COMM_SPACES; s++)
        r->space[s] = need(calloc(r->blocks[s] + 1, sizeof *r->space[s]));
    r->taken = need(calloc(r->schedule.steps_count + 1, sizeof *r->taken));
    int first = mine.first[comm_layout_node(&mine, rank)];
    if (!flat_unit(p) && first != rank) { /* the node's */
        free(r->space[COMM_SPACE_UNIT]);
        r->space[COMM_SPACE_UNIT] = p->ranks[first].space[COMM_SPACE_UNIT];
    }
    struct play_cell own = {.writer = rank + 1};
    for (int n = 0; p->op == COMM_ALLREDUCE_OWN && n < mine.nodes; n++) {
        own.value = p->arithmetic->leaf(p->arithmetic->context, rank, (size_t)n);
        r->space[COMM_SPACE_OWN][n] = own;
    }
    if (p->op != COMM_GATHER) return;
    own.value = p->arithmetic->leaf(p->arithmetic->context, rank, (size_t)rank);
    r->space[COMM_SPACE_UNIT][rank] = own;
}

void play_open(struct play *p, const struct comm_layout *l, const struct comm_algorithm *a,
               comm_op op, rt_dtype wire, const struct play_arithmetic *arithmetic)
{
    const size_t P = (size_t)l->size;

    *p = (struct play){.layout = *l, .op = op, .wire = wire, .arithmetic = arithmetic};
    p->ranks = need(calloc(P, sizeof *p->ranks));
    p->head = need(calloc(P * P, sizeof(struct play_message *)));
    p->tail = need(calloc(P * P, sizeof(struct play_message *)));
    for (int r = 0; r < l->size; r++) open_rank(p, r, a);
}

void play_close(struct play *p)
{
    const int P = p->layout.size;

    for (int r = 0; r < P; r++) {
        struct play_rank *rank = &p->ranks[r];
        bool lent = !flat_unit(p) && p->layout.first[comm_layout_node(&p->layout, r)] != r;
        for (int s = 0; s < COMM_SPACES; s++)
            if (s != COMM_SPACE_UNIT || !lent) free(rank->space[s]);
        free(rank->taken);
        comm_schedule_clear(&rank->schedule);
    }
    for (int pair = 0; pair < P * P; pair++)
        for (struct play_message *m = p->head[pair], *next; m != NULL; m = next) {
            next = m->next;
            free(m);
        }
    free(p->ranks);
    free(p->head);
    free(p->tail);
}

/* Block i of a place, or NULL and a breach. Not LOCAL. */
static struct play_cell *cell(struct play *p, int rank, struct comm_place at, size_t i)
{
    struct play_rank *r = &p->ranks[rank];
    const size_t block = at.offset + i * at.stride;

    if (!play_must(p, rank, at.space != COMM_SPACE_LOCAL && at.buffer == 0,
                   "touches a gradient buffer"))
        return NULL;
    if (!play_must(p, rank, block < r->blocks[at.space], "leaves its blocks")) return NULL;
    return &r->space[at.space][block];
}

static uint64_t read_value(struct play *p, int rank, struct comm_place at, size_t i)
{
    const struct comm_layout *l = &p->layout;
    const size_t block = at.offset + i * at.stride;

    if (at.space == COMM_SPACE_LOCAL) {
        int node = comm_layout_node(l, rank),
            here = l->window ? comm_layout_local_size(l, node) : 1;
        play_must(p, rank, at.buffer >= 0 && at.buffer < here, "no such local rank");
        play_must(p, rank, block < (size_t)l->size, "leaves a gradient buffer");
        return p->arithmetic->leaf(p->arithmetic->context,
                                   l->window ? l->first[node] + at.buffer : rank, block);
    }
    struct play_cell *c = cell(p, rank, at, i);
    if (c == NULL) return 0;
    play_must(p, rank, c->received != p->ranks[rank].round + 1, "reads what is being received");
    play_must(p, rank, c->writer != 0, "reads what was never written");
    const bool in_place = p->ranks[rank].schedule.for_node && p->op == COMM_GATHER &&
                          at.space == COMM_SPACE_UNIT && c->writer == (int)block + 1;
    play_must(p, rank, c->writer == 0 || c->writer == rank + 1 || in_place,
              "reads what a neighbour writes");
    return c->value;
}

static void write_value(struct play *p, int rank, struct comm_place at, size_t i, uint64_t v)
{
    struct play_cell *c = cell(p, rank, at, i);

    if (c == NULL) return;
    play_must(p, rank, at.space != COMM_SPACE_UNIT || c->writer == 0, "writes a slice twice");
    if (at.space == COMM_SPACE_OWN) p->ranks[rank].owns++;
    c->value = v;
    c->writer = rank + 1;
}

static void send_message(struct play *p, int rank, const struct comm_step *step)
{
    const size_t pair = (size_t)rank * (size_t)p->layout.size + (size_t)step->peer;
    struct play_message *m = need(malloc(sizeof *m + step->count * sizeof m->values[0]));

    *m = (struct play_message){.space = step->at.space, .count = step->count};
    for (size_t i = 0; i < step->count; i++) {
        m->values[i] = read_value(p, rank, step->at, i);
        struct play_cell *c = cell(p, rank, step->at, i);
        if (c != NULL) c->sent = (uint32_t)p->ranks[rank].round + 1;
    }
    if (p->head[pair] == NULL)
        p->head[pair] = m;
    else
        p->tail[pair]->next = m;
    p->tail[pair] = m;
    p->ranks[rank].flying++;
}

static void post_receive(struct play *p, int rank, const struct comm_step *step)
{
    const uint32_t now = (uint32_t)p->ranks[rank].round + 1;

    for (size_t i = 0; i < step->count; i++) {
        struct play_cell *c = cell(p, rank, step->at, i);
        if (c == NULL) return;
        play_must(p, rank, c->received != now, "two messages into one place");
        play_must(p, rank, c->sent != now, "receives into what is sent");
        c->received = now;
    }
    p->ranks[rank].waiting++;
}

/* The left half is the largest power of two below the count. */
static uint64_t tree_sum(struct play *p, int rank, const struct comm_place *from, int count,
                         size_t i)
{
    int half = 1;

    if (count == 1) return read_value(p, rank, from[0], i);
    while (2 * half < count) half *= 2;
    uint64_t left = tree_sum(p, rank, from, half, i);
    return p->arithmetic->sum(left, tree_sum(p, rank, from + half, count - half, i));
}

static uint64_t sum_of(struct play *p, int rank, const struct comm_place *from, int count, size_t i)
{
    if (p->arithmetic->tree) return tree_sum(p, rank, from, count, i);
    uint64_t v = read_value(p, rank, from[0], i);
    for (int k = 1; k < count; k++) v = p->arithmetic->sum(v, read_value(p, rank, from[k], i));
    return v;
}

/* A source is what is written, or wholly elsewhere. */
static bool is_apart(struct comm_place a, struct comm_place b, size_t count)
{
    const size_t a_end = a.offset + (count - 1) * a.stride,
                 b_end = b.offset + (count - 1) * b.stride;

    if (a.space != b.space || a_end < b.offset || b_end < a.offset) return true;
    return a.offset == b.offset && (count == 1 || a.stride == b.stride);
}

static void local_step(struct play *p, int rank, const struct comm_step *step)
{
    const struct comm_place *from = &p->ranks[rank].schedule.sources[step->source];
    const uint32_t now = (uint32_t)p->ranks[rank].round + 1;

    if (!play_must(p, rank, step->sources >= 1, "a sum of nothing")) return;
    play_must(p, rank, step->kind == COMM_STEP_REDUCE || step->sources == 1,
              "a copy has one source");
    for (int k = 0; k < step->sources; k++)
        play_must(p, rank, is_apart(step->at, from[k], step->count), "a source is half written");
    for (size_t i = 0; i < step->count && p->bad == NULL; i++) {
        uint64_t v = sum_of(p, rank, from, step->sources, i);
        if (step->at.space == COMM_SPACE_WIRE && p->wire == RT_BF16) v = p->arithmetic->cast(v);
        struct play_cell *c = cell(p, rank, step->at, i);
        if (c == NULL) return;
        play_must(p, rank, c->received != now, "writes what is being received");
        play_must(p, rank, c->sent != now, "writes what is being sent");
        write_value(p, rank, step->at, i, v);
    }
}

/* Posts the transfers of the round, then runs its local steps. */
static void post_round(struct play *p, int rank)
{
    struct play_rank *r = &p->ranks[rank];
    const size_t begin = r->schedule.rounds[r->round];
    const size_t end = comm_schedule_round_end(&r->schedule, r->round);

    play_must(p, rank, end > begin, "an empty round");
    for (size_t i = begin; i < end && p->bad == NULL; i++) {
        const struct comm_step *step = &r->schedule.steps[i];
        const bool local = step->kind == COMM_STEP_COPY || step->kind == COMM_STEP_REDUCE;
        play_must(p, rank, step->count > 0, "a step of no block");
        if (!play_must(p, rank,
                       local ? step->peer == -1
                             : step->peer >= 0 && step->peer < p->layout.size && step->peer != rank,
                       "a peer that is none"))
            return;
        if (step->kind == COMM_STEP_SEND) send_message(p, rank, step);
        if (step->kind == COMM_STEP_RECV) post_receive(p, rank, step);
    }
    for (size_t i = begin; i < end && p->bad == NULL; i++)
        if (r->schedule.steps[i].peer < 0) local_step(p, rank, &r->schedule.steps[i]);
    r->posted = true;
}

static bool take(struct play *p, int rank, const struct comm_step *step)
{
    const size_t pair = (size_t)step->peer * (size_t)p->layout.size + (size_t)rank;
    struct play_message *m = p->head[pair];

    if (m == NULL) return false;
    p->head[pair] = m->next;
    p->ranks[step->peer].flying--;
    play_must(p, rank, m->count == step->count, "a message of another size");
    play_must(p, rank, m->space == step->at.space, "a message of another space");
    for (size_t i = 0; i < step->count && p->bad == NULL; i++)
        write_value(p, rank, step->at, i, m->values[i]);
    free(m);
    return true;
}

static bool receive(struct play *p, int rank)
{
    struct play_rank *r = &p->ranks[rank];
    bool moved = false;

    if (r->waiting == 0) return false;
    for (size_t i = r->schedule.rounds[r->round];
         i < comm_schedule_round_end(&r->schedule, r->round); i++) {
        if (r->schedule.steps[i].kind != COMM_STEP_RECV || r->taken[i]) continue;
        if (!take(p, rank, &r->schedule.steps[i])) continue;
        r->taken[i] = moved = true;
        r->waiting--;
    }
    return moved;
}

static bool advance(struct play *p, int rank)
{
    struct play_rank *r = &p->ranks[rank];
    bool moved = false;

    if (r->round == r->schedule.rounds_count) return false;
    if (!r->posted) {
        post_round(p, rank);
        moved = true;
    }
    if (p->bad != NULL) return false;
    moved |= receive(p, rank);
    if (r->waiting > 0 || r->flying > 0) return moved;
    r->round++;
    r->posted = false;
    return true;
}

void play_run(struct play *p)
{
    const int P = p->layout.size;

    for (bool moved = true; moved && p->bad == NULL;) {
        moved = false;
        for (int r = 0; r < P && p->bad == NULL; r++) moved |= advance(p, r);
    }
    for (int r = 0; r < P; r++)
        play_must(p, r, p->ranks[r].round == p->ranks[r].schedule.rounds_count,
                  "ranks wait for ever");
}
