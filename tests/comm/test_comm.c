/* tests/comm/test_comm.c - groups, agreement, scalars, small data, nodes; in several groups */
#include <stdlib.h>
#include <string.h>

#include "runtime/log.h"
#include "tests/check_mpi.h"

static void the_worst_status_wins(struct comm *g)
{
    const int r = comm_rank(g), P = comm_size(g);

    CHECK(comm_agree(g, RT_OK) == RT_OK);
    CHECK(comm_agree(g, r == P - 1 ? RT_EIO : RT_OK) == RT_EIO);
    CHECK(comm_agree(g, r == 0 ? RT_EHUNG : RT_EINVAL) == RT_EHUNG);
}

static void bytes_arrive_from_every_root(struct comm *g)
{
    unsigned char data[1001];

    for (int root = 0; root < comm_size(g); root++) {
        memset(data, comm_rank(g) == root ? 7 + root : 0, sizeof data);
        CHECK_OK(comm_bcast(g, root, data, sizeof data));
        CHECK(data[0] == 7 + root && data[1000] == 7 + root);
    }
    CHECK_OK(comm_bcast(g, 0, data, 0));
    CHECK_OK(comm_barrier(g));
}

static void each_rank_gives_the_same_number_of_bytes(struct comm *g)
{
    const int P = comm_size(g);
    int32_t mine[3] = {comm_rank(g), -comm_rank(g), 5}, *all = calloc((size_t)P * 3, sizeof *all);

    if (!CHECK(all != NULL)) return;
    CHECK_OK(comm_allgather(g, mine, all, sizeof mine));
    for (int r = 0; r < P; r++)
        CHECK(all[3 * r] == r && all[3 * r + 1] == -r && all[3 * r + 2] == 5);
    free(all);
}

static void each_rank_gives_its_own_number_of_bytes(struct comm *g)
{
    const int r = comm_rank(g), P = comm_size(g), root = P / 2;
    char mine[64];
    void *out = mine;
    size_t total = 99;

    memset(mine, 'a' + r, sizeof mine); /* rank r brings 3r bytes, rank 0 none */
    CHECK_OK(comm_gather_bytes(g, root, mine, (size_t)(3 * r), &out, &total));
    if (r != root) {
        CHECK(out == NULL && total == 0);
        return;
    }
    CHECK(total == (size_t)(3 * P * (P - 1) / 2));
    const char *at = out;
    for (int k = 0; k < P; k++)
        for (int i = 0; i < 3 * k; i++) CHECK(*at++ == 'a' + k);
    free(out);
}

static void scalars_add_up(struct comm *g)
{
    const int r = comm_rank(g), P = comm_size(g);
    double most[2] = {r, -r};
    uint64_t sums[2] = {(uint64_t)r, UINT64_C(1) << 40};

    CHECK_OK(comm_max_f64(g, most, 2));
    CHECK(most[0] == P - 1 && most[1] == 0);
    CHECK_OK(comm_sum_u64(g, sums, 2));
    CHECK(sums[0] == (uint64_t)(P * (P - 1) / 2) && sums[1] == (uint64_t)P << 40);
}

/* 1e300 and -1e300 meet on different ranks; what is left between them is still exact. */
static void exact_sums_lose_nothing(struct comm *g)
{
    const int r = comm_rank(g), P = comm_size(g);
    struct rt_exact a[2] = {0};

    rt_exact_add(&a[0], r == 0 ? 1e300 : 0);
    rt_exact_add(&a[0], r == P - 1 ? -1e300 : 0);
    rt_exact_add(&a[0], 1e-300);
    rt_exact_add(&a[1], 0.1 * (r + 1));
    CHECK_OK(comm_sum_exact(g, a, 2));
    CHECK(rt_exact_value(&a[0]) == 1e-300 * P || P == 7 || P == 3); /* 3e-300 rounds */
    CHECK_NEAR(rt_exact_value(&a[0]), 1e-300 * P, 1e-15, 0);

    struct rt_exact here = {0};
    for (int k = P - 1; k >= 0; k--) rt_exact_add(&here, 0.1 * (k + 1));
    CHECK(rt_exact_value(&a[1]) == rt_exact_value(&here));
}

static void a_negative_colour_is_in_no_group(struct comm *g)
{
    struct comm *some = g;
    const bool in = comm_rank(g) % 2 == 0;

    CHECK_OK(comm_split(g, in ? 0 : -1, 0, &some));
    CHECK((some != NULL) == in);
    if (in) CHECK(comm_size(some) == (comm_size(g) + 1) / 2);
    if (in) CHECK(comm_rank(some) == comm_rank(g) / 2);
    comm_destroy(&some);
    CHECK(some == NULL);
}

static void every_k_ranks_are_a_node(struct comm *g)
{
    const int r = comm_rank(g), P = comm_size(g);

    for (int k = 1; k <= P + 1; k++) {
        struct comm_nodes *n = NULL;
        int sum = 0;
        if (!CHECK_OK(comm_nodes_create(g, k, &n))) continue;
        CHECK(n->nodes == (P + k - 1) / k && n->node == r / k && n->local_rank == r % k);
        CHECK(n->first[n->nodes] == P && n->first[n->node] == r - r % k);
        for (int i = 0; i < n->nodes; i++) sum += n->first[i + 1] - n->first[i];
        CHECK(sum == P);
        CHECK(comm_size(n->local) == n->local_size && comm_rank(n->local) == n->local_rank);
        CHECK(n->world == g);
        comm_nodes_destroy(&n);
        CHECK(n == NULL);
    }
}

/* The tests run on one machine. */
static void the_machine_is_one_node(struct comm *g)
{
    struct comm_nodes *n = NULL;

    if (!CHECK_OK(comm_nodes_create(g, 0, &n))) return;
    CHECK(n->nodes == 1 && n->local_size == comm_size(g) && n->local_rank == comm_rank(g));
    comm_nodes_destroy(&n);
}

static void one_rank_asks_for_minus_one_and_all_hear(struct comm *g)
{
    struct comm_nodes *n = NULL;

    CHECK(comm_nodes_create(g, comm_rank(g) == 0 ? -1 : 0, &n) == RT_EINVAL);
    CHECK(n == NULL);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"the worst status wins", the_worst_status_wins},
        {"bytes arrive from every root", bytes_arrive_from_every_root},
        {"each rank gives the same number of bytes", each_rank_gives_the_same_number_of_bytes},
        {"each rank gives its own number of bytes", each_rank_gives_its_own_number_of_bytes},
        {"scalars add up", scalars_add_up},
        {"exact sums lose nothing", exact_sums_lose_nothing},
        {"a negative colour is in no group", a_negative_colour_is_in_no_group},
        {"every k ranks are a node", every_k_ranks_are_a_node},
        {"the machine is one node", the_machine_is_one_node},
        {"one rank asks for -1 ranks per node and all hear",
         one_rank_asks_for_minus_one_and_all_hear},
        {NULL, NULL},
    };
    return check_mpi_main(argc, argv, cases);
}
