/* tests/comm/test_choice.c - which algorithm auto takes on machines that are not here
 *
 * The algorithm follows the fabric: where routes are hashed (RoCE) messages that cross between
 * leaves go round a ring; where they are not (InfiniBand) halving and doubling may.
 */
#include <stdlib.h>
#include <string.h>

#include "comm/exchange.h"
#include "tests/check.h"

enum { NODES = 256, PER_NODE = 8, PER_LEAF = 32 };

static int first[NODES + 1], leaf[NODES];

static const char *taken_by(comm_op op, const char *fabric, int nodes, int *leaves, size_t slice,
                            rt_dtype wire)
{
    static char why[512];
    const struct comm_nodes n = {
        .nodes = nodes, .local_size = PER_NODE, .first = first, .leaf = leaves};
    const struct comm_exchange_options o = {.fabric = fabric,
                                            .rate_gbit = PER_NODE * 200,
                                            .wire = wire,
                                            .unit = RT_BF16,
                                            .slice_max = slice,
                                            .vector = &rt_vector_ref};

    return comm_exchange_choice(&n, &o, op, why, sizeof why);
}

static const char *taken(const char *fabric, int nodes, int *leaves, size_t slice, rt_dtype wire)
{
    return taken_by(COMM_GATHER, fabric, nodes, leaves, slice, wire);
}

static bool is(const char *a, const char *b) { return strcmp(a, b) == 0; }

static void hashed_routes_want_a_ring(void)
{
    const size_t slice = 1 << 20;

    CHECK(is(taken("roce", NODES, leaf, slice, RT_F32), "ring"));
    CHECK(!is(taken("ib", NODES, leaf, slice, RT_F32), "ring"));
    /* Nobody said which leaf: so many nodes do not fit one. */
    CHECK(is(taken("roce", NODES, NULL, slice, RT_F32), "ring"));
    CHECK(!is(taken("ib", NODES, NULL, slice, RT_F32), "ring"));
}

static void what_stays_on_a_leaf_crosses_nothing(void)
{
    CHECK(!is(taken("roce", PER_LEAF, leaf, 1 << 20, RT_F32), "ring"));
    CHECK(!is(taken("roce", 4, NULL, 1 << 20, RT_F32), "ring"));
}

static void small_units_want_few_rounds(void)
{
    CHECK(!is(taken("roce", NODES, leaf, 16, RT_F32), "ring"));
    CHECK(!is(taken("ib", NODES, leaf, 16, RT_F32), "ring"));
}

static void no_ring_with_bf16_on_the_wire(void)
{
    CHECK(!is(taken_by(COMM_REDUCE, "roce", NODES, leaf, 1 << 20, RT_BF16), "ring"));
}

/* Of a message's cost little data feels nothing else; a card that all ranks of a node share. */
static void little_data_goes_by_one_rank_a_node(void)
{
    CHECK(is(taken_by(COMM_ALLREDUCE, "tcp", 4, NULL, 16, RT_F32), "whole"));
    CHECK(!is(taken_by(COMM_ALLREDUCE, "tcp", 4, NULL, 1 << 20, RT_F32), "whole"));
}

static void one_node_sends_nothing(void) { CHECK(is(taken("roce", 1, leaf, 9, RT_F32), "direct")); }

int main(void)
{
    for (int n = 0; n <= NODES; n++) first[n] = n * PER_NODE;
    for (int n = 0; n < NODES; n++) leaf[n] = n / PER_LEAF * PER_LEAF * PER_NODE;
    hashed_routes_want_a_ring();
    what_stays_on_a_leaf_crosses_nothing();
    small_units_want_few_rounds();
    no_ring_with_bf16_on_the_wire();
    little_data_goes_by_one_rank_a_node();
    one_node_sends_nothing();
    return check_failures != 0;
}
