/* tests/shard/test_shard.c - weights lent and gradients reduced: node sizes, modes, prefetch,
 * types, algorithms, micro-steps; ranks of different speed; misuse
 *
 * Weights and gradients are small integers, exact in bf16 and in every sum. Gaps and padding of
 * the gradients are NaN, so that one that leaks shows.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shard/shard.h"
#include "tests/check_mpi.h"
#include "tests/shard/toy.h"

enum { MICRO_STEPS = 2 }; /* unless a test says otherwise */

struct setting {
    struct comm_nodes *nodes;
    struct rt_memory *memory;
    struct shard *shard;
    struct shard_options options;
    int P, rank, version; /* of the weights */
    unsigned noise;       /* makes ranks of different speed */
};

static void close_setting(struct setting *s)
{
    shard_destroy(&s->shard);
    rt_memory_destroy(&s->memory);
    comm_nodes_destroy(&s->nodes);
}

static rt_status open_setting(struct setting *s, struct comm *g, int ranks_per_node,
                              const struct shard_options *o)
{
    struct rt_plan plan = {0};
    rt_status st = RT_OK;

    *s = (struct setting){.options = *o, .P = comm_size(g), .rank = comm_rank(g), .noise = 1};
    s->options.vector = &rt_vector_ref;
    if (o->micro_steps == 0) s->options.micro_steps = MICRO_STEPS;
    RT_TRY_OUT(comm_nodes_create(g, ranks_per_node, &s->nodes));
    const struct shard_shape shape = {.size = s->P,
                                      .rank = s->rank,
                                      .nodes = s->nodes->nodes,
                                      .local_size = s->nodes->local_size};
    RT_TRY_OUT(shard_plan(&toy, &s->options, &shape, &plan));
    RT_TRY_OUT(rt_memory_create(&plan, &s->memory));
    RT_TRY_OUT(shard_create(&toy, &s->options, s->nodes, s->memory, &s->shard));
    CHECK(rt_memory_taken_bytes(s->memory) == rt_plan_bytes(&plan, RT_MEM_PRIVATE));
out:
    rt_plan_clear(&plan);
    if (st != RT_OK) close_setting(s);
    return st;
}

static float weight(size_t tensor, uint64_t i, int version)
{
    return (float)((tensor * 17 + i * 5 + (uint64_t)version * 3) % 101) - 50;
}

static float gradient(int rank, size_t tensor, uint64_t i)
{
    return (float)((tensor * 7 + i * 3 + (uint64_t)rank * 13) % 23) - 11;
}

static void set_weights(struct setting *s, int version)
{
    size_t count = 0;
    const struct shard_extent *e = shard_extents(s->shard, &count);

    for (size_t k = 0; k < count; k++)
        for (uint64_t i = 0; i < e[k].count; i++)
            shard_master(s->shard)[e[k].own + i] = weight(e[k].tensor, e[k].start + i, version);
    s->version = version;
    shard_weights_changed(s->shard);
}

static void dawdle(struct setting *s)
{
    s->noise = s->noise * 1103515245u + 12345u + (unsigned)s->rank;
    if ((s->noise >> 16) % 4 == 0) usleep((s->noise >> 20) % 64);
}

static void check_weights(const struct setting *s, int unit, const void *lent)
{
    for (size_t t = 0; t < toy.count; t++) {
        const struct rt_tensor *x = &toy.items[t];
        for (size_t i = 0; x->unit == unit && i < rt_tensor_count(x); i++) {
            float v = s->options.compute == RT_F32
                          ? ((const float *)lent)[x->offset + i]
                          : rt_bf16_to_f32(((const rt_bf16 *)lent)[x->offset + i]);
            CHECK(v == weight(t, i, s->version));
        }
    }
}

static size_t padded(const struct setting *s, int unit)
{
    const size_t P = (size_t)s->P;
    return (toy.unit_elements[unit] + P - 1) / P * P;
}

