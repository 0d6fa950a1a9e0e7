/* tests/shard/test_layout.c - slices cover every tensor once at any number of ranks; the plan */
#include <string.h>

#include "shard/layout.h"
#include "tests/check.h"
#include "tests/shard/toy.h"

/* Each element of each tensor has exactly one owner in a replica, at the place that the owner says. */
static void every_element_has_one_owner(int P, int replicas)
{
    static unsigned char owners[TOY_TENSORS][400];
    uint64_t sum = 0;

    memset(owners, 0, sizeof owners);
    for (int r = 0; r < P; r++) {
        struct shard_layout l;
        size_t before = 0;
        if (!CHECK_OK(shard_layout_create(&toy, P, r, replicas, &l))) return;
        for (int u = 0; u < TOY_UNITS; u++) CHECK(l.slice[u] % (size_t)replicas == 0);
        for (size_t e = 0; e < l.extents_count; e++) {
            const struct shard_extent *x = &l.extents[e];
            const struct rt_tensor *t = &toy.items[x->tensor];
            CHECK(x->count > 0 && x->start + x->count <= rt_tensor_count(t));
            CHECK(x->own >= before && x->own + x->count <= l.own_elements);
            before = x->own + x->count;
            for (uint64_t i = 0; i < x->count; i++) owners[x->tensor][x->start + i]++;
            /* the same element counted from the unit's side */
            size_t in_unit = t->offset + x->start - (size_t)r * l.slice[t->unit];
            CHECK(x->own == l.own[t->unit] + in_unit && in_unit < l.slice[t->unit]);
            sum += x->count;
        }
        shard_layout_clear(&l);
    }
    for (size_t t = 0; t < TOY_TENSORS; t++)
        for (size_t i = 0; i < rt_tensor_count(&toy.items[t]); i++) CHECK(owners[t][i] == 1);
    CHECK(sum == toy.parameters);
}

static uint64_t planned(const struct shard_options *o, const struct shard_shape *shape,
                        const char *name)
{
    struct rt_plan plan = {0};
    uint64_t bytes = 0;

    if (CHECK_OK(shard_plan(&toy, o, shape, &plan))) {
        const struct rt_plan_entry *e = rt_plan_find(&plan, name);
        bytes = e == NULL ? 0 : e->bytes;
        const char *node[] = {"shard/slots", "shard/unit_gradients"};
        for (int i = 0; i < 2; i++)
            if (strcmp(name, node[i]) == 0 && e != NULL) CHECK(e->scope == RT_MEM_NODE);
    }
    rt_plan_clear(&plan);
    return bytes;
}

static void the_plan_says_what_each_mode_needs(void)
{
    struct shard_options o = {.prefetch = 1,
                              .compute = RT_BF16,
                              .wire = RT_F32,
                              .algorithm = "auto",
                              .training = true,
                              .micro_steps = 1};
    const struct shard_shape four = {.size = 4, .rank = 1, .nodes = 1, .local_size = 4};
    const size_t own = (9 + 18 + 18 + 90 + 17) * sizeof(float); /* ceil(n/4) of each unit */

    CHECK(planned(&o, &four, "shard/master") == own);
    CHECK(planned(&o, &four, "shard/gradients") == own);
    CHECK(planned(&o, &four, "shard/slots") == 2 * 4096);
    CHECK(planned(&o, &four, "shard/unit_gradients") == 4 * 2 * 4096);
    CHECK(planned(&o, &four, "shard/staging") == 0);
    o.prefetch = 9; /* no more slots than units */
    CHECK(planned(&o, &four, "shard/slots") == 5 * 4096);
    o.mode = SHARD_GRADS;
    o.prefetch = 0;
    CHECK(planned(&o, &four, "shard/slots") == 5 * 4096);
    o.training = false;
    CHECK(planned(&o, &four, "shard/gradients") == 0);
    CHECK(planned(&o, &four, "shard/unit_gradients") == 0);
}

static uint64_t lines(uint64_t bytes) { return (bytes + 63) / 64 * 64; }

