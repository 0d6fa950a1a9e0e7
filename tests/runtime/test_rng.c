/* tests/runtime/test_rng.c - runtime/rng.h
 *
 * Numbers  statistics are of fixed keys, so the checks hold or fail always alike; the bounds are
 *          about five standard deviations of what true randomness gives
 * Source   known answers: Random123, kat_vectors, philox4x32 10
 */
#include "runtime/rng.h"

#include <stdlib.h>
#include <string.h>

#include "tests/check.h"

static void philox_gives_the_known_answers(void)
{
    static const struct {
        uint32_t counter[4], key[2], want[4];
    } table[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct rt_rng_key key = {{table[i].key[0], table[i].key[1]}};
        uint32_t out[4];
        rt_philox(key, table[i].counter, out);
        CHECK(memcmp(out, table[i].want, sizeof out) == 0);
    }
}

static bool same_key(struct rt_rng_key a, struct rt_rng_key b)
{
    return a.k[0] == b.k[0] && a.k[1] == b.k[1];
}

static void keys_depend_on_seed_and_purpose(void)
{
    CHECK(same_key(rt_rng_key(7, "init:a"), rt_rng_key(7, "init:a")));
    CHECK(!same_key(rt_rng_key(7, "init:a"), rt_rng_key(7, "init:b")));
    CHECK(!same_key(rt_rng_key(7, "init:a"), rt_rng_key(8, "init:a")));
    CHECK(!same_key(rt_rng_key(7, ""), rt_rng_key((uint64_t)7 << 32, "")));
}

/* What is drawn today is drawn tomorrow: a run that resumes must see the same numbers. */
static void numbers_do_not_change_between_versions(void)
{
    struct rt_rng_key key = rt_rng_key(42, "test");

    CHECK(key.k[0] == 0x0b15bc6d && key.k[1] == 0xf031e1ae);
    CHECK(rt_rng_u64(key, 0) == 0x4e3f9b45543f2f23);
    CHECK(rt_rng_u64(key, (uint64_t)1 << 40) == 0x9baa72a62010a233);
    CHECK(rt_rng_permute(key, 1000, 1) == 748);
}

static void uniform_numbers_are_uniform(void)
{
    enum { N = 200000, BOXES = 16 };
    struct rt_rng_key key = rt_rng_key(1, "uniform");
    double sum = 0;
    int box[BOXES] = {0};

    for (uint64_t i = 0; i < N; i++) {
        double u = rt_rng_uniform(key, i);
        if (!CHECK(u >= 0 && u < 1)) return;
        sum += u;
        box[(int)(u * BOXES)]++;
    }
    CHECK_NEAR(sum / N, 0.5, 0, 5 * sqrt(1.0 / 12 / N));
    for (int b = 0; b < BOXES; b++) CHECK_NEAR(box[b], N / BOXES, 0, 5 * sqrt(N / BOXES));
}

static void normal_numbers_are_normal(void)
{
    enum { N = 200000 };
    struct rt_rng_key key = rt_rng_key(1, "normal");
    double m1 = 0, m2 = 0, m3 = 0, m4 = 0, neighbours = 0, last = 0;

    for (uint64_t i = 0; i < N; i++) {
        double z = rt_rng_normal(key, i);
        if (!CHECK(isfinite(z))) return;
        m1 += z;
        m2 += z * z;
        m3 += z * z * z;
        m4 += z * z * z * z;
        neighbours += z * last;
        last = z;
    }
    CHECK_NEAR(m1 / N, 0, 0, 5 * sqrt(1.0 / N));
    CHECK_NEAR(m2 / N, 1, 0, 5 * sqrt(2.0 / N));
    CHECK_NEAR(m3 / N, 0, 0, 5 * sqrt(15.0 / N));
    CHECK_NEAR(m4 / N, 3, 0, 5 * sqrt(96.0 / N));
    CHECK_NEAR(neighbours / N, 0, 0, 5 * sqrt(1.0 / N));
}