typedef float (*gradient_of)(int rank, size_t tensor, uint64_t i);

static void write_gradients(const struct setting *s, int unit, float *out, gradient_of value)
{
    for (size_t i = 0; i < padded(s, unit); i++) out[i] = NAN;
    for (size_t t = 0; t < toy.count; t++) {
        const struct rt_tensor *x = &toy.items[t];
        for (size_t i = 0; x->unit == unit && i < rt_tensor_count(x); i++)
            out[x->offset + i] = value(s->rank, t, i);
    }
}

static void visit(struct setting *s, int unit, bool backward, gradient_of value)
{
    struct shard_lent lent;

    if (!CHECK_OK(shard_acquire(s->shard, unit, backward, &lent))) return;
    CHECK((lent.gradients != NULL) == backward);
    check_weights(s, unit, lent.weights);
    if (backward) write_gradients(s, unit, lent.gradients, value);
    dawdle(s);
    check_weights(s, unit, lent.weights);
    CHECK_OK(shard_release(s->shard, unit, backward));
    dawdle(s);
}

static void train(struct setting *s, int micro, gradient_of value)
{
    CHECK_OK(shard_begin(s->shard, SHARD_PASS_TRAIN, micro));
    for (int u = 0; u < TOY_UNITS - 1; u++) visit(s, u, false, value);
    for (int u = TOY_UNITS - 1; u >= 0; u--) visit(s, u, true, value);
    CHECK_OK(shard_end(s->shard));
}

static void forward(struct setting *s)
{
    CHECK_OK(shard_begin(s->shard, SHARD_PASS_FORWARD, 0));
    for (int u = 0; u < TOY_UNITS; u++) visit(s, u, false, NULL);
    CHECK_OK(shard_end(s->shard));
}

/* The sum over ranks, `times` over. */
static void check_gradients(const struct setting *s, int times)
{
    size_t count = 0;
    const struct shard_extent *e = shard_extents(s->shard, &count);

    for (size_t k = 0; k < count; k++)
        for (uint64_t i = 0; i < e[k].count; i++) {
            float sum = 0;
            for (int r = 0; r < s->P; r++) sum += gradient(r, e[k].tensor, e[k].start + i);
            CHECK(shard_gradients(s->shard)[e[k].own + i] == (float)times * sum);
        }
    /* What is in no extent is padding, 0, or a gap, where the model's bytes are. */
    if (s->rank == s->P - 1 && padded(s, TOY_UNITS - 1) > toy.unit_elements[TOY_UNITS - 1])
        CHECK(shard_gradients(s->shard)[shard_own_elements(s->shard) - 1] == 0);
}

/* hybrid: replicas are summed with the last micro-step. */
static void step(struct setting *s)
{
    for (int m = 0; m < s->options.micro_steps; m++) {
        train(s, m, gradient);
        if (s->options.mode != SHARD_HYBRID || m == s->options.micro_steps - 1)
            check_gradients(s, m + 1);
    }
}

static void some_steps(struct setting *s)
{
    set_weights(s, 1);
    step(s);
    forward(s);
    set_weights(s, 2);
    forward(s);
    step(s);
    forward(s);
    forward(s);
}

static bool even(const struct comm *g, int k)
{
    return k == 0 || k >= comm_size(g) || comm_size(g) % k == 0;
}

static void all_prefetches(struct comm *g, int ranks_per_node, struct shard_options o)
{
    static const int prefetch[] = {0, 1, 2, 3, 5};

    for (size_t i = 0; i < sizeof prefetch / sizeof prefetch[0]; i++) {
        struct setting s;
        o.prefetch = prefetch[i];
        o.micro_steps = 1 + (int)i % 3;
        if (!CHECK_OK(open_setting(&s, g, ranks_per_node, &o))) return;
        some_steps(&s);
        close_setting(&s);
    }
}

