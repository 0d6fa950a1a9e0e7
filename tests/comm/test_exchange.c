/* tests/comm/test_exchange.c - units gathered and reduced: every algorithm, with and without a
 * window, node sizes, types, chunks, the order of additions, what is refused
 */
#include <stdlib.h>
#include <string.h>

#include "tests/check_mpi.h"
#include "tests/comm/exchange_rig.h"

static const size_t slices[] = {1, 77, SLICE_MAX, 0};
static const unsigned all_ops = 1u << COMM_GATHER | 1u << COMM_REDUCE | 1u << COMM_ALLREDUCE;

/* Several units under way at once, each with its own slice cast into place by the engine, and the
 * done flag signalled in the order posted. */
static void gather(struct rig *s, size_t slice, rt_dtype type)
{
    float own[UNITS][SLICE_MAX];
    comm_ticket tickets[UNITS];

    for (int u = 0; u < UNITS; u++) {
        for (size_t i = 0; i < slice; i++) own[u][i] = rig_value(s->rank, i + (size_t)u);
        const struct comm_gather g = {.unit = rig_unit(s, u),
                                      .slice = slice,
                                      .type = type,
                                      .own = own[u],
                                      .done = rig_done(s),
                                      .name = u};
        CHECK_OK(comm_gather_post(s->exchange, &g, &tickets[u]));
    }
    for (int u = 0; u < UNITS; u++) CHECK_OK(comm_exchange_wait(s->exchange, tickets[u]));
    rig_meet(s);
    for (int u = 0; u < UNITS; u++)
        for (size_t r = 0; r < s->P; r++)
            for (size_t i = 0; i < slice; i++)
                CHECK(rig_get(rig_unit(s, u), type, r * slice + i) == rig_value(r, i + (size_t)u));
    rig_meet(s);
}

static float sum_at(const struct rig *s, size_t i)
{
    float sum = 0;
    for (size_t r = 0; r < s->P; r++) sum += rig_value(r, i);
    return sum;
}

static void reduce(struct rig *s, size_t slice)
{
    for (size_t i = 0; i < s->P * slice; i++) s->mine[i] = rig_value(s->rank, i);
    for (size_t i = 0; i < slice; i++) s->own[i] = 1000;
    rig_meet(s);
    for (int round = 0; round < 2; round++) {
        CHECK_OK(rig_reduce(s, slice, round == 1));
        for (size_t i = 0; i < slice; i++)
            CHECK(s->own[i] == (float)(round + 1) * sum_at(s, s->rank * slice + i));
    }
    rig_meet(s);
    for (size_t i = 0; i < s->P * slice; i++) CHECK(s->mine[i] == rig_value(s->rank, i));
    rig_meet(s);
}

static void allreduce(struct rig *s, size_t slice)
{
    comm_ticket t;
    const struct comm_allreduction r = {
        .grads = s->grads, .type = RT_F32, .unit = rig_unit(s, 0), .slice = slice, .name = -1};

    for (size_t i = 0; i < s->P * slice; i++) s->mine[i] = rig_value(s->rank, i);
    rig_meet(s);
    if (CHECK_OK(comm_allreduce_post(s->exchange, &r, &t)))
        CHECK_OK(comm_exchange_wait(s->exchange, t));
    rig_meet(s);
    for (size_t i = 0; i < s->P * slice; i++)
        CHECK(rig_get(rig_unit(s, 0), RT_F32, i) == sum_at(s, i));
    rig_meet(s);
}

static void all_sizes(struct comm *g, int ranks_per_node, bool flat, const struct comm_algorithm *a,
                      rt_dtype wire)
{
    struct rig s;
    const struct comm_exchange_options o = {.gather = a->name,
                                            .reduce = a->name,
                                            .flat = flat,
                                            .wire = wire,
                                            .ops = all_ops,
                                            .chunk_bytes = 256 * sizeof(float),
                                            .depth = 3};

    if (!CHECK_OK(rig_open(&s, g, ranks_per_node, &o))) return;
    for (const size_t *slice = slices; *slice != 0; slice++) {
        gather(&s, *slice, wire == RT_F32 ? RT_BF16 : RT_F32);
        reduce(&s, *slice);
        allreduce(&s, *slice);
    }
    CHECK(strcmp(comm_exchange_algorithm(s.exchange, COMM_GATHER), a->name) == 0);
    rig_close(&s);
}

