/* tests/comm/test_schedule.c - every algorithm, executed symbolically for every number of ranks
 *
 * A value is a hash of the expression that made it: leaf (rank, slice), sum (left, right), cast.
 * Sums hash in order and from the left, so equal hashes mean the same additions in the same order.
 * Transfers are as slow as they may be: a round ends only when its sends have been received.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "comm/schedule.h"
#include "tests/check.h"

enum { MOST = 64, STAGES = 3 * MOST };

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t x = a * 0x9e3779b97f4a7c15u + b + 0x632be59bd9b4e019u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (x ^ (x >> 31)) | 1; /* 0 is "undefined" */
}

static uint64_t leaf(int rank, int slice) { return mix(mix(1, (uint64_t)rank), (uint64_t)slice); }
static uint64_t sum(uint64_t a, uint64_t b) { return mix(mix(2, a), b); }
static uint64_t cast(uint64_t a) { return mix(3, a); }

struct message {
    uint64_t value;
    int next; /* of the same pair; -1 none */
    bool taken;
};

/* One rank: its schedule, its memory, where it stands. */
struct actor {
    struct comm_schedule schedule;
    uint64_t unit[MOST], stage[STAGES], wire[STAGES], own;
    size_t round, step; /* step: of the round, what has been received up to */
    bool posted;
    int owns;                                                        /* how often OWN was written */
    size_t received[COMM_SPACES][STAGES], sent[COMM_SPACES][STAGES]; /* in round + 1 */
};

struct stage_play {
    struct actor actors[MOST];
    struct message *messages;
    int count, capacity;
    int head[MOST][MOST], tail[MOST][MOST]; /* -1 none */
    struct comm_layout layout;              /* of rank 0 */
    bool bf16;
    bool bad;
};

static uint64_t *place(struct stage_play *p, int rank, struct comm_place at)
{
    struct actor *a = &p->actors[rank];
    static uint64_t nowhere;

    nowhere = 0;
    switch (at.space) {
    case COMM_SPACE_UNIT:
        return at.offset < (size_t)p->layout.size ? &a->unit[at.offset] : &nowhere;
    case COMM_SPACE_OWN: return at.offset == 0 ? &a->own : &nowhere;
    case COMM_SPACE_STAGE:
        return at.offset < a->schedule.stage_blocks ? &a->stage[at.offset] : &nowhere;
    case COMM_SPACE_WIRE:
        return at.offset < a->schedule.wire_blocks ? &a->wire[at.offset] : &nowhere;
    default: return &nowhere;
    }
}

static bool must(struct stage_play *p, bool ok, const char *what)
{
    if (!ok && !p->bad) printf("    %s\n", what);
    if (!ok) p->bad = true;
    return ok;
}

static uint64_t read_value(struct stage_play *p, int rank, struct comm_place at)
{
    struct actor *a = &p->actors[rank];
    const int node = comm_layout_node(&p->layout, rank);

    if (at.space == COMM_SPACE_LOCAL) {
        must(p, at.buffer < comm_layout_local_size(&p->layout, node), "no such local rank");
        return leaf(p->layout.first[node] + at.buffer, (int)at.offset);
    }
    must(p, a->received[at.space][at.offset] != a->round + 1, "reads what is being received");
    uint64_t v = *place(p, rank, at);
    must(p, v != 0, "reads what was never written");
    return v;
}

static void write_value(struct stage_play *p, int rank, struct comm_place at, uint64_t v)
{
    struct actor *a = &p->actors[rank];

    must(p, at.space != COMM_SPACE_LOCAL, "writes a neighbour's gradients");
    must(p, a->received[at.space][at.offset] != a->round + 1, "writes what is being received");
    must(p, a->sent[at.space][at.offset] != a->round + 1, "writes what is being sent");
    if (at.space == COMM_SPACE_OWN) a->owns++;
    *place(p, rank, at) = v;
}

static void send_message(struct stage_play *p, int from, int to, uint64_t v)
{
    if (p->count == p->capacity) {
        p->capacity = p->capacity == 0 ? 4096 : 2 * p->capacity;
        p->messages = realloc(p->messages, (size_t)p->capacity * sizeof *p->messages);
        if (p->messages == NULL) abort();
    }
    p->messages[p->count] = (struct message){.value = v, .next = -1};
    if (p->head[from][to] < 0)
        p->head[from][to] = p->count;
    else
        p->messages[p->tail[from][to]].next = p->count;
    p->tail[from][to] = p->count++;
}

