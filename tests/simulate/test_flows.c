/* tests/simulate/test_flows.c - the cluster on paper: routes, fair rates, collectives
 *
 * Numbers  times are worked out by hand with 1 us a link (two or four a route) and round rates;
 *          equal up to rounding, 1e-9, unless a formula leaves something out
 */
#include "bench/simulate/flows.h"

#include "runtime/log.h"
#include "tests/check.h"

static const double SAME = 1e-9;

static struct simulate_fabric fabric_of(const char *spec, int ranks, int per_node)
{
    struct simulate_fabric f = {0};
    CHECK_OK(simulate_fabric_parse(spec, ranks, per_node, &f));
    return f;
}

static void specs_are_read_and_refused(void)
{
    struct simulate_fabric f = fabric_of("ecmp+rail+over=4+seed=7+nic=50+node=900+link=250", 64, 8);
    const char *const wrong[] = {"fast",
                                 "dmodk+",
                                 "ecmp+over=5",
                                 "ecmp+over=x",
                                 "ecmp+seed",
                                 "dmodk+ports=12",
                                 "ecmp+paths=0",
                                 "ecmp+paths=1.5",
                                 "ideal+over=0",
                                 "ecmp rail=1",
                                 ""};

    CHECK(f.routing == SIMULATE_ECMP && f.rails && f.leaf_ports == 32 && f.spines == 8);
    CHECK(f.seed == 7 && f.nic_bytes_per_s == 50e9 && f.node_bytes_per_s == 900e9);
    CHECK_NEAR(f.link_s, 250e-9, SAME, 0);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK(simulate_fabric_parse(wrong[i], 64, 8, &f) == RT_EINVAL);
    CHECK(simulate_fabric_parse("dmodk", 60, 8, &f) == RT_EINVAL); /* no whole nodes */
    CHECK(simulate_fabric_parse("dmodk", 0, 8, &f) == RT_EINVAL);
}

static void routes_are_those_of_the_wiring(void)
{
    const struct simulate_fabric node = fabric_of("dmodk", 128, 8);
    const struct simulate_fabric rail = fabric_of("dmodk+rail", 128, 8);
    int links[SIMULATE_HOPS];

    CHECK(simulate_leaves(&node) == 4 && simulate_leaves(&rail) == 8);
    CHECK(simulate_route(&node, 0, 7, 0, links) == 2);   /* one node */
    CHECK(simulate_route(&node, 0, 31, 0, links) == 2);  /* one leaf of four nodes */
    CHECK(simulate_route(&node, 0, 32, 0, links) == 4);  /* two leaves */
    CHECK(simulate_route(&rail, 0, 120, 0, links) == 2); /* one rail, sixteen nodes */
    CHECK(simulate_route(&rail, 0, 9, 0, links) == 4);   /* two rails */
    for (int to = 1; to < 128; to++) {
        const int hops = simulate_route(&node, 0, to, 0, links);
        for (int i = 0; i < hops; i++) CHECK(links[i] >= 0 && links[i] < simulate_links(&node));
    }
}

/* D-mod-K: ranks that all send `shift` further never share a link. */
static void shifts_do_not_collide_on_dmodk(void)
{
    const struct simulate_fabric f = fabric_of("dmodk", 256, 8);

    for (int shift = 1; shift < 256; shift += 5) {
        int used[4 * 256 + 2 * 8 * 32] = {0}, links[SIMULATE_HOPS], most = 0;
        for (int from = 0; from < 256; from++) {
            const int hops = simulate_route(&f, from, (from + shift) % 256, 0, links);
            for (int i = 0; i < hops; i++)
                if (++used[links[i]] > most) most = used[links[i]];
        }
        CHECK(most == 1);
    }
}

static double seconds_of(const struct simulate_fabric *f, const struct simulate_message *m,
                         size_t count)
{
    double s = -1;
    CHECK_OK(simulate_messages_s(f, m, count, &s));
    return s;
}

/* 1 GB/s NICs, 10 GB/s in the node, 1 us a link. */
static void rates_are_max_min_fair(void)
{
    const struct simulate_fabric f = fabric_of("ideal+nic=1+node=10+link=1000", 64, 8);
    const struct simulate_message alone[] = {{0, 8, 1e9}};
    const struct simulate_message incast[] = {{0, 16, 1e9}, {8, 16, 1e9}};
    /* 0 -> 16 and 0 -> 24 share the NIC of 0; 8 -> 24 gets what 0 -> 24 leaves of the NIC of 24. */
    const struct simulate_message chain[] = {{0, 16, 1e9}, {0, 24, 1e9}, {8, 24, 1e9}};
    /* The short one ends at 1 s, at half rate; the other goes on alone: 0.5 + 1.5 GB. */
    const struct simulate_message uneven[] = {{0, 16, 0.5e9}, {8, 16, 2e9}};
    const struct simulate_message inside[] = {{0, 1, 1e9}, {1, 2, 1e9}, {2, 0, 1e9}};

    CHECK_NEAR(seconds_of(&f, alone, 1), 1 + 2e-6, SAME, 0);
    CHECK_NEAR(seconds_of(&f, incast, 2), 2 + 2e-6, SAME, 0);
    CHECK_NEAR(seconds_of(&f, chain, 3), 2 + 2e-6, SAME, 0);
    CHECK_NEAR(seconds_of(&f, uneven, 2), 2.5 + 2e-6, SAME, 0);
    CHECK_NEAR(seconds_of(&f, inside, 3), 0.1 + 2e-6, SAME, 0);
    CHECK(seconds_of(&f, alone, 0) == 0);
}

