/* tests/jobs/test_work.c - jobs/train/work.h: every sequence once, whoever computes it */
#include "jobs/train/work.h"

#include <string.h>

#include "tests/check.h"

enum { G_MOST = 40, P_MOST = 17, MICRO_MOST = 9 };

/* Marks what all ranks compute; returns the largest and least count of a rank. */
static void mark(int G, int micro, int P, int *seen, int *least, int *most, int *steps)
{
    struct work w;
    int first;

    *least = G + 1;
    *most = 0;
    for (int r = 0; r < P; r++) {
        int count = 0;
        if (!CHECK_OK(work_split(G, micro, P, r, &w))) return;
        CHECK(w.micro >= 1 && w.micro <= micro);
        if (r == 0) *steps = w.micro_steps;
        CHECK(w.micro_steps == *steps);
        for (int m = 0; m < w.micro_steps; m++) {
            const int n = work_micro(&w, m, &first);
            CHECK(n >= 0 && n <= w.micro && first >= 0 && first + n <= G);
            for (int i = 0; i < n; i++) seen[first + i]++;
            count += n;
        }
        CHECK(count == w.count);
        if (count < *least) *least = count;
        if (count > *most) *most = count;
    }
}

static void every_sequence_is_computed_once_and_ranks_differ_by_one(void)
{
    for (int G = 1; G <= G_MOST; G++)
        for (int P = 1; P <= P_MOST && P <= G; P++)
            for (int micro = 1; micro <= MICRO_MOST; micro++) {
                int seen[G_MOST] = {0}, least = 0, most = 0, steps = 0;
                mark(G, micro, P, seen, &least, &most, &steps);
                for (int j = 0; j < G; j++) CHECK(seen[j] == 1);
                CHECK(least >= 1 && most - least <= 1);
                CHECK(steps == ((G + P - 1) / P + micro - 1) / micro ||
                      micro > (G + P - 1) / P); /* no more micro-steps than are needed */
            }
}

/* Leaf m * P + r: the order of an exact reduction is the order of the samples. */
static void leaves_lie_in_the_order_of_the_samples(void)
{
    int next = 0, first;
    struct work w;

    for (int m = 0; m < 3; m++)
        for (int r = 0; r < 4; r++) {
            CHECK_OK(work_split(24, 2, 4, r, &w));
            CHECK(w.micro_steps == 3 && work_micro(&w, m, &first) == 2);
            CHECK(first == next);
            next += 2;
        }
}

static void more_ranks_than_sequences_are_refused(void)
{
    struct work w;

    CHECK(work_split(7, 1, 8, 0, &w) == RT_EINVAL);
    CHECK_OK(work_split(8, 1, 8, 7, &w));
    CHECK(w.count == 1);
}

int main(void)
{
    every_sequence_is_computed_once_and_ranks_differ_by_one();
    leaves_lie_in_the_order_of_the_samples();
    more_ranks_than_sequences_are_refused();
    return check_failures != 0;
}