static void permute_hits_every_place_once(void)
{
    struct rt_rng_key key = rt_rng_key(3, "permute");
    unsigned char *seen = malloc(70000);

    if (!CHECK(seen != NULL)) return;
    for (uint64_t n = 1; n <= 65537; n = n < 2000 ? n + 1 : n < 65536 ? 65536 : n + 1) {
        uint64_t distinct = 0;
        memset(seen, 0, n);
        for (uint64_t i = 0; i < n; i++) {
            uint64_t p = rt_rng_permute(key, n, i);
            if (!CHECK(p < n)) break;
            distinct += seen[p] == 0;
            seen[p] = 1;
        }
        CHECK(distinct == n);
    }
    free(seen);
}

/* Too many places to visit: those visited lie within n and are distinct. */
static void permute_takes_large_n(void)
{
    enum { TAKEN = 300 };
    static const uint64_t sizes[] = {
        (uint64_t)1 << 32,       ((uint64_t)1 << 32) + 1,     1000000007u,
        ((uint64_t)1 << 62) + 1, ((uint64_t)1 << 63) + 12345, UINT64_MAX};
    struct rt_rng_key key = rt_rng_key(3, "large");

    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        uint64_t place[TAKEN];
        int upper = 0;
        for (uint64_t i = 0; i < TAKEN; i++) {
            place[i] = rt_rng_permute(key, sizes[s], i % 2 ? i : sizes[s] - 1 - i);
            CHECK(place[i] < sizes[s]);
            upper += place[i] >= sizes[s] / 2;
            for (uint64_t j = 0; j < i; j++) CHECK(place[j] != place[i]);
        }
        CHECK(upper > TAKEN / 2 - 45 && upper < TAKEN / 2 + 45);
    }
}

/* Of a shuffle: about one fixed point; neighbours do not stay neighbours; the distance between an
 * element and its place averages n/3; another key gives another order. */
static void permute_looks_shuffled(void)
{
    enum { N = 10000 };
    struct rt_rng_key a = rt_rng_key(3, "a"), b = rt_rng_key(3, "b");
    int fixed = 0, neighbours = 0, alike = 0;
    double distance = 0;

    for (uint64_t i = 0; i < N; i++) {
        uint64_t p = rt_rng_permute(a, N, i);
        fixed += p == i;
        neighbours += rt_rng_permute(a, N, (i + 1) % N) == p + 1;
        alike += p == rt_rng_permute(b, N, i);
        distance += fabs((double)p - (double)i);
    }
    CHECK(fixed <= 8);
    CHECK(neighbours <= 8);
    CHECK(alike <= 8);
    CHECK_NEAR(distance / N, N / 3.0, 0.03, 0);
}

/* All orders of three things turn up over keys, about equally often. */
static void small_permutations_reach_every_order(void)
{
    enum { KEYS = 6000 };
    int count[27] = {0};

    for (uint64_t seed = 0; seed < KEYS; seed++) {
        struct rt_rng_key key = rt_rng_key(seed, "order");
        uint64_t order = 0;
        for (uint64_t i = 0; i < 3; i++) order = order * 3 + rt_rng_permute(key, 3, i);
        count[order]++;
    }
    static const int orders[6] = {5, 7, 11, 15, 19, 21}; /* 012 021 102 120 201 210 in base 3 */
    for (int i = 0; i < 6; i++) CHECK_NEAR(count[orders[i]], KEYS / 6, 0, 250);
}

int main(void)
{
    philox_gives_the_known_answers();
    keys_depend_on_seed_and_purpose();
    numbers_do_not_change_between_versions();
    uniform_numbers_are_uniform();
    normal_numbers_are_normal();
    permute_hits_every_place_once();
    permute_takes_large_n();
    permute_looks_shuffled();
    small_permutations_reach_every_order();
    return check_failures != 0;
}
