/* tests/comm/schedule/test_mutations.c - the verifier itself: a schedule with one wrong thing is
 * refused, whichever step of whichever rank it is
 *
 * So no step is idle either: without it something is missed.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "tests/comm/schedule/play.h"

typedef enum { DROP, SWAP, PEER, STRIDE, OFFSET, ROUND, MUTATIONS } mutation;

static const char *const names[] = {"a step dropped", "two sources swapped", "a wrong peer",
                                    "a wrong stride", "a place one further", "a round missing"};

/* Steps from..end-1 go; so does a round that is left empty. */
static void drop(struct comm_schedule *s, size_t from, size_t end)
{
    size_t kept = 0;

    memmove(&s->steps[from], &s->steps[end], (s->steps_count - end) * sizeof *s->steps);
    s->steps_count -= end - from;
    for (size_t r = 0; r < s->rounds_count; r++) {
        size_t at = s->rounds[r] >= end ? s->rounds[r] - (end - from) : s->rounds[r];
        if (s->rounds[r] > from && s->rounds[r] < end) at = from;
        if (kept > 0 && s->rounds[kept - 1] == at) kept--;
        s->rounds[kept++] = at;
    }
    if (kept > 0 && s->rounds[kept - 1] == s->steps_count) kept--;
    s->rounds_count = kept;
}

/* false: there is nothing to spoil in this way. */
static bool spoil(struct comm_schedule *s, mutation what, size_t i, int size)
{
    struct comm_step *step = &s->steps[i];

    switch (what) {
    case DROP: drop(s, i, i + 1); return true;
    case SWAP:
        if (step->sources < 2) return false;
        {
            struct comm_place *pair = &s->sources[step->source + (size_t)step->sources - 2];
            struct comm_place swapped = pair[0];
            pair[0] = pair[1];
            pair[1] = swapped;
        }
        return true;
    case PEER:
        if (step->peer < 0) return false;
        step->peer = (step->peer + 1) % size;
        return true;
    case STRIDE:
        if (step->count < 2) return false;
        step->at.stride++;
        return true;
    case OFFSET: step->at.offset++; return true;
    default:
        if (i >= s->rounds_count) return false;
        drop(s, s->rounds[i], comm_schedule_round_end(s, i));
        return true;
    }
}

static bool is_caught(const struct comm_layout *l, const struct comm_algorithm *a, comm_op op,
                      int rank, mutation what, size_t i, bool *spoilt)
{
    struct play p;

    play_open(&p, l, a, op, RT_F32, &play_symbols);
    *spoilt = spoil(&p.ranks[rank].schedule, what, i, l->size);
    play_run(&p);
    play_check(&p, a);
    bool caught = p.bad != NULL;
    play_close(&p);
    return caught;
}

/* How many faults there were of each kind. */
static void check_all(const struct comm_layout *l, const struct comm_algorithm *a, comm_op op,
                      long *count)
{
    for (int rank = 0; rank < l->size; rank++) {
        struct comm_schedule s = {0};
        struct comm_layout mine = *l;
        mine.rank = rank;
        a->build(&s, op, &mine, RT_F32);
        const size_t steps = s.steps_count;
        comm_schedule_clear(&s);
        for (mutation what = 0; what < MUTATIONS; what++)
            for (size_t i = 0; i < steps; i++) {
                bool spoilt = false, caught = is_caught(l, a, op, rank, what, i, &spoilt);
                count[what] += spoilt;
                if (CHECK(caught || !spoilt)) continue;
                printf("  %s %d, %d ranks on %d nodes, window %d, rank %d, step %zu: %s\n", a->name,
                       op, l->size, l->nodes, l->window, rank, i, names[what]);
            }
    }
}

int main(void)
{
    static const int pairs[] = {0, 2, 4, 6}, uneven[] = {0, 1, 4, 5, 7};
    long count[MUTATIONS] = {0};

    for (int kind = 0; kind < 4; kind++) {
        const bool even = kind % 2 == 0;
        const struct comm_layout l = {.size = even ? 6 : 7,
                                      .nodes = even ? 3 : 4,
                                      .first = even ? pairs : uneven,
                                      .window = kind < 2};
        for (const struct comm_algorithm *a = comm_algorithms; a->name != NULL; a++)
            for (comm_op op = 0; op < COMM_OPS; op++)
                if (op != COMM_ALLREDUCE_OWN || even) check_all(&l, a, op, count);
    }
    for (mutation what = 0; what < MUTATIONS; what++) CHECK(count[what] > 100);
    return check_failures > 0;
}
