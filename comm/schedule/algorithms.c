/* comm/schedule/algorithms.c - the table of algorithms */
#include <string.h>

#include "comm/schedule/team.h"

/* WIRE has its type, whichever it is: no schedule depends on it. */
#define COMM_BUILD(NAME, PATTERN, TWO_LEVEL)                                                       \
    static void NAME(struct comm_schedule *s, comm_op op, const struct comm_layout *l,             \
                     rt_dtype wire)                                                                \
    {                                                                                              \
        (void)wire;                                                                                \
        comm_compose(s, &comm_pattern_##PATTERN, TWO_LEVEL, op, l);                                \
    }

COMM_BUILD(direct, direct, false)
COMM_BUILD(ring, ring, false)
COMM_BUILD(doubling, doubling, false)
COMM_BUILD(bruck, bruck, false)
COMM_BUILD(two_level_direct, direct, true)
COMM_BUILD(two_level_ring, ring, true)
COMM_BUILD(two_level_doubling, doubling, true)
COMM_BUILD(two_level_bruck, bruck, true)

static void whole(struct comm_schedule *s, comm_op op, const struct comm_layout *l, rt_dtype wire)
{
    (void)wire;
    comm_whole(s, op, l);
}

const struct comm_algorithm comm_algorithms[] = {
    {.name = "direct", .exact = true, .cost = "alpha + (N-1) n beta", .build = direct},
    {.name = "ring", .fp32_only = true, .cost = "(N-1) (alpha + n beta)", .build = ring},
    {.name = "doubling",
     .cost = "log2(N) alpha + (N-1) n beta; N no power of two: 2 (alpha + N n beta) more",
     .build = doubling},
    {.name = "bruck", .cost = "ceil(log2 N) alpha + (N-1) n beta", .build = bruck},
    {.name = "whole",
     .for_node = true,
     .cost = "alpha + (N-1) G n beta; all-reduce: alpha + (N-1) P n beta",
     .build = whole},
    {.name = "two-level-direct",
     .two_level = true,
     .cost = "alpha + (G-1) N n beta inside the node, then direct",
     .build = two_level_direct},
    {.name = "two-level-ring",
     .two_level = true,
     .fp32_only = true,
     .cost = "alpha + (G-1) N n beta inside the node, then ring",
     .build = two_level_ring},
    {.name = "two-level-doubling",
     .two_level = true,
     .cost = "alpha + (G-1) N n beta inside the node, then doubling",
     .build = two_level_doubling},
    {.name = "two-level-bruck",
     .two_level = true,
     .cost = "alpha + (G-1) N n beta inside the node, then bruck",
     .build = two_level_bruck},
    {.name = NULL},
};

const struct comm_algorithm *comm_algorithm_find(const char *name)
{
    for (const struct comm_algorithm *a = comm_algorithms; a->name != NULL; a++)
        if (strcmp(a->name, name) == 0) return a;
    return NULL;
}
