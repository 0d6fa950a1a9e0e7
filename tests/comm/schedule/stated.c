/* tests/comm/schedule/stated.c - what each algorithm's header says of its sums, and what must be
 * true in the end
 *
 * A value is a hash of the expression that made it: leaf (rank, block), sum (left, right), cast.
 * Sums hash in order, so equal hashes mean the same additions in the same order.
 */
#include <string.h>

#include "tests/comm/schedule/play.h"

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t x = a * 0x9e3779b97f4a7c15u + b + 0x632be59bd9b4e019u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

uint64_t play_leaf(const void *context, int rank, size_t block)
{
    (void)context;
    return mix(mix(1, (uint64_t)rank), block);
}

uint64_t play_sum(uint64_t a, uint64_t b) { return mix(mix(2, a), b); }
uint64_t play_cast(uint64_t a) { return mix(3, a); }

const struct play_arithmetic play_symbols = {.leaf = play_leaf, .sum = play_sum, .cast = play_cast};

/* One block's sum over the members of a lane. Members are nodes, or ranks where flat. */
struct statement {
    const struct comm_layout *l;
    bool own; /* ALLREDUCE_OWN */
    bool flat;
    bool bf16;
    int N, lane, owner; /* owner: a member */
    size_t block;
};

/* sum + the parts of a member, one by one; sum NULL: begins with the first. */
static uint64_t parts(const struct statement *t, int member, const uint64_t *sum)
{
    uint64_t v = sum == NULL ? 0 : *sum;
    int first = t->flat ? member : t->l->first[member];
    int count = t->flat ? 1 : comm_layout_local_size(t->l, member);

    if (t->own) {
        first += t->lane;
        count = 1;
    }
    for (int k = 0; k < count; k++) {
        uint64_t leaf = play_leaf(NULL, first + k, t->block);
        v = k == 0 && sum == NULL ? leaf : play_sum(v, leaf);
    }
    return v;
}

static uint64_t sent(const struct statement *t, uint64_t v) { return t->bf16 ? play_cast(v) : v; }

static uint64_t stated_direct(const struct statement *t, bool cast_own)
{
    uint64_t v = 0;

    for (int m = 0; m < t->N; m++) {
        uint64_t s = parts(t, m, NULL);
        if (m != t->owner || cast_own) s = sent(t, s);
        v = m == 0 ? s : play_sum(v, s);
    }
    return v;
}

static uint64_t stated_ring(const struct statement *t)
{
    uint64_t v = parts(t, (t->owner + 1) % t->N, NULL);

    for (int i = 2; i <= t->N; i++) v = parts(t, (t->owner + i) % t->N, &v);
    return v;
}

/* What `member` had when it had received in rounds K-1..k+1. */
static uint64_t had_bruck(const struct statement *t, int member, int K, int k)
{
    const int ahead = (t->owner - member + t->N) % t->N;
    uint64_t v = parts(t, member, NULL);

    for (int j = K - 1; j > k; j--) {
        int step = 1 << j, range = step < t->N - step ? step : t->N - step;
        if (ahead >= range) continue; /* nothing came for it */
        v = play_sum(v, sent(t, had_bruck(t, (member - step + t->N) % t->N, K, j)));
    }
    return v;
}

static uint64_t had_doubling(const struct statement *t, int point, int pairs, int K, int k)
{
    const int member = point < pairs ? 2 * point : point + pairs;
    uint64_t v = parts(t, member, NULL);

    if (point < pairs && t->owner != member + 1)
        v = play_sum(v, sent(t, parts(t, member + 1, NULL)));
    for (int j = K - 1; j > k; j--)
        v = play_sum(v, sent(t, had_doubling(t, point ^ (1 << j), pairs, K, j)));
    return v;
}

static uint64_t stated_doubling(const struct statement *t)
{
    int K = 0;

    while ((2 << K) <= t->N) K++;
    const int pairs = t->N - (1 << K);
    if (t->owner >= 2 * pairs) return had_doubling(t, t->owner - pairs, pairs, K, -1);
    uint64_t v = had_doubling(t, t->owner / 2, pairs, K, -1);
    if (t->owner % 2 == 0) return v;
    v = sent(t, v);
    return parts(t, t->owner, &v);
}

uint64_t play_stated(const struct comm_algorithm *a, const struct comm_layout *l, comm_op op,
                     rt_dtype wire, int lane, int owner)
{
    struct statement t = {.l = l,
                          .own = op == COMM_ALLREDUCE_OWN,
                          .bf16 = wire == RT_BF16,
                          .lane = lane,
                          .owner = owner};
    const char *name = a->two_level ? a->name + strlen("two-level-") : a->name;
    int K = 0;

    t.flat = !t.own && !l->window && !a->two_level;
    t.N = t.flat ? l->size : l->nodes;
    t.block = (size_t)(t.own ? owner : t.flat ? owner : l->first[owner] + lane);
    if (t.N == 1) return parts(&t, 0, NULL);
    while ((1 << K) < t.N) K++;
    if (strcmp(name, "ring") == 0) return stated_ring(&t);
    if (strcmp(name, "bruck") == 0) return had_bruck(&t, owner, K, -1);
    if (strcmp(name, "doubling") == 0) return stated_doubling(&t);
    return stated_direct(&t, strcmp(name, "whole") == 0 && op != COMM_REDUCE);
}

static uint64_t stated_slice(struct play *p, const struct comm_algorithm *a, int slice)
{
    const struct comm_layout *l = &p->layout;
    const int node = comm_layout_node(l, slice);

    if (p->op == COMM_GATHER) return play_leaf(NULL, slice, (size_t)slice);
    if (!l->window && !a->two_level) return play_stated(a, l, p->op, p->wire, 0, slice);
    return play_stated(a, l, p->op, p->wire, slice - l->first[node], node);
}

static void check_units(struct play *p, const struct comm_algorithm *a)
{
    for (int slice = 0; slice < p->layout.size; slice++) {
        uint64_t stated = stated_slice(p, a, slice);
        for (int r = 0; r < p->layout.size; r++) {
            const struct play_cell *c = &p->ranks[r].space[COMM_SPACE_UNIT][slice];
            play_must(p, r, c->writer != 0, "a unit lacks a slice");
            play_must(p, r, c->value == stated, "a slice of a unit is not as stated");
        }
    }
}

static void check_owns(struct play *p, const struct comm_algorithm *a, int rank)
{
    const struct comm_layout *l = &p->layout;
    const struct play_cell *own = p->ranks[rank].space[COMM_SPACE_OWN];
    const int lane = rank - l->first[comm_layout_node(l, rank)];

    if (p->op == COMM_REDUCE) {
        play_must(p, rank, p->ranks[rank].owns == 1, "the own slice is not written once");
        play_must(p, rank, own[0].value == stated_slice(p, a, rank), "not the stated sum");
    }
    for (int n = 0; p->op == COMM_ALLREDUCE_OWN && n < l->nodes; n++)
        play_must(p, rank, own[n].value == play_stated(a, l, p->op, p->wire, lane, n),
                  "a block of the own slices is not the stated sum");
}

void play_check(struct play *p, const struct comm_algorithm *a)
{
    if (p->bad != NULL) return;
    if (p->op == COMM_GATHER || p->op == COMM_ALLREDUCE) check_units(p, a);
    for (int r = 0; r < p->layout.size && p->bad == NULL; r++) {
        check_owns(p, a, r);
        if (p->op != COMM_REDUCE && p->op != COMM_ALLREDUCE_OWN)
            play_must(p, r, p->ranks[r].owns == 0, "an own slice that nobody asked for");
    }
}