static void local_step(struct stage_play *p, int rank, const struct comm_step *step)
{
    const struct comm_place *from = &p->actors[rank].schedule.sources[step->source];
    uint64_t v = read_value(p, rank, from[0]);

    for (int k = 1; k < step->sources; k++) v = sum(v, read_value(p, rank, from[k]));
    if (step->kind == COMM_STEP_COPY && step->at.space == COMM_SPACE_WIRE && p->bf16) v = cast(v);
    must(p, step->kind == COMM_STEP_REDUCE || step->sources == 1, "a copy has one source");
    must(p, step->kind == COMM_STEP_COPY || from[0].space != COMM_SPACE_WIRE, "adds uncast values");
    write_value(p, rank, step->at, v);
}

static size_t round_end(const struct comm_schedule *s, size_t r)
{
    return r + 1 < s->rounds_count ? s->rounds[r + 1] : s->steps_count;
}

/* Post the transfers of the round, then run its local steps. */
static void post_round(struct stage_play *p, int rank)
{
    struct actor *a = &p->actors[rank];
    const struct comm_schedule *s = &a->schedule;

    for (size_t i = s->rounds[a->round]; i < round_end(s, a->round); i++) {
        const struct comm_step *step = &s->steps[i];
        must(p, step->count == 1, "one block a step");
        must(p, step->peer != rank && step->peer < p->layout.size, "a peer that is not");
        if (step->kind == COMM_STEP_SEND) {
            send_message(p, rank, step->peer, read_value(p, rank, step->at));
            a->sent[step->at.space][step->at.offset] = a->round + 1;
        }
        if (step->kind == COMM_STEP_RECV) {
            size_t *mark = &a->received[step->at.space][step->at.offset];
            must(p, *mark != a->round + 1, "two messages into one place");
            must(p, a->sent[step->at.space][step->at.offset] != a->round + 1,
                 "receives into what is sent");
            *mark = a->round + 1;
        }
    }
    for (size_t i = s->rounds[a->round]; i < round_end(s, a->round); i++)
        if (s->steps[i].peer < 0) local_step(p, rank, &s->steps[i]);
    a->posted = true;
    a->step = s->rounds[a->round];
}

/* Receive what has come. True: something moved. */
static bool receive(struct stage_play *p, int rank)
{
    struct actor *a = &p->actors[rank];
    const struct comm_schedule *s = &a->schedule;
    bool moved = false;

    for (; a->step < round_end(s, a->round); a->step++, moved = true) {
        const struct comm_step *step = &s->steps[a->step];
        if (step->kind != COMM_STEP_RECV) continue;
        int m = p->head[step->peer][rank];
        if (m < 0) return moved;
        p->head[step->peer][rank] = p->messages[m].next;
        p->messages[m].taken = true;
        if (step->at.space == COMM_SPACE_UNIT)
            must(p, *place(p, rank, step->at) == 0, "receives a slice twice");
        *place(p, rank, step->at) = p->messages[m].value;
    }
    return moved;
}

/* Everything that this rank has sent has been received. */
static bool sends_taken(const struct stage_play *p, int rank)
{
    for (int to = 0; to < p->layout.size; to++)
        if (p->head[rank][to] >= 0) return false;
    return true;
}

static bool advance(struct stage_play *p, int rank)
{
    struct actor *a = &p->actors[rank];
    bool moved = false;

    if (a->round == a->schedule.rounds_count) return false;
    if (!a->posted) {
        post_round(p, rank);
        moved = true;
    }
    moved |= receive(p, rank);
    if (a->step < round_end(&a->schedule, a->round) || !sends_taken(p, rank)) return moved;
    a->round++;
    a->posted = false;
    return true;
}