static void staging_follows_the_nodes(void)
{
    struct shard_options o = {
        .compute = RT_F32, .wire = RT_F32, .algorithm = "ring", .training = true, .micro_steps = 1};
    struct shard_shape s = {.size = 6, .rank = 0, .nodes = 3, .local_size = 2};
    const size_t slice = (357 + 5) / 6;

    /* Of each of the two reductions that may be under way, in whole cache lines: ring 2 blocks that
     * take turns; direct 3 to send, 3 received, 1 for the own node's sum. */
    CHECK(planned(&o, &s, "shard/staging") == 2 * lines(2 * slice * 4));
    o.algorithm = "direct";
    CHECK(planned(&o, &s, "shard/staging") == 2 * lines((2 * 3 + 1) * slice * 4));
    o.wire = RT_BF16;
    CHECK(planned(&o, &s, "shard/staging") == 2 * lines(slice * 4 + 2 * 3 * slice * 2));
    o.wire = RT_F32;
    /* 7 ranks as 4+3, every rank: the plan from the shape alone and from `first` agree. */
    const int first[] = {0, 4, 7};
    for (int r = 0; r < 7; r++) {
        struct shard_shape guess = {.size = 7, .rank = r, .nodes = 2, .local_size = r < 4 ? 4 : 3};
        struct shard_shape given = guess;
        given.first = first;
        uint64_t bytes = planned(&o, &given, "shard/staging");
        CHECK(bytes > 0 && bytes == planned(&o, &guess, "shard/staging"));
        /* local rank 0 of the node of 3 also serves local rank 3 of the other */
        given.rank = guess.rank = 4;
        given.local_size = guess.local_size = 3;
        CHECK(r == 4 || bytes < planned(&o, &given, "shard/staging"));
    }
}

/* Three nodes of two: a replica each, cut in two; slices are three blocks, each summed
 * over the replicas by one of them: 3 blocks to send, 3 received. */
static void replicas_hold_a_node_s_share(void)
{
    struct shard_options o = {.mode = SHARD_HYBRID,
                              .compute = RT_F32,
                              .wire = RT_F32,
                              .algorithm = "direct",
                              .training = true,
                              .micro_steps = 4};
    const struct shard_shape s = {.size = 6, .rank = 3, .nodes = 3, .local_size = 2};
    const size_t own = 3 * (6 + 12 + 12 + 60 + 11), block = 60; /* ceil(n/6) of each unit, thrice */

    CHECK(shard_planned_elements(&toy, SHARD_HYBRID, &s) == own);
    CHECK(shard_planned_elements(&toy, SHARD_FULL, &s) == own / 3);
    CHECK(planned(&o, &s, "shard/master") == own * sizeof(float));
    CHECK(planned(&o, &s, "shard/gradients") == own * sizeof(float));
    CHECK(planned(&o, &s, "shard/slots") == 4096);
    CHECK(planned(&o, &s, "shard/unit_gradients") == 2 * 2 * 4096);
    CHECK(planned(&o, &s, "shard/staging") == 2 * lines(2 * 3 * block * 4));
    o.wire = RT_BF16;
    CHECK(planned(&o, &s, "shard/staging") == 2 * lines(2 * 3 * block * 2));
    o.training = false;
    CHECK(planned(&o, &s, "shard/staging") == 0);
}

static void what_cannot_be_is_refused(void)
{
    struct shard_options o = {
        .prefetch = -1, .algorithm = "auto", .training = true, .micro_steps = 1};
    const struct shard_shape one = {.size = 1, .rank = 0, .nodes = 1, .local_size = 1};
    const struct shard_shape uneven = {.size = 5, .rank = 0, .nodes = 2, .local_size = 3};
    const struct shard_shape none = {.size = 2, .rank = 2, .nodes = 1, .local_size = 2};
    struct rt_plan plan = {0};

    CHECK(shard_plan(&toy, &o, &one, &plan) == RT_EINVAL);
    o.prefetch = COMM_TICKETS - 1;
    CHECK(shard_plan(&toy, &o, &one, &plan) == RT_EINVAL);
    o.prefetch = 1;
    CHECK(shard_plan(&toy, &o, &none, &plan) == RT_EINVAL);
    o.micro_steps = 0;
    CHECK(shard_plan(&toy, &o, &one, &plan) == RT_EINVAL);
    o.micro_steps = 1;
    CHECK_OK(shard_plan(&toy, &o, &one, &plan));
    rt_plan_clear(&plan);
    o.mode = SHARD_HYBRID;
    CHECK(shard_plan(&toy, &o, &uneven, &plan) == RT_EINVAL);
    rt_plan_clear(&plan);
}

int main(void)
{
    for (int P = 1; P <= 40; P++)
        for (int replicas = 1; replicas <= 5; replicas++) every_element_has_one_owner(P, replicas);
    every_element_has_one_owner(400, 1); /* more ranks than most units have elements */
    the_plan_says_what_each_mode_needs();
    staging_follows_the_nodes();
    replicas_hold_a_node_s_share();
    what_cannot_be_is_refused();
    return check_failures > 0;
}