static void all_nodes(struct comm *g, shard_mode mode)
{
    const int P = comm_size(g), layouts[] = {0, 1, 2, (P + 1) / 2};

    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        if (mode == SHARD_HYBRID && !even(g, layouts[i])) continue;
        for (int type = 0; type < 2; type++) {
            struct shard_options o = {.mode = mode,
                                      .compute = type == 0 ? RT_F32 : RT_BF16,
                                      .wire = RT_F32,
                                      .algorithm = "direct",
                                      .training = true};
            all_prefetches(g, layouts[i], o);
            o.algorithm = "ring";
            if (layouts[i] != 0 && even(g, layouts[i])) all_prefetches(g, layouts[i], o);
        }
    }
}

static void full_lends_and_reduces(struct comm *g) { all_nodes(g, SHARD_FULL); }
static void grads_lends_and_reduces(struct comm *g) { all_nodes(g, SHARD_GRADS); }
static void hybrid_lends_and_reduces(struct comm *g) { all_nodes(g, SHARD_HYBRID); }

static void bf16_between_nodes_is_exact_for_small_integers(struct comm *g)
{
    const struct shard_options o = {
        .prefetch = 1, .compute = RT_BF16, .wire = RT_BF16, .algorithm = "auto", .training = true};
    struct setting s;

    if (!CHECK_OK(open_setting(&s, g, 2, &o))) return;
    some_steps(&s);
    close_setting(&s);
}

static float fraction(int rank, size_t tensor, uint64_t i)
{
    return 1.0f / (float)(3 + tensor + i * 7 + 11 * (uint64_t)rank);
}

/* Sums of fractions depend on their order; that must not depend on who comes first. */
static void the_same_twice_gives_the_same_bits(struct comm *g)
{
    for (int k = 0; k <= 2; k++) {
        const struct shard_options o = {.prefetch = 1,
                                        .compute = RT_F32,
                                        .wire = RT_F32,
                                        .algorithm = "auto",
                                        .training = true};
        struct setting s;
        if (!CHECK_OK(open_setting(&s, g, k, &o))) return;
        const size_t n = shard_own_elements(s.shard);
        float *before = malloc(n * sizeof *before);
        set_weights(&s, 1);
        for (int round = 0; round < 5 && CHECK(before != NULL); round++) {
            memset(shard_gradients(s.shard), 0, n * sizeof(float));
            for (int m = 0; m < MICRO_STEPS; m++) train(&s, m, fraction);
            size_t count = 0;
            const struct shard_extent *e = shard_extents(s.shard, &count);
            for (size_t x = 0; x < count; x++) {
                float *now = shard_gradients(s.shard) + e[x].own;
                if (round > 0) CHECK(memcmp(before + e[x].own, now, e[x].count * 4) == 0);
                memcpy(before + e[x].own, now, e[x].count * sizeof(float));
            }
        }
        free(before);
        close_setting(&s);
    }
}

/* Of every replica, whatever the type on the wire: the rank of the first node that has this local
 * rank has the same master weights and gradients, bit for bit, and they are near the sum. */
static void check_replicas(struct setting *s)
{
    const size_t n = shard_own_elements(s->shard), first = (size_t)s->nodes->local_rank * n;
    float *all = malloc((size_t)s->P * n * sizeof *all);
    const float *mine = shard_gradients(s->shard);
    size_t count = 0;
    const struct shard_extent *e = shard_extents(s->shard, &count);

    CHECK(shard_replica(s->shard) == s->nodes->node);
    if (!CHECK(all != NULL)) return;
    CHECK_OK(comm_allgather(s->nodes->world, mine, all, n * sizeof *mine));
    for (size_t k = 0; k < count; k++) {
        const float *theirs = all + first + e[k].own;
        CHECK(memcmp(mine + e[k].own, theirs, e[k].count * sizeof *mine) == 0);
        for (uint64_t i = 0; i < e[k].count; i++) {
            double sum = 0;
            for (int r = 0; r < s->P; r++)
                sum += (double)MICRO_STEPS * (double)fraction(r, e[k].tensor, e[k].start + i);
            CHECK(fabs(theirs[i] - sum) < (s->options.wire == RT_F32 ? 1e-6 : 8e-3) * sum);
        }
    }
    free(all);
}

