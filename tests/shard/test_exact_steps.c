/* tests/shard/test_exact_steps.c - a step in exact sums: LEAVES leaves over ranks and micro-steps give
 * one tree, the same bits for every number of ranks, nodes, mode and prefetch
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shard/shard.h"
#include "tests/check_mpi.h"
#include "tests/shard/toy.h"

enum { LEAVES = 16 };

struct setting {
    struct comm_nodes *nodes;
    struct rt_memory *memory;
    struct shard *shard;
    struct rt_plan plan;
    int P, rank;
};

static void close_setting(struct setting *s)
{
    shard_destroy(&s->shard);
    rt_memory_destroy(&s->memory);
    rt_plan_clear(&s->plan);
    comm_nodes_destroy(&s->nodes);
}

static rt_status open_setting(struct setting *s, struct comm *g, int ranks_per_node,
                              const struct shard_options *o)
{
    rt_status st = RT_OK;

    *s = (struct setting){.P = comm_size(g), .rank = comm_rank(g)};
    RT_TRY_OUT(comm_nodes_create(g, ranks_per_node, &s->nodes));
    const struct shard_shape shape = {.size = s->P,
                                      .rank = s->rank,
                                      .nodes = s->nodes->nodes,
                                      .local_size = s->nodes->local_size,
                                      .first = s->nodes->first};
    RT_TRY_OUT(shard_plan(&toy, o, &shape, &s->plan));
    RT_TRY_OUT(rt_memory_create(&s->plan, &s->memory));
    RT_TRY_OUT(shard_create(&toy, o, s->nodes, s->memory, &s->shard));
    CHECK(rt_memory_taken_bytes(s->memory) == rt_plan_bytes(&s->plan, RT_MEM_PRIVATE));
out:
    if (st != RT_OK) close_setting(s);
    return st;
}

static struct shard_options options(const struct comm *g)
{
    return (struct shard_options){.prefetch = 1,
                                  .compute = RT_F32,
                                  .wire = RT_F32,
                                  .algorithm = "auto",
                                  .training = true,
                                  .exact = true,
                                  .micro_steps = LEAVES / comm_size(g),
                                  .vector = &rt_vector_cpu};
}

/* Of leaf l in step `step`; sums show their order. */
static float value(int step, int l, size_t tensor, uint64_t i)
{
    return (float)((l + 3 + step) * 37 % 101 - 50) / (float)(3 + i * 7 + tensor + (uint64_t)l);
}

static float tree(int step, int first, int count, size_t tensor, uint64_t i)
{
    if (count == 1) return value(step, first, tensor, i);
    return tree(step, first, count / 2, tensor, i) +
           tree(step, first + count / 2, count / 2, tensor, i);
}

/* Padding and gaps are NaN: whatever leaks shows. */
static void write_gradients(int step, int leaf, int unit, float *out)
{
    for (size_t i = 0; i < toy.unit_elements[unit]; i++) out[i] = NAN;
    for (size_t t = 0; t < toy.count; t++) {
        const struct rt_tensor *x = &toy.items[t];
        for (size_t i = 0; x->unit == unit && i < rt_tensor_count(x); i++)
            out[x->offset + i] = value(step, leaf, t, i);
    }
}

static void visit(struct setting *s, int unit, bool backward, int step, int leaf)
{
    struct shard_lent lent;

    if (!CHECK_OK(shard_acquire(s->shard, unit, backward, &lent))) return;
    if (backward) write_gradients(step, leaf, unit, lent.gradients);
    CHECK_OK(shard_release(s->shard, unit, backward));
}

static void micro_step(struct setting *s, int step, int m)
{
    const int leaf = m * s->P + s->rank;

    CHECK_OK(shard_begin(s->shard, SHARD_PASS_TRAIN, m));
    for (int u = 0; u < TOY_UNITS - 1; u++) visit(s, u, false, step, leaf);
    for (int u = TOY_UNITS - 1; u >= 0; u--) visit(s, u, true, step, leaf);
    CHECK_OK(shard_end(s->shard));
}

static void evaluate(struct setting *s)
{
    CHECK_OK(shard_begin(s->shard, SHARD_PASS_FORWARD, 0));
    for (int u = 0; u < TOY_UNITS; u++) visit(s, u, false, 0, 0);
    CHECK_OK(shard_end(s->shard));
}

