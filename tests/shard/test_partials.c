/* tests/shard/test_partials.c - shard/partials.h: the tree over micro-steps, bit for bit */
#include "shard/partials.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"

enum { STEPS_MOST = 64, GUARD = 5 };
static const size_t sizes[] = {1, 7, 256, 1001};

/* Neither small integers nor of one size, so that a sum shows its order. */
static float value(int m, size_t i)
{
    return (float)((m + 3) * 37 % 101 - 50) / (float)(3 + i * 7 + (size_t)m);
}

/* Micro-steps first .. first+count-1 as one tree. */
static float tree(int first, int count, size_t i)
{
    if (count == 1) return value(first, i);
    return tree(first, count / 2, i) + tree(first + count / 2, count / 2, i);
}

/* One step; what no micro-step has written yet is NaN, and so is what lies around. */
static void add_up(const struct shard_partials *p, const struct rt_vector *v)
{
    for (int m = 0; m < p->steps; m++) {
        float *to = shard_partials_target(p, m);
        for (size_t i = 0; i < p->n; i++) to[i] = value(m, i);
        CHECK_OK(shard_partials_push(p, m, v));
    }
}

static void check_sum(const struct shard_partials *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const float sum = tree(0, p->steps, i);
        CHECK(memcmp(&p->gradients[i], &sum, sizeof sum) == 0);
    }
}

static void try_one(int steps, size_t n, const struct rt_vector *v)
{
    int levels = -1;

    if (!CHECK_OK(shard_partials_levels(steps, &levels))) return;
    CHECK(1 << levels == steps);
    const size_t all = ((size_t)levels + 1) * n + 2 * GUARD;
    float *memory = malloc(all * sizeof *memory);
    if (!CHECK(memory != NULL)) return;
    for (size_t i = 0; i < all; i++) memory[i] = NAN;
    const struct shard_partials p = {.steps = steps,
                                     .n = n,
                                     .levels = levels == 0 ? NULL : memory + GUARD,
                                     .gradients = memory + GUARD + (size_t)levels * n};
    add_up(&p, v);
    check_sum(&p);
    add_up(&p, v); /* what the last step left is not added */
    check_sum(&p);
    for (size_t i = 0; i < GUARD; i++) CHECK(isnan(memory[i]) && isnan(memory[all - 1 - i]));
    free(memory);
}

static void the_gradients_are_the_tree_over_all_micro_steps(void)
{
    for (const struct rt_vector *const *v = rt_vectors_built; *v != NULL; v++)
        for (int steps = 1; steps <= STEPS_MOST; steps *= 2)
            for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
                try_one(steps, sizes[s], *v);
}

/* Else the test above would pass with any order. */
static void the_order_shows_in_the_bits(void)
{
    int differ = 0;

    for (size_t i = 0; i < 1001; i++) {
        float sum = value(0, i);
        for (int m = 1; m < 8; m++) sum += value(m, i);
        differ += sum != tree(0, 8, i);
    }
    CHECK(differ > 100);
}

static void other_numbers_of_micro_steps_are_refused(void)
{
    static const int bad[] = {0, -1, -8, 3, 6, 12, 1000};
    int levels = 7;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(shard_partials_levels(bad[i], &levels) == RT_EINVAL);
    CHECK(levels == 7);
    CHECK_OK(shard_partials_levels(1 << 30, &levels));
    CHECK(levels == 30);
}

int main(void)
{
    the_gradients_are_the_tree_over_all_micro_steps();
    the_order_shows_in_the_bits();
    other_numbers_of_micro_steps_are_refused();
    return check_failures != 0;
}