static void replicas_end_with_the_same_bits(struct comm *g)
{
    for (int k = 1; k <= comm_size(g); k++)
        for (int wire = 0; wire < 2 && even(g, k); wire++) {
            struct setting s;
            const struct shard_options o = {.mode = SHARD_HYBRID,
                                            .prefetch = 1,
                                            .wire = wire == 0 ? RT_F32 : RT_BF16,
                                            .algorithm = "auto",
                                            .training = true};
            if (!CHECK_OK(open_setting(&s, g, k, &o))) return;
            set_weights(&s, 1);
            for (int m = 0; m < MICRO_STEPS; m++) train(&s, m, fraction);
            check_replicas(&s);
            close_setting(&s);
        }
}

static void replicas_want_nodes_of_one_size(struct comm *g)
{
    const struct shard_options o = {.mode = SHARD_HYBRID, .algorithm = "auto", .training = true};
    const struct shard_options full = {.algorithm = "auto", .training = true};
    struct setting s;

    for (int k = 1; k <= comm_size(g); k++) {
        if (even(g, k)) continue;
        CHECK(open_setting(&s, g, k, &o) == RT_EINVAL);
        if (CHECK_OK(open_setting(&s, g, k, &full))) close_setting(&s);
    }
}

static void another_order_than_the_schedule_is_refused(struct comm *g)
{
    const struct shard_options o = {
        .prefetch = 1, .wire = RT_F32, .algorithm = "auto", .training = true};
    struct shard_lent lent;
    struct setting s;

    if (!CHECK_OK(open_setting(&s, g, 0, &o))) return;
    set_weights(&s, 1);
    CHECK(shard_acquire(s.shard, 0, false, &lent) == RT_EINVAL); /* no pass */
    CHECK(shard_end(s.shard) == RT_EINVAL);
    CHECK_OK(shard_begin(s.shard, SHARD_PASS_TRAIN, 0));
    CHECK(shard_begin(s.shard, SHARD_PASS_TRAIN, 0) == RT_EINVAL);
    CHECK(shard_acquire(s.shard, 1, false, &lent) == RT_EINVAL);
    CHECK(lent.weights == NULL);
    CHECK(shard_acquire(s.shard, 0, true, &lent) == RT_EINVAL);
    CHECK(shard_release(s.shard, 0, false) == RT_EINVAL);
    CHECK_OK(shard_acquire(s.shard, 0, false, &lent));
    CHECK(shard_acquire(s.shard, 0, false, &lent) == RT_EINVAL);
    CHECK(shard_release(s.shard, 1, false) == RT_EINVAL);
    CHECK_OK(shard_release(s.shard, 0, false));
    CHECK(shard_end(s.shard) == RT_EINVAL);
    for (int u = 1; u < TOY_UNITS - 1; u++) visit(&s, u, false, gradient);
    for (int u = TOY_UNITS - 1; u >= 0; u--) visit(&s, u, true, gradient);
    CHECK(shard_acquire(s.shard, 0, true, &lent) == RT_EINVAL); /* at its end */
    CHECK_OK(shard_end(s.shard));
    check_gradients(&s, 1);
    close_setting(&s);
}