static void every_algorithm(struct comm *g, bool flat, rt_dtype wire)
{
    const int P = comm_size(g);
    const int per_node[] = {1, 2, 3, (P + 1) / 2, P};

    for (const struct comm_algorithm *a = comm_algorithms; a->name != NULL; a++) {
        if ((a->two_level && !flat) || (a->fp32_only && wire != RT_F32)) continue;
        for (size_t i = 0; i < sizeof per_node / sizeof per_node[0]; i++)
            if (i == 0 || per_node[i] > per_node[i - 1]) all_sizes(g, per_node[i], flat, a, wire);
    }
}

static void windows_in_fp32(struct comm *g) { every_algorithm(g, false, RT_F32); }
static void windows_with_bf16_on_the_wire(struct comm *g) { every_algorithm(g, false, RT_BF16); }
static void everything_by_messages(struct comm *g) { every_algorithm(g, true, RT_F32); }
static void messages_in_bf16(struct comm *g) { every_algorithm(g, true, RT_BF16); }

/* Replicas: the ranks with one local rank on all nodes end with the same sums of their slices. */
static void replicas_are_summed(struct comm *g)
{
    enum { BLOCK = 99 };

    for (int k = 1; k <= comm_size(g); k++) {
        struct rig s;
        const struct comm_exchange_options o = {.hybrid = true,
                                                .block_max = BLOCK,
                                                .chunk_bytes = 64 * sizeof(float),
                                                .ops =
                                                    1u << COMM_GATHER | 1u << COMM_ALLREDUCE_OWN};
        comm_ticket t;

        if (comm_size(g) % k != 0) {
            CHECK(rig_open(&s, g, k, &o) == RT_EINVAL);
            continue;
        }
        if (!CHECK_OK(rig_open(&s, g, k, &o))) continue;
        const size_t N = (size_t)s.nodes->nodes, G = (size_t)k, lane = s.rank % G;
        const struct comm_flag start = {s.window, 1, 1};
        CHECK(comm_allreduce_own_post(s.exchange, s.own, BLOCK + 1, start, -1, &t) == RT_EINVAL);
        if (CHECK_OK(comm_allreduce_own_post(s.exchange, s.own, BLOCK, start, -1, &t))) {
            for (size_t i = 0; i < N * BLOCK; i++) s.own[i] = rig_value(s.rank, i);
            comm_window_signal(s.window, 1, 1); /* only now is there something to sum */
            CHECK_OK(comm_exchange_wait(s.exchange, t));
        }
        for (size_t i = 0; i < N * BLOCK; i++) {
            float sum = 0;
            for (size_t n = 0; n < N; n++) sum += rig_value(n * G + lane, i);
            CHECK(s.own[i] == sum);
        }
        rig_close(&s);
    }
}

