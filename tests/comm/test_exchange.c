/* tests/comm/test_exchange.c - units gathered and reduced: node sizes, algorithms, types, order */
#include <stdlib.h>
#include <string.h>

#include "comm/exchange.h"
#include "comm/window.h"
#include "tests/check_mpi.h"

enum { SLICES = 4, SLICE_MAX = 1000, UNITS = 3 };
static const size_t slices[SLICES] = {1, 7, 64, SLICE_MAX};

/* One node layout with its window: UNITS gathered units, then a gradient buffer a local rank. */
struct setting {
    struct comm_nodes *nodes;
    struct comm_window *window;
    struct comm_exchange *exchange;
    void *staging;
    float *own;
    float *grads[16];
    uint64_t meets; /* how often the node's ranks have met */
    size_t P, rank;
};

static void meet(struct setting *s)
{
    s->meets++;
    comm_window_signal(s->window, 0, s->meets);
    comm_window_await(s->window, 0, s->meets);
}

static void close_setting(struct setting *s)
{
    comm_exchange_destroy(&s->exchange);
    comm_window_destroy(&s->window);
    comm_nodes_destroy(&s->nodes);
    free(s->staging);
    free(s->own);
}

static rt_status open_setting(struct setting *s, struct comm *g, int ranks_per_node,
                              const char *algorithm, rt_dtype wire)
{
    struct comm_exchange_options o = {
        .algorithm = algorithm, .wire = wire, .slice_max = SLICE_MAX, .vector = &rt_vector_ref};
    const size_t P = (size_t)comm_size(g), unit = P * SLICE_MAX * sizeof(float);
    rt_status st = RT_OK;

    *s = (struct setting){.P = P, .rank = (size_t)comm_rank(g)};
    RT_TRY_OUT(comm_nodes_create(g, ranks_per_node, &s->nodes));
    RT_TRY_OUT(
        comm_window_create(s->nodes, (UNITS + (size_t)s->nodes->local_size) * unit, 1, &s->window));
    const size_t bytes = comm_exchange_staging_bytes(s->nodes, &o);
    s->staging = bytes == 0 ? NULL : malloc(bytes);
    s->own = calloc(SLICE_MAX, sizeof *s->own);
    o.staging = s->staging;
    RT_TRY_OUT(comm_exchange_create(s->nodes, &o, &s->exchange));
    for (int l = 0; l < s->nodes->local_size; l++)
        s->grads[l] =
            (float *)comm_window_base(s->window) + (size_t)(UNITS + l) * (unit / sizeof(float));
out:
    if (st != RT_OK) close_setting(s);
    return st;
}

/* Small integers: every sum of them is exact, in bf16 too where they are below 256. */
static float value(size_t rank, size_t i) { return (float)((rank * 31 + i * 7) % 19) - 9; }

static void put(void *at, rt_dtype type, size_t i, float v)
{
    if (type == RT_F32)
        ((float *)at)[i] = v;
    else
        ((rt_bf16 *)at)[i] = rt_bf16_from_f32(v);
}

static float get(const void *at, rt_dtype type, size_t i)
{
    return type == RT_F32 ? ((const float *)at)[i] : rt_bf16_to_f32(((const rt_bf16 *)at)[i]);
}

static void *unit_of(const struct setting *s, int t)
{
    return (float *)comm_window_base(s->window) + (size_t)t * s->P * SLICE_MAX;
}

/* Several units under way at once, ended in the order begun. */
static void gather(struct setting *s, size_t slice, rt_dtype type)
{
    for (int t = 0; t < UNITS; t++) {
        for (size_t i = 0; i < slice; i++)
            put(unit_of(s, t), type, s->rank * slice + i, value(s->rank, i + (size_t)t));
        CHECK_OK(comm_gather_begin(s->exchange, t, unit_of(s, t), slice, type));
    }
    for (int t = 0; t < UNITS; t++) CHECK_OK(comm_gather_end(s->exchange, t));
    meet(s);
    for (int t = 0; t < UNITS; t++)
        for (size_t r = 0; r < s->P; r++)
            for (size_t i = 0; i < slice; i++)
                CHECK(get(unit_of(s, t), type, r * slice + i) == value(r, i + (size_t)t));
    meet(s);
}

static void reduce(struct setting *s, size_t slice)
{
    float *mine = s->grads[s->nodes->local_rank];

    for (size_t i = 0; i < s->P * slice; i++) mine[i] = value(s->rank, i);
    for (size_t i = 0; i < slice; i++) s->own[i] = 1000;
    meet(s);
    for (int round = 0; round < 2; round++) {
        CHECK_OK(
            comm_reduce(s->exchange, (const float *const *)s->grads, s->own, slice, round == 1));
        for (size_t i = 0; i < slice; i++) {
            float sum = 0;
            for (size_t r = 0; r < s->P; r++) sum += value(r, s->rank * slice + i);
            CHECK(s->own[i] == (round == 0 ? sum : 2 * sum));
        }
    }
    meet(s);
    for (size_t i = 0; i < s->P * slice; i++) CHECK(mine[i] == value(s->rank, i));
    meet(s);
}

