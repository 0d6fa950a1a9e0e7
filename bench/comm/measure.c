/* bench/comm/measure.c - the order of things: first repetition apart, data compared before and
 * after, rows in another order every round, each repetition as slow as its slowest rank
 *
 * A row ends when the 95 % interval of its median is within 5 % to either side (from 6 repetitions
 * on; of overlap: that of the share hidden, within 2 points), after --repetitions, or with all
 * others after --max-seconds. What decides is the same on all ranks, because it has gone through a
 * maximum over them.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/comm/run.h"
#include "runtime/rng.h"
#include "runtime/trace.h"

/* Half-width of the interval, of the median; of a share. */
static const double enough = 0.05, enough_share = 0.02;

double bench_rank_max(struct bench_run *r, double value, rt_status *st)
{
    *st = comm_max_f64(r->world, &value, 1);
    return value;
}

/* One repetition on all ranks. *slowest and *elapsed are the same on all of them. */
static rt_status one(struct bench_run *r, struct bench_cell *c, int side, double start,
                     double *mine, double *slowest, double *elapsed)
{
    double all[3];

    *mine = 0;
    const rt_status st = c->kind->once(r, c, side, mine);
    all[0] = *mine;
    all[1] = rt_now_s() - start;
    all[2] = -(double)st; /* the worst code is the most negative */
    RT_TRY(comm_max_f64(r->world, all, 3));
    *slowest = all[0];
    *elapsed = all[1];
    return (rt_status)(int)-all[2];
}

static rt_status check(struct bench_run *r)
{
    for (size_t i = 0; r->o->check && i < r->cells_count; i++) {
        struct bench_cell *c = &r->cells[i];
        for (int s = 0; s < c->sides && c->kind->check != NULL; s++) {
            uint64_t wrong = 0;
            RT_TRY(comm_agree(r->world, c->kind->check(r, c, s, &wrong)));
            RT_TRY(comm_sum_u64(r->world, &wrong, 1));
            c->side[s].wrong += wrong;
        }
    }
    return RT_OK;
}

static rt_status warm_up(struct bench_run *r)
{
    double mine, elapsed;

    for (size_t i = 0; i < r->cells_count; i++)
        for (int s = 0; s < r->cells[i].sides; s++)
            RT_TRY(one(r, &r->cells[i], s, 0, &mine, &r->cells[i].side[s].warmup_s, &elapsed));
    return RT_OK;
}

struct turn {
    struct bench_cell *cell;
    int side;
};

/* Fisher and Yates, by numbers that are the same on all ranks. */
static void shuffle(struct turn *turns, size_t count, uint64_t seed, uint64_t round)
{
    const struct rt_rng_key key = rt_rng_key(seed, "bench:order");

    for (size_t i = count; i > 1; i--) {
        const size_t j = (size_t)(rt_rng_u64(key, round << 32 | i) % i);
        const struct turn t = turns[i - 1];
        turns[i - 1] = turns[j];
        turns[j] = t;
    }
}

static size_t list_turns(struct bench_run *r, struct turn *turns)
{
    size_t count = 0;

    for (size_t i = 0; i < r->cells_count; i++)
        for (int s = 0; s < r->cells[i].sides; s++)
            if (!r->cells[i].side[s].done)
                turns[count++] = (struct turn){.cell = &r->cells[i], .side = s};
    return count;
}

/* scratch (repetitions) */
static struct bench_summary summary_of(const struct bench_side *s, double *scratch)
{
    memcpy(scratch, s->slowest, (size_t)s->count * sizeof *scratch);
    return bench_summarize(scratch, s->count);
}

static bool is_within(const struct bench_summary *s, double width)
{
    return s->interval && (s->high - s->low) / 2 < width;
}

static void judge(const struct bench_run *r, struct bench_cell *c, double *scratch)
{
    const struct bench_summary hidden =
        c->op == BENCH_OVERLAP ? bench_hidden(c, scratch) : (struct bench_summary){0};

    for (int i = 0; i < c->sides; i++) {
        struct bench_side *s = &c->side[i];
        const struct bench_summary now = summary_of(s, scratch);
        s->done = s->done || s->count >= r->o->repetitions ||
                  (c->op == BENCH_OVERLAP ? is_within(&hidden, enough_share)
                                          : is_within(&now, enough * now.median));
    }
}

static rt_status rounds(struct bench_run *r, struct turn *turns, double *scratch)
{
    const double start = rt_now_s();
    size_t count;

    for (uint64_t round = 0; (count = list_turns(r, turns)) > 0; round++) {
        shuffle(turns, count, r->o->seed, round);
        for (size_t i = 0; i < count; i++) {
            struct bench_side *s = &turns[i].cell->side[turns[i].side];
            RT_TRY(one(r, turns[i].cell, turns[i].side, start, &s->mine[s->count],
                       &s->slowest[s->count], &r->measured_s));
            s->count++;
            r->capped = r->measured_s > r->o->max_seconds;
            if (r->capped) return RT_OK;
        }
        for (size_t i = 0; i < r->cells_count; i++) judge(r, &r->cells[i], scratch);
    }
    return RT_OK;
}

rt_status bench_measure(struct bench_run *r)
{
    struct turn *turns = calloc(r->cells_count * BENCH_SIDES + 1, sizeof *turns);
    double *scratch = calloc((size_t)r->o->repetitions + 1, sizeof *scratch);
    rt_status st = RT_OK;

    if (turns == NULL || scratch == NULL)
        st = RT_FAIL(RT_ENOMEM, "no memory for the order of %zu rows", r->cells_count);
    RT_TRY_OUT(comm_agree(r->world, st));
    RT_TRY_OUT(check(r));
    RT_TRY_OUT(warm_up(r));
    RT_TRY_OUT(rounds(r, turns, scratch));
    RT_TRY_OUT(check(r));
    for (size_t i = 0; i < r->cells_count; i++) {
        struct bench_cell *c = &r->cells[i];
        for (int s = 0; s < c->sides; s++) c->side[s].time = summary_of(&c->side[s], scratch);
        if (c->op == BENCH_OVERLAP) c->hidden = bench_hidden(c, scratch);
    }
out:
    free(turns);
    free(scratch);
    return st;
}