static void play(struct stage_play *p)
{
    bool moved = true;

    while (moved && !p->bad) {
        moved = false;
        for (int r = 0; r < p->layout.size; r++) moved |= advance(p, r);
    }
    for (int r = 0; r < p->layout.size; r++)
        must(p, p->actors[r].round == p->actors[r].schedule.rounds_count, "ranks wait for ever");
    for (int m = 0; m < p->count; m++) must(p, p->messages[m].taken, "a message nobody took");
}

static void reset(struct stage_play *p, const struct comm_layout *l)
{
    struct message *messages = p->messages;
    const int capacity = p->capacity;

    memset(p, 0, sizeof *p);
    memset(p->head, 0xff, sizeof p->head);
    p->messages = messages;
    p->capacity = capacity;
    p->layout = *l;
}

static void clear(struct stage_play *p)
{
    for (int r = 0; r < p->layout.size; r++) comm_schedule_clear(&p->actors[r].schedule);
}

/* Each slice is fetched by exactly one rank of each node, and nobody has a wrong one. */
static void check_gather(struct stage_play *p, const struct comm_algorithm *a)
{
    const struct comm_layout *l = &p->layout;

    for (int r = 0; r < l->size; r++) {
        struct comm_layout mine = *l;
        mine.rank = r;
        a->gather(&p->actors[r].schedule, &mine);
        must(p, !p->actors[r].schedule.broken, "out of memory");
        must(p, p->actors[r].schedule.stage_blocks == 0, "gather needs no staging");
        p->actors[r].unit[r] = leaf(r, r);
    }
    play(p);
    for (int n = 0; n < l->nodes; n++)
        for (int slice = 0; slice < l->size; slice++) {
            int holders = 0;
            for (int r = l->first[n]; r < l->first[n + 1]; r++) {
                uint64_t v = p->actors[r].unit[slice];
                must(p, v == 0 || v == leaf(slice, slice), "a wrong slice");
                holders += v != 0;
                must(p, v == 0 || r == comm_layout_deputy(l, n, slice), "not its deputy's");
            }
            must(p, holders == 1, "a slice that a node lacks, or has twice");
        }
}

static uint64_t node_sum(const struct comm_layout *l, int node, int slice)
{
    uint64_t v = leaf(l->first[node], slice);

    for (int r = l->first[node] + 1; r < l->first[node + 1]; r++) v = sum(v, leaf(r, slice));
    return v;
}

/* The sum as comm/exchange.h states it. */
static uint64_t stated(const struct comm_layout *l, int owner, bool ring, bool bf16)
{
    const int home = comm_layout_node(l, owner);
    uint64_t v = 0;

    for (int i = 0; i < l->nodes; i++) {
        int n = ring ? (home + 1 + i) % l->nodes : i;
        uint64_t part = node_sum(l, n, owner);
        if (bf16 && n != home) part = cast(part);
        v = i == 0 ? part : sum(v, part);
    }
    return v;
}

static void check_reduce(struct stage_play *p, const struct comm_algorithm *a)
{
    const struct comm_layout *l = &p->layout;
    const bool ring = strcmp(a->name, "ring") == 0;

    for (int r = 0; r < l->size; r++) {
        struct comm_layout mine = *l;
        struct comm_schedule *s = &p->actors[r].schedule;
        mine.rank = r;
        a->reduce(s, &mine, p->bf16 ? RT_BF16 : RT_F32);
        must(p, !s->broken, "out of memory");
        must(p, s->stage_blocks <= STAGES && s->wire_blocks <= STAGES, "staging beyond the test's");
        if (p->bad) return;
        if (ring && l->nodes > 1) must(p, s->stage_blocks == 3, "a ring stages 3 blocks");
        if (p->bf16 && l->nodes > 1) must(p, s->stage_blocks <= 3, "bf16 stages 3 blocks of fp32");
        must(p, s->steps[s->steps_count - 1].at.space == COMM_SPACE_OWN, "ends with the own slice");
    }
    play(p);
    for (int r = 0; r < l->size; r++) {
        must(p, p->actors[r].owns == 1, "the own slice is written once");
        must(p, p->actors[r].own == stated(l, r, ring, p->bf16), "not the stated sum");
    }
}