static void without_training_there_are_no_gradients(struct comm *g)
{
    for (int k = SHARD_FULL; k <= SHARD_HYBRID; k++) {
        const struct shard_options o = {
            .mode = (shard_mode)k, .prefetch = 1, .wire = RT_F32, .algorithm = "auto"};
        struct setting s;
        if (!CHECK_OK(open_setting(&s, g, k == SHARD_GRADS ? 1 : 0, &o))) return;
        CHECK(shard_gradients(s.shard) == NULL);
        set_weights(&s, 3);
        forward(&s);
        forward(&s);
        CHECK(shard_begin(s.shard, SHARD_PASS_TRAIN, 0) == RT_EINVAL);
        close_setting(&s);
    }
}

/* One rank's memory is of an empty plan. */
static void one_rank_cannot_and_all_hear(struct comm *g)
{
    const struct shard_options o = {.wire = RT_F32,
                                    .algorithm = "auto",
                                    .training = true,
                                    .micro_steps = 1,
                                    .vector = &rt_vector_ref};
    struct comm_nodes *nodes = NULL;
    struct rt_memory *memory = NULL;
    struct rt_plan plan = {0};
    struct shard *shard = NULL;

    if (!CHECK_OK(comm_nodes_create(g, 0, &nodes))) return;
    const struct shard_shape shape = {
        .size = comm_size(g), .rank = comm_rank(g), .nodes = 1, .local_size = nodes->local_size};
    if (comm_rank(g) != comm_size(g) - 1) CHECK_OK(shard_plan(&toy, &o, &shape, &plan));
    CHECK_OK(rt_memory_create(&plan, &memory));
    CHECK(shard_create(&toy, &o, nodes, memory, &shard) == RT_EINVAL);
    CHECK(shard == NULL && rt_memory_taken_bytes(memory) == 0);
    rt_memory_destroy(&memory);
    rt_plan_clear(&plan);
    comm_nodes_destroy(&nodes);
}

static void counters_and_explanation(struct comm *g)
{
    const struct shard_options o = {.mode = SHARD_GRADS,
                                    .compute = RT_BF16,
                                    .wire = RT_F32,
                                    .algorithm = "auto",
                                    .training = true};
    struct shard_counters c;
    struct setting s;
    size_t elements = 0;
    char text[4096] = "";

    if (!CHECK_OK(open_setting(&s, g, 0, &o))) return;
    for (int u = 0; u < TOY_UNITS; u++) elements += padded(&s, u);
    set_weights(&s, 1);
    for (int m = 0; m < MICRO_STEPS; m++) train(&s, m, gradient);
    shard_take_counters(s.shard, &c);
    CHECK(c.gathered_bytes == 2 * elements && c.reduced_bytes == 2 * 4 * elements);
    shard_take_counters(s.shard, &c);
    CHECK(c.gathered_bytes == 0 && c.reduced_bytes == 0);
    FILE *f = fmemopen(text, sizeof text, "w");
    if (CHECK(f != NULL)) {
        shard_explain(s.shard, f);
        fclose(f);
        CHECK(strstr(text, "pass train, weights new\n  gather  unit 0 -> slot 0\n") != NULL);
        CHECK(strstr(text, "pass forward, weights as before\n  acquire unit 0") != NULL);
    }
    close_setting(&s);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"full lends and reduces", full_lends_and_reduces},
        {"grads lends and reduces", grads_lends_and_reduces},
        {"hybrid lends and reduces", hybrid_lends_and_reduces},
        {"bf16 between nodes is exact for small integers",
         bf16_between_nodes_is_exact_for_small_integers},
        {"the same twice gives the same bits", the_same_twice_gives_the_same_bits},
        {"replicas end with the same bits", replicas_end_with_the_same_bits},
        {"replicas want nodes of one size", replicas_want_nodes_of_one_size},
        {"another order than the schedule is refused", another_order_than_the_schedule_is_refused},
        {"without training there are no gradients", without_training_there_are_no_gradients},
        {"one rank cannot and all hear", one_rank_cannot_and_all_hear},
        {"counters and explanation", counters_and_explanation},
        {NULL, NULL},
    };
    return check_mpi_main(argc, argv, cases);
}
