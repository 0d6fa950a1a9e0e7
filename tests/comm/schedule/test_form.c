/* tests/comm/schedule/test_form.c - what else schedules promise: staging, tree sums, their print,
 * and that memory which runs out is said
 *
 * Linked with --wrap for calloc and realloc.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "tests/comm/schedule/play.h"

enum { MOST = 64 };

static long allocations_left = -1; /* -1: no limit */

void *__real_calloc(size_t n, size_t bytes);
void *__real_realloc(void *p, size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__wrap_realloc(void *p, size_t bytes);

static bool is_allowed(void)
{
    if (allocations_left == 0) return false;
    allocations_left -= allocations_left > 0;
    return true;
}

void *__wrap_calloc(size_t n, size_t bytes)
{
    return is_allowed() ? __real_calloc(n, bytes) : NULL;
}

void *__wrap_realloc(void *p, size_t bytes)
{
    return is_allowed() ? __real_realloc(p, bytes) : NULL;
}

/* WIRE of a reduce between N members, as the headers say. */
static size_t wire_stated(const char *name, size_t N)
{
    size_t Q = 1;

    while (2 * Q <= N) Q *= 2; /* at or below N */
    if (N == 1) return 0;
    if (strcmp(name, "ring") == 0) return 2;
    if (strcmp(name, "doubling") == 0) return N == Q ? N : N + 2 * Q - 2;
    if (strcmp(name, "bruck") != 0) return 2 * N;
    if (Q == N) Q /= 2; /* below N */
    return Q + (N - Q > Q - 1 ? N - Q : Q - 1);
}

static void check_staging(const struct comm_algorithm *a, int N, int G)
{
    const char *name = a->two_level ? a->name + strlen("two-level-") : a->name;
    const bool direct = strcmp(name, "direct") == 0 || strcmp(name, "whole") == 0;
    int first[MOST + 1];
    size_t wire = 0;

    for (int n = 0; n <= N; n++) first[n] = n * G;
    for (int rank = 0; rank < N * G; rank += G) {
        const struct comm_layout l = {
            .size = N * G, .rank = rank, .nodes = N, .first = first, .window = !a->two_level};
        size_t stage = N > 1 && direct && G > 1;
        struct comm_schedule s = {0};
        if (a->two_level) stage += 2 * (size_t)(G - 1) * (size_t)N;
        a->build(&s, COMM_REDUCE, &l, RT_F32);
        CHECK(s.stage_blocks == stage);
        CHECK(s.wire_blocks <= wire_stated(name, (size_t)N));
        if (s.wire_blocks > wire) wire = s.wire_blocks;
        comm_schedule_clear(&s);
        a->build(&s, COMM_GATHER, &l, RT_F32);
        CHECK(s.stage_blocks == 0 && s.wire_blocks == 0);
        comm_schedule_clear(&s);
    }
    if (N > 1 && (N & (N - 1)) == 0) CHECK(wire == wire_stated(name, (size_t)N));
}

/* reduce: exact - a sum over 8 ranks is the same tree however they stand on nodes. */
static void check_trees(void)
{
    struct play_arithmetic trees = play_symbols;
    int exact = 0;

    trees.tree = true;
    for (const struct comm_algorithm *a = comm_algorithms; a->name != NULL; a++) {
        uint64_t sums[8] = {0};
        if (!a->exact) continue;
        exact++;
        for (int G = 1; G <= 8; G *= 2)
            for (int window = G > 1; window <= 1; window++) {
                int first[9];
                const struct comm_layout l = {
                    .size = 8, .nodes = 8 / G, .first = first, .window = window};
                struct play p;
                for (int n = 0; n <= l.nodes; n++) first[n] = n * G;
                play_open(&p, &l, a, COMM_REDUCE, RT_F32, &trees);
                play_run(&p);
                CHECK(p.bad == NULL);
                for (int r = 0; r < 8; r++) {
                    uint64_t own = p.ranks[r].space[COMM_SPACE_OWN][0].value;
                    if (G == 1 && window == 0) sums[r] = own;
                    CHECK(own == sums[r]);
                }
                play_close(&p);
            }
    }
    CHECK(exact > 0);
}

/* Whichever allocation fails, the schedule says so and nothing is lost. */
static void check_memory(void)
{
    static const int first[] = {0, 2, 3, 6};

    for (const struct comm_algorithm *a = comm_algorithms; a->name != NULL; a++)
        for (int op = COMM_GATHER; op <= COMM_ALLREDUCE; op++)
            for (int window = 0; window < 2; window++)
                for (long n = 0; n >= 0;) {
                    const struct comm_layout l = {
                        .size = 6, .rank = 2, .nodes = 3, .first = first, .window = window};
                    struct comm_schedule s = {0};
                    allocations_left = n;
                    a->build(&s, (comm_op)op, &l, RT_F32);
                    const bool ran_out = allocations_left == 0;
                    allocations_left = -1;
                    CHECK(s.broken || n > (strcmp(a->name, "whole") == 0 ? 1 : 4));
                    CHECK(n < 100);
                    n = s.broken ? n + 1 : -1;
                    CHECK(!s.broken || ran_out);
                    comm_schedule_clear(&s);
                }
    const struct comm_schedule broken = {.broken = true};
    CHECK(comm_schedule_check(&broken) == RT_ENOMEM);
}

static void check_print(void)
{
    static const int first[] = {0, 2, 4};
    const struct comm_layout l = {.size = 4, .rank = 1, .nodes = 2, .first = first, .window = true};
    struct comm_schedule s = {0};
    char text[1024] = "";
    FILE *f = fmemopen(text, sizeof text, "w");

    if (!CHECK(f != NULL)) return;
    comm_algorithm_find("ring")->build(&s, COMM_REDUCE, &l, RT_F32);
    comm_schedule_print(&s, f);
    comm_schedule_clear(&s);
    comm_algorithm_find("two-level-direct")
        ->build(&s, COMM_GATHER,
                &(struct comm_layout){.size = 4, .rank = 1, .nodes = 2, .first = first}, RT_F32);
    comm_schedule_print(&s, f);
    CHECK(comm_schedule_most_count(&s) == 2 && comm_schedule_transfers(&s) == 2);
    comm_schedule_clear(&s);
    fclose(f);
    if (!CHECK(strcmp(text, "round 0\n  reduce wire[0] = local 0[3] + local 1[3]\n"
                            "round 1\n  recv wire[1] from 3\n  send wire[0] to 3\n"
                            "round 2\n  reduce own[0] = wire[1] + local 0[1] + local 1[1]\n"
                            "round 0\n  recv unit[3] from 3\n  send unit[1] to 3\n"
                            "round 1\n  recv unit[0+2k, k<2] from 0\n"
                            "  send unit[1+2k, k<2] to 0\n") == 0))
        printf("%s", text);
}

int main(void)
{
    for (const struct comm_algorithm *a = comm_algorithms; a->name != NULL; a++)
        for (int N = 1; N <= MOST; N++)
            for (int G = 1; G <= 3; G++) check_staging(a, N, G);
    check_trees();
    check_memory();
    check_print();
    CHECK(comm_algorithm_find("bucket") == NULL);
    return check_failures > 0;
}