static void what_does_not_fit_is_refused(struct comm *g)
{
    struct rig s;
    comm_ticket t;
    struct comm_exchange_options o = {.gather = "rign"};

    CHECK(rig_open(&s, g, 1, &o) == RT_EINVAL);
    o = (struct comm_exchange_options){.reduce = "ring", .wire = RT_BF16};
    CHECK(rig_open(&s, g, 1, &o) == (comm_size(g) > 1 ? RT_EINVAL : RT_OK));
    if (comm_size(g) == 1) rig_close(&s);
    o = (struct comm_exchange_options){.gather = "two-level-ring"};
    CHECK(rig_open(&s, g, 1, &o) == RT_EINVAL);
    o = (struct comm_exchange_options){.gathering = 1};
    if (!CHECK_OK(rig_open(&s, g, 1, &o))) return;
    const struct comm_gather large = {.unit = rig_unit(&s, 0), .slice = SLICE_MAX + 1, .name = -1};
    CHECK(comm_gather_post(s.exchange, &large, &t) == RT_EINVAL);
    CHECK(comm_exchange_wait(s.exchange, 0) == RT_EINVAL);
    CHECK(comm_exchange_wait(s.exchange, -1) == RT_EINVAL);
    CHECK(comm_exchange_wait(s.exchange, 1000) == RT_EINVAL);
    const struct comm_gather one = {.unit = rig_unit(&s, 0), .slice = 1, .name = -1};
    CHECK_OK(comm_gather_post(s.exchange, &one, &t));
    comm_ticket second;
    CHECK(comm_gather_post(s.exchange, &one, &second) == RT_EINVAL); /* one ticket only */
    CHECK_OK(comm_exchange_wait(s.exchange, t));
    rig_close(&s);
    o = (struct comm_exchange_options){.gather = "whole"}; /* it tells by done flags */
    if (!CHECK_OK(rig_open(&s, g, 2, &o))) return;
    if (s.nodes->nodes > 1) CHECK(comm_gather_post(s.exchange, &one, &t) == RT_EINVAL);
    rig_close(&s);
}

/* One rank has other sizes: every rank hears of it before anything is sent. */
static void ranks_that_disagree_are_told(struct comm *g)
{
    struct rig s;
    const bool odd = comm_rank(g) == comm_size(g) - 1;
    const rt_status wanted = comm_size(g) > 1 ? RT_EINVAL : RT_OK;
    const struct comm_exchange_options other = {.chunk_bytes = odd ? 4096 : 8192}, o = {0};

    CHECK(rig_open(&s, g, 1, &other) == wanted);
    if (wanted == RT_OK) rig_close(&s);
    if (!CHECK_OK(rig_open(&s, g, 1, &o))) return;
    CHECK(rig_gather(&s, 0, odd ? 5 : 6, RT_F32, 3) == wanted);
    CHECK_OK(rig_gather(&s, 0, 7, RT_F32, 4)); /* and the exchange still works */
    rig_close(&s);
}

static float uneven_value(size_t rank, size_t i)
{
    return 1.0f / (float)(3 + i + 11 * rank * rank);
}

/* direct: the node sums in node order. ring: the node behind the owner's, then the ranks of each
 * further node one by one, the owner's node last. */
static float stated_sum(const struct comm_nodes *n, size_t i, bool ring)
{
    float sum = 0;

    for (int j = 0; j < n->nodes; j++) {
        const int node = ring ? (n->node + 1 + j) % n->nodes : j;
        float part = 0;
        for (int r = n->first[node]; r < n->first[node + 1]; r++) {
            const float v = uneven_value((size_t)r, i);
            part = r == n->first[node] ? v : part + v;
            if (ring && j > 0) sum += v;
        }
        if (!ring || j == 0) sum = j == 0 ? part : sum + part;
    }
    return sum;
}

/* Numbers whose sum depends on the order: the stated one, bit for bit, and again the same. */
static void stated_order(struct comm *g, int ranks_per_node, bool ring)
{
    enum { SLICE = 50 };
    struct rig s;
    float again[SLICE];
    const char *name = ring ? "ring" : "direct";
    const struct comm_exchange_options o = {.gather = name, .reduce = name};

    if (!CHECK_OK(rig_open(&s, g, ranks_per_node, &o))) return;
    for (size_t i = 0; i < s.P * SLICE; i++) s.mine[i] = uneven_value(s.rank, i);
    rig_meet(&s);
    CHECK_OK(rig_reduce(&s, SLICE, false));
    memcpy(again, s.own, sizeof again);
    CHECK_OK(rig_reduce(&s, SLICE, false));
    CHECK(memcmp(again, s.own, sizeof again) == 0);
    for (size_t i = 0; i < SLICE; i++) {
        CHECK(s.own[i] == stated_sum(s.nodes, s.rank * SLICE + i, ring));
    }
    rig_meet(&s);
    rig_close(&s);
}