/* All ranks of a leaf send to the other leaf, over fewer up-links than NICs. */
static void an_oversubscribed_leaf_is_shared(void)
{
    const struct simulate_fabric f = fabric_of("dmodk+over=4+nic=1+link=1000", 64, 8);
    const struct simulate_fabric even = fabric_of("spray+over=4+nic=1+link=1000", 64, 8);
    struct simulate_message m[32];

    for (int i = 0; i < 32; i++) m[i] = (struct simulate_message){i, 32 + i, 1e9};
    CHECK_NEAR(seconds_of(&f, m, 32), 4 + 4e-6, SAME, 0);
    CHECK_NEAR(seconds_of(&even, m, 32), 4 + 4e-6, 1e-6, 0);
}

/* More queue pairs, fewer collisions; none is as good as no core. */
static void more_paths_collide_less(void)
{
    const char *const specs[] = {"ecmp", "ecmp+paths=4", "ecmp+paths=16", "spray", "ideal"};
    struct simulate_message m[64];
    double before = 1e9;

    for (int i = 0; i < 64; i++) m[i] = (struct simulate_message){i, (i + 32) % 64, 1e9};
    for (size_t k = 0; k < sizeof specs / sizeof specs[0]; k++) {
        const struct simulate_fabric f = fabric_of(specs[k], 64, 8);
        const double s = seconds_of(&f, m, 64);
        CHECK(s <= before * (1 + 1e-6));
        before = s;
    }
    CHECK_NEAR(before, 1e9 / 25e9 + 4 * 0.5e-6, SAME, 0);
}

static double collective(const struct simulate_fabric *f, const char *name, comm_op op,
                         size_t slice)
{
    const struct simulate_collective c = {comm_algorithm_find(name), op, slice, RT_BF16, RT_F32};
    double s = -1;

    CHECK(c.algorithm != NULL);
    CHECK_OK(simulate_collective_s(f, &c, &s));
    return s;
}

/* Flat algorithms on nodes of one GPU, so that every hop is a NIC's: n bytes a slice at 25 GB/s. */
static void collectives_take_what_their_formulas_say(void)
{
    const struct simulate_fabric f = fabric_of("dmodk", 64, 1);
    const double n = 1 << 20, beta = 1 / 25e9, near = 1e-6, far = 2e-6;

    CHECK_NEAR(collective(&f, "ring", COMM_GATHER, 1 << 19), 63 * (far + n * beta), SAME, 0);
    CHECK_NEAR(collective(&f, "ring", COMM_REDUCE, 1 << 18), 63 * (far + n * beta), SAME, 0);
    /* Distances 1 to 16 stay on the leaf, 32 does not. */
    CHECK_NEAR(collective(&f, "doubling", COMM_GATHER, 1 << 19), 5 * near + far + 63 * n * beta,
               SAME, 0);
    CHECK_NEAR(collective(&f, "doubling", COMM_REDUCE, 1 << 18), 5 * near + far + 63 * n * beta,
               SAME, 0);
}

/* Lanes: 7 of 8 blocks of a lane come through each NIC, then 7 lanes of 8 blocks through the node. */
static void two_levels_use_every_nic(void)
{
    const struct simulate_fabric f = fabric_of("dmodk+rail", 64, 8);
    const double n = 1 << 20, nic = n / 25e9, node = 8 * n / 450e9;

    CHECK_NEAR(collective(&f, "two-level-ring", COMM_GATHER, 1 << 19),
               7 * (1e-6 + nic) + 1e-6 + 7 * node, SAME, 0);
}

int main(void)
{
    rt_log_set_level(RT_LOG_ERROR);
    specs_are_read_and_refused();
    routes_are_those_of_the_wiring();
    shifts_do_not_collide_on_dmodk();
    rates_are_max_min_fair();
    an_oversubscribed_leaf_is_shared();
    more_paths_collide_less();
    collectives_take_what_their_formulas_say();
    two_levels_use_every_nic();
    return check_failures > 0;
}
