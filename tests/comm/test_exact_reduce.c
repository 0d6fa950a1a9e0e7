/* tests/comm/test_exact_reduce.c - comm/exact.h and the exact reduction: one tree over all ranks,
 * whatever the nodes; what cannot be one is refused
 */
#include <string.h>

#include "comm/exact.h"
#include "tests/check_mpi.h"
#include "tests/comm/exchange_rig.h"

enum { SLICES = 4 };
static const size_t slices[SLICES] = {1, 7, 64, SLICE_MAX};

/* Sums of these show their order. */
static float value(size_t rank, size_t i)
{
    return (float)((rank + 3) * 37 % 101) / (float)(3 + i * 7 + rank) - 0.3f;
}

/* Ranks first .. first+count-1 as one tree. */
static float tree(size_t first, size_t count, size_t i)
{
    if (count == 1) return value(first, i);
    return tree(first, count / 2, i) + tree(first + count / 2, count / 2, i);
}

static bool same(float a, float b) { return memcmp(&a, &b, sizeof a) == 0; }

static void reduce(struct rig *s, size_t slice)
{
    for (size_t i = 0; i < s->P * slice; i++) s->mine[i] = value(s->rank, i);
    rig_meet(s);
    for (int round = 0; round < 2; round++) {
        CHECK_OK(rig_reduce(s, slice, round == 1));
        for (size_t i = 0; i < slice; i++) {
            const float sum = tree(0, s->P, s->rank * slice + i);
            CHECK(same(s->own[i], round == 0 ? sum : sum + sum));
        }
    }
    rig_meet(s);
}

static bool power(int n) { return (n & (n - 1)) == 0; }

static void the_sum_is_one_tree_over_all_ranks(struct comm *g)
{
    static const char *const algorithms[] = {"direct", "auto"};
    static const struct rt_vector *const vectors[] = {&rt_vector_ref, &rt_vector_cpu};

    if (!power(comm_size(g))) return;
    for (int k = 1; k <= comm_size(g); k *= 2)
        for (int i = 0; i < 2; i++) {
            struct rig s;
            const struct comm_exchange_options o = {
                .reduce = algorithms[i], .exact = true, .chunk_bytes = 256, .vector = vectors[i]};
            if (!CHECK_OK(rig_open(&s, g, k, &o))) return;
            CHECK(strcmp(comm_exchange_algorithm(s.exchange, COMM_REDUCE), "direct") == 0);
            for (int n = 0; n < SLICES; n++) reduce(&s, slices[n]);
            rig_close(&s);
        }
}

/* Else the case above would pass with any order. */
static void the_order_shows_in_the_bits(struct comm *g)
{
    int differ = 0;

    (void)g;
    for (size_t i = 0; i < SLICE_MAX; i++) {
        const float sum = ((value(0, i) + value(1, i)) + value(2, i)) + value(3, i);
        differ += !same(sum, tree(0, 4, i));
    }
    CHECK(differ > 50);
}

static void what_is_no_tree_is_refused(struct comm *g)
{
    const struct comm_exchange_options good = {
        .reduce = "auto", .exact = true, .vector = &rt_vector_ref};
    struct comm_exchange_options o = good;
    const int P = comm_size(g);
    struct rig s;

    o.wire = RT_BF16;
    CHECK(rig_open(&s, g, 0, &o) == RT_EINVAL);
    o = good;
    o.reduce = "ring";
    CHECK(rig_open(&s, g, 1, &o) == RT_EINVAL);
    for (int k = 0; k < P; k++)
        if (!power(P) || (k > 0 && P % k != 0)) CHECK(rig_open(&s, g, k, &good) == RT_EINVAL);
}

/* Machines that are not here. */
static void nodes_are_equal_powers_of_two(struct comm *g)
{
    static const struct {
        int nodes, first[6];
        rt_status st;
    } shapes[] = {
        {1, {0, 1}, RT_OK},           {1, {0, 8}, RT_OK},        {2, {0, 4, 8}, RT_OK},
        {4, {0, 2, 4, 6, 8}, RT_OK},  {1, {0, 6}, RT_EINVAL},    {2, {0, 3, 6}, RT_EINVAL},
        {3, {0, 2, 4, 6}, RT_EINVAL}, {2, {0, 5, 8}, RT_EINVAL}, {3, {0, 2, 4, 8}, RT_EINVAL},
        {3, {0, 4, 6, 8}, RT_EINVAL},
    };

    (void)g;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        int first[6];
        memcpy(first, shapes[i].first, sizeof first);
        const struct comm_nodes n = {.nodes = shapes[i].nodes, .first = first};
        CHECK(comm_exact_check(&n, "auto", RT_F32) == shapes[i].st);
        CHECK(comm_exact_check(&n, "direct", RT_F32) == shapes[i].st);
        CHECK(comm_exact_check(&n, "ring", RT_F32) == RT_EINVAL);
        CHECK(comm_exact_check(&n, "auto", RT_BF16) == RT_EINVAL);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"the sum is one tree over all ranks", the_sum_is_one_tree_over_all_ranks},
        {"the order shows in the bits", the_order_shows_in_the_bits},
        {"what is no tree is refused", what_is_no_tree_is_refused},
        {"nodes are equal powers of two", nodes_are_equal_powers_of_two},
        {NULL, NULL},
    };
    return check_mpi_main(argc, argv, cases);
}