static void check_gradients(const struct setting *s, int step)
{
    size_t count = 0;
    const struct shard_extent *e = shard_extents(s->shard, &count);

    for (size_t k = 0; k < count; k++)
        for (uint64_t i = 0; i < e[k].count; i++) {
            const float sum = tree(step, 0, LEAVES, e[k].tensor, e[k].start + i);
            CHECK(memcmp(&shard_gradients(s->shard)[e[k].own + i], &sum, sizeof sum) == 0);
        }
}

static void one_layout(struct comm *g, int ranks_per_node, const struct shard_options *o)
{
    struct setting s;

    if (!CHECK_OK(open_setting(&s, g, ranks_per_node, o))) return;
    for (int step = 0; step < 2; step++) {
        for (int m = 0; m < o->micro_steps; m++) micro_step(&s, step, m);
        check_gradients(&s, step);
        evaluate(&s);
        check_gradients(&s, step); /* it is no training pass */
    }
    close_setting(&s);
}

static bool power(int n) { return (n & (n - 1)) == 0; }

static void the_gradients_are_one_tree_over_all_leaves(struct comm *g)
{
    struct shard_options o = options(g);

    if (!power(comm_size(g))) return;
    for (int mode = SHARD_FULL; mode <= SHARD_HYBRID; mode++)
        for (o.prefetch = 0; o.prefetch < 3; o.prefetch += 2)
            for (int k = 1; k <= comm_size(g); k *= 2) {
                o.mode = (shard_mode)mode;
                one_layout(g, k, &o);
            }
}

static void the_plan_lists_the_partial_sums(struct comm *g)
{
    struct shard_options o = options(g);
    struct setting s;
    uint64_t arrays = 0;

    if (!power(comm_size(g)) || !CHECK_OK(open_setting(&s, g, 0, &o))) return;
    while (1 << arrays < o.micro_steps) arrays++;
    const struct rt_plan_entry *e = rt_plan_find(&s.plan, "shard/partials");
    if (CHECK((e != NULL) == (arrays > 0)) && e != NULL)
        CHECK(e->class_ == RT_MEM_GRADIENTS && e->scope == RT_MEM_PRIVATE &&
              e->bytes == arrays * sizeof(float) * shard_own_elements(s.shard));
    close_setting(&s);
    o.exact = false;
    if (!CHECK_OK(open_setting(&s, g, 0, &o))) return;
    CHECK(rt_plan_find(&s.plan, "shard/partials") == NULL);
    close_setting(&s);
}

static void passes_that_are_no_micro_step_are_refused(struct comm *g)
{
    const struct shard_options o = options(g);
    struct setting s;

    if (!power(comm_size(g)) || !CHECK_OK(open_setting(&s, g, 0, &o))) return;
    CHECK(shard_begin(s.shard, SHARD_PASS_TRAIN, 1) == RT_EINVAL); /* of no step */
    CHECK(shard_begin(s.shard, SHARD_PASS_TRAIN, -1) == RT_EINVAL);
    for (int m = 0; m < o.micro_steps; m++) micro_step(&s, 0, m);
    CHECK(shard_begin(s.shard, SHARD_PASS_TRAIN, o.micro_steps) == RT_EINVAL); /* one too many */
    CHECK(shard_begin(s.shard, SHARD_PASS_TRAIN, o.micro_steps - 1) ==
          (o.micro_steps == 1 ? RT_OK : RT_EINVAL)); /* twice the same */
    for (int m = 0; m < o.micro_steps; m++) micro_step(&s, 1, m);
    check_gradients(&s, 1);
    close_setting(&s);
}

static void what_is_no_tree_is_refused(struct comm *g)
{
    struct shard_options o = options(g);
    struct setting s;

    if (!power(comm_size(g))) {
        CHECK(open_setting(&s, g, 0, &o) == RT_EINVAL);
        return;
    }
    static const int steps[] = {0, -1, 3, 6};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        o.micro_steps = steps[i];
        CHECK(open_setting(&s, g, 0, &o) == RT_EINVAL);
    }
    o = options(g);
    o.wire = RT_BF16;
    CHECK(open_setting(&s, g, 1, &o) == RT_EINVAL);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"the gradients are one tree over all leaves", the_gradients_are_one_tree_over_all_leaves},
        {"the plan lists the partial sums", the_plan_lists_the_partial_sums},
        {"passes that are no micro-step are refused", passes_that_are_no_micro_step_are_refused},
        {"what is no tree is refused", what_is_no_tree_is_refused},
        {NULL, NULL},
    };
    return check_mpi_main(argc, argv, cases);
}
