/* tests/comm/schedule/test_cost.c - what walking a schedule adds up is the formula in its
 * algorithm's header
 *
 * All figures of the model differ and are powers of two, so that terms neither hide one another
 * nor round: the checks are ==.
 */
#include <math.h>
#include <string.h>

#include "comm/schedule/cost.h"
#include "tests/check.h"

enum { MOST = 64, SLICE = 1 << 10 };

static const struct comm_costs costs = {
    .alpha_s = {0x1p-20, 0x1p-16, 0x1p-12},
    .beta_s_per_byte = {0x1p-36, 0x1p-32, 0x1p-30},
    .overhead_s = 0x1p-24,
    .gamma_s_per_byte = 0x1p-40,
    .barrier_s = 0x1p-8,
    .doubling_contention = 3.0,
};

/* What a formula counts: rounds that wait, messages, blocks on the wire, blocks touched. */
struct count {
    double alpha, messages, beta, gamma;
};

static int log2_up(int n)
{
    int k = 0;

    while ((1 << k) < n) k++;
    return k;
}

/* Messages of Bruck: a range that wraps behind the last member is cut. */
static double bruck_messages(int N, int place)
{
    int messages = 0;

    for (int k = 0; 1 << k < N; k++) {
        int ahead = 1 << k, range = ahead < N - ahead ? ahead : N - ahead;
        messages += 2 + (place + range > N) + ((place + ahead) % N + range > N);
    }
    return messages;
}

/* N members of G parts, as in the headers, for the first rank of member N/2. Doubling: N a power of two. */
static struct count gather_formula(const char *name, int N, int G)
{
    const double K = log2_up(N), blocks = N - 1;

    if (strcmp(name, "ring") == 0) return (struct count){blocks, 2 * blocks, blocks, 0};
    if (strcmp(name, "doubling") == 0) return (struct count){K, 2 * K, blocks, 0};
    if (strcmp(name, "bruck") == 0) return (struct count){K, bruck_messages(N, N / 2), blocks, 0};
    if (strcmp(name, "whole") == 0) return (struct count){N > 1, 2 * blocks, blocks * G, 0};
    return (struct count){N > 1, 2 * blocks, blocks, 0};
}

static struct count reduce_formula(const char *name, int N, int G)
{
    struct count c = gather_formula(strcmp(name, "whole") == 0 ? "direct" : name, N, G);

    if (strcmp(name, "ring") == 0)
        c.gamma = (N - 1) * (G + 2) + G + 1;
    else if (strcmp(name, "doubling") == 0 || strcmp(name, "bruck") == 0)
        c.gamma = N * (G + 1) + N - 1;
    else
        c.gamma = (G + 1) * (N - 1) + (G > 1 ? G + 1 : 0) + N + 1;
    if (N == 1) c.gamma = G + 1;
    return c;
}

static struct count formula(const char *name, comm_op op, int N, int G)
{
    struct count g = gather_formula(name, N, G), r = reduce_formula(name, N, G);

    if (op == COMM_GATHER) return g;
    if (op == COMM_REDUCE) return r;
    if (N > 1 && strcmp(name, "whole") == 0)
        return (struct count){1, 2 * (N - 1), (N - 1) * N * G, N * G * (G + 1) + N * G * (N + 1)};
    return (struct count){g.alpha + r.alpha, g.messages + r.messages, g.beta + r.beta, r.gamma};
}

static double seconds_of(struct count c, comm_path path)
{
    const double n = SLICE * 4;

    return c.alpha * costs.alpha_s[path] + c.messages * costs.overhead_s +
           c.beta * n * costs.beta_s_per_byte[path] + c.gamma * n * costs.gamma_s_per_byte;
}

static double walked(const struct comm_algorithm *a, comm_op op, const struct comm_layout *l,
                     const unsigned char *path_of, rt_dtype type, size_t chunk)
{
    double seconds = NAN;

    CHECK_OK(comm_cost(a, op, l, path_of, SLICE, type, type, chunk, &costs, &seconds));
    return seconds;
}

static bool is_power(int n) { return (n & (n - 1)) == 0; }

/* Lanes between nodes: with windows; without, the node is gone round as well. */
static void check_even(const struct comm_algorithm *a, int N, int G)
{
    static const char *const ops[] = {"gather", "reduce", "all-reduce"};
    const char *name = a->two_level ? a->name + strlen("two-level-") : a->name;
    int first[MOST + 1];
    struct comm_layout l = {.size = N * G, .rank = N / 2 * G, .nodes = N, .first = first};

    for (int n = 0; n <= N; n++) first[n] = n * G;
    if (strcmp(name, "doubling") == 0 && !is_power(N)) return;
    l.window = !a->two_level;
    for (comm_op op = COMM_GATHER; op <= COMM_ALLREDUCE; op++) {
        double stated = seconds_of(formula(name, op, N, G), COMM_PATH_LEAF);
        struct count inside = {G > 1, 2 * (G - 1), (G - 1) * N, 0};
        if (a->two_level && op != COMM_REDUCE) stated += seconds_of(inside, COMM_PATH_NODE);
        inside.gamma = 2 * (G - 1) * N;
        if (a->two_level && op != COMM_GATHER) stated += seconds_of(inside, COMM_PATH_NODE);
        if (l.window && G > 1) stated += costs.barrier_s;
        if (!CHECK(walked(a, op, &l, NULL, RT_F32, 0) == stated))
            printf("  %s %s, %d nodes of %d: walked %.9g, the formula %.9g\n", a->name, ops[op], N,
                   G, walked(a, op, &l, NULL, RT_F32, 0), stated);
    }
}