static void additions_are_in_the_stated_order(struct comm *g)
{
    for (int k = 1; k <= comm_size(g); k++) {
        stated_order(g, k, false);
        stated_order(g, k, true);
    }
}

/* Nothing is touched before every rank of the node has said so; the done flag tells them all. */
static void flags_start_and_tell(struct comm *g)
{
    struct rig s;
    const struct comm_exchange_options o = {0};
    comm_ticket t;

    if (!CHECK_OK(rig_open(&s, g, comm_size(g), &o))) return;
    float own[4] = {1, 2, 3, (float)s.rank};
    float *unit = rig_unit(&s, 0);
    for (int round = 1; round <= 20; round++) {
        const uint64_t go = s.meets + 1;
        const struct comm_gather gather = {.unit = unit,
                                           .slice = 4,
                                           .type = RT_F32,
                                           .own = own,
                                           .start = {s.window, 0, go},
                                           .done = {s.window, 1, (uint64_t)round},
                                           .name = 0};
        own[0] = (float)round;
        CHECK_OK(comm_gather_post(s.exchange, &gather, &t));
        CHECK(!comm_window_reached(s.window, 1, (uint64_t)round)); /* this rank has not gone */
        CHECK(round == 1 || unit[4 * s.rank] == (float)(round - 1));
        comm_window_signal(s.window, 0, go);
        s.meets = go;
        CHECK_OK(comm_exchange_wait(s.exchange, t));
        comm_window_await(s.window, 1, (uint64_t)round);
        for (size_t r = 0; r < s.P; r++)
            CHECK(unit[4 * r] == (float)round && unit[4 * r + 3] == (float)r);
        rig_meet(&s);
    }
    rig_close(&s);
}

/* The first rank of a node sends for all of it, so not before they have put their slices in place. */
static void who_sends_for_a_node_waits_for_it(struct comm *g)
{
    const struct comm_exchange_options o = {.gather = "whole"};
    float own[4];
    struct rig s;
    comm_ticket t;

    if (!CHECK_OK(rig_open(&s, g, 2, &o))) return;
    const bool leads = s.nodes->nodes > 1 && s.nodes->local_size == 2 && s.nodes->local_rank == 0;
    for (size_t i = 0; i < 4; i++) own[i] = rig_value(s.rank, i);
    const struct comm_gather one = {.unit = rig_unit(&s, 0),
                                    .slice = 4,
                                    .type = RT_F32,
                                    .own = own,
                                    .done = rig_done(&s),
                                    .name = -1};
    if (s.nodes->local_rank == 1) comm_window_signal(s.window, 1, 1);
    if (s.nodes->local_rank == 1) comm_window_await(s.window, 1, 1);
    CHECK_OK(comm_gather_post(s.exchange, &one, &t));
    for (int i = 0; leads && i < 1000; i++) CHECK(!comm_exchange_finished(s.exchange, t));
    if (s.nodes->local_rank == 0) comm_window_signal(s.window, 1, 1);
    CHECK_OK(comm_exchange_wait(s.exchange, t));
    rig_meet(&s);
    for (size_t r = 0; r < s.P; r++)
        for (size_t i = 0; i < 4; i++)
            CHECK(rig_get(rig_unit(&s, 0), RT_F32, r * 4 + i) == rig_value(r, i));
    rig_meet(&s);
    rig_close(&s);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"windows in fp32", windows_in_fp32},
        {"windows with bf16 on the wire", windows_with_bf16_on_the_wire},
        {"everything by messages", everything_by_messages},
        {"messages in bf16", messages_in_bf16},
        {"replicas are summed", replicas_are_summed},
        {"what does not fit is refused", what_does_not_fit_is_refused},
        {"ranks that disagree are told", ranks_that_disagree_are_told},
        {"additions are in the stated order", additions_are_in_the_stated_order},
        {"flags start and tell", flags_start_and_tell},
        {"who sends for a node waits for it", who_sends_for_a_node_waits_for_it},
        {NULL, NULL},
    };
    return check_mpi_main(argc, argv, cases);
}