static void check_layout(struct stage_play *p, const struct comm_layout *l)
{
    for (const struct comm_algorithm *a = comm_algorithms; a->name != NULL; a++) {
        if (a->even_only && !comm_layout_even(l)) continue;
        for (int what = 0; what < 3; what++) { /* gather, reduce fp32, reduce bf16 */
            if (what == 2 && a->fp32_only) continue;
            reset(p, l);
            p->bf16 = what == 2;
            if (what == 0)
                check_gather(p, a);
            else
                check_reduce(p, a);
            if (!CHECK(!p->bad))
                printf("  %s %s, %d ranks on %d nodes, the first has %d\n", a->name,
                       what == 0 ? "gather" : "reduce", l->size, l->nodes, l->first[1]);
            clear(p);
        }
    }
}

/* Every k ranks are a node; the last may have fewer. */
static void check_pretended(struct stage_play *p, int size, int k)
{
    int first[MOST + 1] = {0}, nodes = 0;

    while (nodes * k < size) {
        first[nodes] = nodes * k;
        nodes++;
    }
    first[nodes] = size;
    check_layout(p, &(struct comm_layout){.size = size, .nodes = nodes, .first = first});
}

/* Nodes of 1, 2, 3 ... ranks up to `most`, over and over. */
static void check_uneven(struct stage_play *p, int size, int most, bool down)
{
    int first[MOST + 1] = {0}, nodes = 0, at = 0;

    while (at < size) {
        int n = down ? most - nodes % most : 1 + nodes % most;
        first[nodes++] = at;
        at += n < size - at ? n : size - at;
    }
    first[nodes] = size;
    check_layout(p, &(struct comm_layout){.size = size, .nodes = nodes, .first = first});
}

/* The verifier itself: a schedule with one wrong thing is refused. */
static void check_the_verifier(struct stage_play *p)
{
    const int first[] = {0, 1, 2};
    const struct comm_layout l = {.size = 2, .nodes = 2, .first = first};

    for (int fault = 0; fault < 3; fault++) {
        reset(p, &l);
        for (int r = 0; r < 2; r++) {
            struct comm_layout mine = l;
            mine.rank = r;
            comm_reduce_direct(&p->actors[r].schedule, &mine, RT_F32);
        }
        struct comm_schedule *s = &p->actors[1].schedule;
        struct comm_step *last = &s->steps[s->steps_count - 1];
        if (fault == 0) { /* the other order */
            struct comm_place swap = s->sources[last->source];
            s->sources[last->source] = s->sources[last->source + 1];
            s->sources[last->source + 1] = swap;
        }
        if (fault == 1) last->sources = 1;
        if (fault == 2) s->steps[s->rounds[1]].peer = 1; /* receives from itself */
        printf("  expected:\n");
        play(p);
        if (!p->bad) must(p, p->actors[1].own == stated(&l, 1, false, false), "not the stated sum");
        CHECK(p->bad);
        clear(p);
    }
}

static void check_print(void)
{
    const int first[] = {0, 2, 4};
    const struct comm_layout l = {.size = 4, .rank = 1, .nodes = 2, .first = first};
    struct comm_schedule s = {0};
    char text[1024] = "";
    FILE *f = fmemopen(text, sizeof text, "w");

    if (!CHECK(f != NULL)) return;
    comm_reduce_ring(&s, &l, RT_F32);
    comm_schedule_print(&s, f);
    fclose(f);
    CHECK(strcmp(text, "round 0\n  reduce stage[0] = local 0[3] + local 1[3]\n"
                       "round 1\n  recv stage[1] from 3\n  send stage[0] to 3\n"
                       "  reduce stage[2] = local 0[1] + local 1[1]\n"
                       "round 2\n  reduce own[0] = stage[1] + stage[2]\n") == 0);
    comm_schedule_clear(&s);
}

int main(void)
{
    struct stage_play *p = calloc(1, sizeof *p);

    if (p == NULL) return 1;
    for (int size = 1; size <= MOST; size++) {
        for (int k = 1; k <= size; k++)
            if (k <= 4 || k == 7 || k == 8 || k == size / 2 || k >= size - 1)
                check_pretended(p, size, k);
        check_uneven(p, size, 3, false);
        check_uneven(p, size, 5, true);
        check_uneven(p, size, size, false);
    }
    check_the_verifier(p);
    check_print();
    free(p->messages);
    free(p);
    return check_failures > 0;
}