/* Members that fold wait for two rounds more, and carry no more than the header says. */
static void check_folding(int N)
{
    const struct comm_algorithm *a = comm_algorithm_find("doubling");
    const int K = log2_up(N) - 1, Q = 1 << K;
    int first[MOST + 1];

    for (int n = 0; n <= N; n++) first[n] = n;
    for (int rank = 0; rank < N; rank++) {
        struct comm_layout l = {
            .size = N, .rank = rank, .nodes = N, .first = first, .window = true};
        struct count most = {K + 2, 2 * K + 3, N + 2 * Q - 2, 0};
        CHECK(walked(a, COMM_GATHER, &l, NULL, RT_F32, 0) <= seconds_of(most, COMM_PATH_LEAF));
    }
}

/* bf16 halves what travels; chunks hide the shorter of wire and sums. */
static void check_types_and_chunks(void)
{
    static const int first[] = {0, 1, 2, 3, 4};
    const struct comm_layout l = {.size = 4, .nodes = 4, .first = first};
    const struct comm_algorithm *a = comm_algorithm_find("direct");
    const double n = SLICE * 4, wire = 3 * n * costs.beta_s_per_byte[COMM_PATH_LEAF];
    const double sums = (2 * 3 + 5) * n * costs.gamma_s_per_byte, alpha = costs.alpha_s[1];

    CHECK(walked(a, COMM_GATHER, &l, NULL, RT_BF16, 0) == alpha + 6 * costs.overhead_s + wire / 2);
    CHECK(walked(a, COMM_REDUCE, &l, NULL, RT_F32, (size_t)n / 4) ==
          alpha + 6 * 4 * costs.overhead_s + wire + sums / 4);
}

/* Where flows are hashed, a ring is spared, doubling and Bruck pay beyond the neighbours. */
static void check_contention(void)
{
    static unsigned char cross[MOST];
    int first[17];
    const struct comm_layout l = {.size = 16, .rank = 8, .nodes = 16, .first = first};
    const double block = SLICE * 4 * costs.beta_s_per_byte[COMM_PATH_CROSS];

    for (int n = 0; n <= 16; n++) first[n] = n;
    for (int r = 0; r < MOST; r++) cross[r] = COMM_PATH_CROSS;
    for (const struct comm_algorithm *a = comm_algorithms; a->name != NULL; a++) {
        if (a->two_level) continue;
        double extra = walked(a, COMM_GATHER, &l, cross, RT_F32, 0) -
                       seconds_of(gather_formula(a->name, 16, 1), COMM_PATH_CROSS);
        if (strcmp(a->name, "ring") == 0)
            CHECK(extra == 0.0);
        else if (a->fp32_only || strcmp(a->name, "direct") == 0 || strcmp(a->name, "whole") == 0)
            CHECK_NEAR(extra, 2 * 13 * block / sqrt(13), 1e-9, 0); /* 13 flows at once */
        else
            CHECK(extra == 2 * 14 * block); /* rounds of 2, 4 and 8 blocks */
    }
}

static void check_defaults(void)
{
    static const char *const fabrics[] = {"ib", "roce", "tcp", "shared", "pigeons"};
    struct comm_costs known, unknown;

    for (int f = 0; f < 5; f++) {
        comm_costs_default(fabrics[f], 200.0, &known);
        comm_costs_default(fabrics[f], 0.0, &unknown);
        CHECK(unknown.beta_s_per_byte[COMM_PATH_LEAF] > known.beta_s_per_byte[COMM_PATH_LEAF]);
        CHECK_NEAR(known.beta_s_per_byte[COMM_PATH_LEAF], 1.0 / 25e9, 0.1, 0);
        CHECK(known.doubling_contention >= 1.0 && known.gamma_s_per_byte > 0.0);
        for (int p = 1; p < COMM_PATHS; p++) CHECK(known.alpha_s[p] >= known.alpha_s[p - 1]);
    }
    comm_costs_default("ib", 200.0, &known);
    CHECK(known.doubling_contention == 1.0);
    comm_costs_default("roce", 200.0, &known);
    CHECK(known.doubling_contention > 1.0);
}

int main(void)
{
    for (const struct comm_algorithm *a = comm_algorithms; a->name != NULL; a++)
        for (int N = 1; N <= MOST; N++)
            for (int G = 1; G <= 8; G = G < 4 ? G + 1 : 2 * G) check_even(a, N, G);
    for (int N = 3; N <= MOST; N++)
        if (!is_power(N)) check_folding(N);
    check_types_and_chunks();
    check_contention();
    check_defaults();
    return check_failures > 0;
}