static bool even(const struct comm *g, int ranks_per_node)
{
    return ranks_per_node == 0 || comm_size(g) % ranks_per_node == 0 ||
           ranks_per_node > comm_size(g);
}

static void all_sizes(struct comm *g, int ranks_per_node, const char *algorithm, rt_dtype wire)
{
    struct setting s;

    if (!CHECK_OK(open_setting(&s, g, ranks_per_node, algorithm, wire))) return;
    for (int i = 0; i < SLICES; i++) {
        gather(&s, slices[i], RT_F32);
        gather(&s, slices[i], RT_BF16);
        reduce(&s, slices[i]);
    }
    close_setting(&s);
}

static void direct_reaches_every_node(struct comm *g)
{
    for (int k = 0; k <= comm_size(g); k++) all_sizes(g, k, "direct", RT_F32);
}

static void direct_with_bf16_on_the_wire(struct comm *g)
{
    for (int k = 0; k <= comm_size(g); k++) all_sizes(g, k, "direct", RT_BF16);
}

static void a_ring_goes_round_equal_nodes(struct comm *g)
{
    for (int k = 0; k <= comm_size(g); k++)
        if (even(g, k)) all_sizes(g, k, "ring", RT_F32);
}

static void auto_chooses(struct comm *g)
{
    for (int k = 1; k <= comm_size(g); k++) {
        struct setting s;
        const bool ring = even(g, k) && comm_size(g) / k >= 3;
        if (!CHECK_OK(open_setting(&s, g, k, "auto", RT_F32))) continue;
        CHECK(strcmp(comm_exchange_algorithm(s.exchange), ring ? "ring" : "direct") == 0);
        close_setting(&s);
    }
    all_sizes(g, 1, "auto", RT_BF16);
}

static void what_does_not_fit_is_refused(struct comm *g)
{
    struct setting s;

    CHECK(open_setting(&s, g, 1, "rign", RT_F32) == RT_EINVAL);
    CHECK(open_setting(&s, g, 1, "ring", RT_BF16) == RT_EINVAL);
    for (int k = 1; k <= comm_size(g); k++)
        if (!even(g, k)) CHECK(open_setting(&s, g, k, "ring", RT_F32) == RT_EINVAL);
    if (!CHECK_OK(open_setting(&s, g, 1, "direct", RT_F32))) return;
    CHECK(comm_gather_begin(s.exchange, 0, unit_of(&s, 0), SLICE_MAX + 1, RT_F32) == RT_EINVAL);
    CHECK(comm_gather_begin(s.exchange, COMM_TICKETS, unit_of(&s, 0), 1, RT_F32) == RT_EINVAL);
    close_setting(&s);
}

/* Numbers whose sum depends on the order: the stated one, bit for bit, and again the same. */
static void additions_are_in_the_stated_order(struct comm *g)
{
    const size_t slice = 50;

    for (int k = 1; k <= comm_size(g); k++) {
        for (int ring = 0; ring < 2; ring++) {
            struct setting s;
            float node[16], again[50];
            if (ring == 1 && !even(g, k)) continue;
            if (!CHECK_OK(open_setting(&s, g, k, ring ? "ring" : "direct", RT_F32))) continue;
            float *mine = s.grads[s.nodes->local_rank];
            for (size_t i = 0; i < s.P * slice; i++)
                mine[i] = 1.0f / (float)(3 + i + 11 * s.rank * s.rank);
            meet(&s);
            CHECK_OK(comm_reduce(s.exchange, (const float *const *)s.grads, s.own, slice, false));
            memcpy(again, s.own, sizeof again);
            CHECK_OK(comm_reduce(s.exchange, (const float *const *)s.grads, s.own, slice, false));
            CHECK(memcmp(again, s.own, sizeof again) == 0);
            for (size_t i = 0; i < slice; i++) {
                const size_t at = s.rank * slice + i;
                float sum = 0;
                for (int n = 0; n < s.nodes->nodes; n++)
                    for (int r = s.nodes->first[n]; r < s.nodes->first[n + 1]; r++) {
                        float v = 1.0f / (float)(3 + at + 11 * (size_t)r * (size_t)r);
                        node[n] = r == s.nodes->first[n] ? v : node[n] + v;
                    }
                for (int j = 0; j < s.nodes->nodes; j++) {
                    int n = ring ? (s.nodes->node + 1 + j) % s.nodes->nodes : j;
                    sum = j == 0 ? node[n] : sum + node[n];
                }
                CHECK(s.own[i] == sum);
            }
            meet(&s);
            close_setting(&s);
        }
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"direct reaches every node", direct_reaches_every_node},
        {"direct with bf16 on the wire", direct_with_bf16_on_the_wire},
        {"a ring goes round equal nodes", a_ring_goes_round_equal_nodes},
        {"auto chooses", auto_chooses},
        {"what does not fit is refused", what_does_not_fit_is_refused},
        {"additions are in the stated order", additions_are_in_the_stated_order},
        {NULL, NULL},
    };
    return check_mpi_main(argc, argv, cases);
}
