/* tests/comm/schedule/test_schedule.c - every algorithm, executed symbolically for every number of
 * ranks from 1 to 64, on even and uneven nodes, with and without windows
 *
 *   test_schedule [EVERY]    every EVERYth number of ranks beyond 17 (for sanitizers)
 */
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "tests/comm/schedule/play.h"

enum { MOST = 64 };

static void check_one(const struct comm_layout *l, const struct comm_algorithm *a, comm_op op,
                      rt_dtype wire)
{
    static const char *const ops[] = {"gather", "reduce", "all-reduce", "all-reduce of own"};
    struct play p;

    play_open(&p, l, a, op, wire, &play_symbols);
    play_run(&p);
    play_check(&p, a);
    if (!CHECK(p.bad == NULL))
        printf("  %s %s, %s, %d ranks on %d nodes%s, the first has %d: rank %d: %s\n", a->name,
               ops[op], rt_dtype_name(wire), l->size, l->nodes, l->window ? " with windows" : "",
               l->first[1], p.bad_rank, p.bad);
    play_close(&p);
}

static void check_layout(int size, int nodes, const int *first, bool window)
{
    const struct comm_layout l = {.size = size, .nodes = nodes, .first = first, .window = window};

    for (const struct comm_algorithm *a = comm_algorithms; a->name != NULL; a++) {
        if (window && a->two_level && size > 9) continue; /* the same as the plain one */
        for (comm_op op = 0; op < COMM_OPS; op++) {
            /* Flat algorithms see no nodes, so that one list of them is enough. */
            if (!window && !a->two_level && op != COMM_ALLREDUCE_OWN && nodes < size) continue;
            if (op == COMM_ALLREDUCE_OWN && !comm_layout_even(&l)) continue;
            for (rt_dtype wire = RT_F32; wire <= RT_BF16; wire++)
                if (wire == RT_F32 || (op != COMM_GATHER && !a->fp32_only))
                    check_one(&l, a, op, wire);
        }
    }
}

static void check_nodes(int size, int nodes, const int *first)
{
    check_layout(size, nodes, first, true);
    check_layout(size, nodes, first, false);
}

/* Every k ranks are a node; the last may have fewer. */
static void check_pretended(int size, int k)
{
    int first[MOST + 1] = {0}, nodes = 0;

    for (; nodes * k < size; nodes++) first[nodes] = nodes * k;
    first[nodes] = size;
    check_nodes(size, nodes, first);
}

/* Nodes of 1, 2, 3 ... ranks up to `most`, over and over, or down. */
static void check_uneven(int size, int most, bool down)
{
    int first[MOST + 1] = {0}, nodes = 0, at = 0;

    while (at < size) {
        int n = down ? most - nodes % most : 1 + nodes % most;
        first[nodes++] = at;
        at += n < size - at ? n : size - at;
    }
    first[nodes] = size;
    check_nodes(size, nodes, first);
}

int main(int argc, char **argv)
{
    const int every = argc > 1 ? atoi(argv[1]) : 1;

    for (int size = 1; size <= MOST; size += size < 17 ? 1 : every) {
        for (int k = 1; k <= size; k++)
            if (k <= 4 || k == 8 || k == size) check_pretended(size, k);
        check_uneven(size, 3, false);
        check_uneven(size, 5, true);
        check_uneven(size, size, false);
    }
    return check_failures > 0;
}
