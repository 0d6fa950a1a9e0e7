/* bench/comm/overlap.c - how much of an all-gather a fixed amount of work hides
 *
 * Work     multiplications and additions on a small array, counted once at the start so that they
 *          take about --compute-ms, then the same number in every repetition: a spin until a time
 *          would hide what the exchange steals
 * Hidden   (alone + work - together) / min(alone, work) of each round, which has all three in some
 *          order; then the median: a clock that drifts from round to round does not count
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/comm/run.h"
#include "comm/traffic.h"
#include "runtime/trace.h"

enum { WORK_FLOATS = 1024, CALIBRATION_ROUNDS = 20000, CALIBRATIONS = 21 };

static void work(uint64_t rounds)
{
    float x[WORK_FLOATS];
    volatile float seen; /* the result is used */

    for (int i = 0; i < WORK_FLOATS; i++) x[i] = (float)i;
    for (uint64_t k = 0; k < rounds; k++)
        for (int i = 0; i < WORK_FLOATS; i++) x[i] = x[i] * 0.999f + 0.5f;
    seen = x[WORK_FLOATS - 1];
    (void)seen;
}

static void work_of(void *context) { work(*(const uint64_t *)context); }

/* Median time of so many rounds on the slowest rank, all working at once. */
static rt_status time_rounds(struct bench_run *r, uint64_t rounds, double *seconds)
{
    double times[CALIBRATIONS];
    rt_status st = RT_OK;

    for (int i = 0; i < CALIBRATIONS; i++) {
        RT_TRY(comm_barrier(r->world));
        const double start = rt_now_s();
        work(rounds);
        times[i] = bench_rank_max(r, rt_now_s() - start, &st);
        RT_TRY(st);
    }
    *seconds = bench_median(times, CALIBRATIONS);
    return RT_OK;
}

/* A first guess from a short piece of work, and once more from the whole: where ranks share cores,
 * a short piece may have a core to itself. */
static rt_status calibrate(struct bench_run *r)
{
    double seconds;

    r->work_rounds = CALIBRATION_ROUNDS;
    for (int i = 0; i < 2; i++) {
        RT_TRY(time_rounds(r, r->work_rounds, &seconds));
        r->work_rounds = (uint64_t)(r->o->compute_s * (double)r->work_rounds / seconds) + 1;
    }
    return RT_OK;
}

static rt_status ours_once(struct bench_run *r, struct bench_cell *c, int side, double *seconds)
{
    comm_ticket t = -1;

    RT_TRY(comm_traffic_barrier(r->world));
    const double start = rt_now_s();
    if (side != BENCH_WORK) RT_TRY(bench_gather_post(r, c, false, &t));
    if (side != BENCH_ALONE) work(r->work_rounds);
    if (side != BENCH_WORK) RT_TRY(bench_gather_wait(r, c, t));
    *seconds = rt_now_s() - start;
    return RT_OK;
}

static rt_status ours_check(struct bench_run *r, struct bench_cell *c, int side, uint64_t *wrong)
{
    double seconds;

    if (side == BENCH_WORK) return RT_OK;
    RT_TRY(bench_gather_fill(r, c, false));
    RT_TRY(ours_once(r, c, side, &seconds));
    *wrong = bench_gather_wrong(r, c);
    return RT_OK;
}

static rt_status mpi_once(struct bench_run *r, struct bench_cell *c, int side, double *seconds)
{
    const struct comm_baseline_call call = bench_mpi_call(r, c, 0);
    uint64_t rounds = side == BENCH_ALONE ? 0 : r->work_rounds;

    if (side != BENCH_WORK)
        return comm_baseline_overlap(r->baselines[c->index].b, r->world, &call, work_of, &rounds,
                                     seconds);
    RT_TRY(comm_traffic_barrier(r->world));
    const double start = rt_now_s();
    work(rounds);
    *seconds = rt_now_s() - start;
    return RT_OK;
}

static rt_status mpi_check(struct bench_run *r, struct bench_cell *c, int side, uint64_t *wrong)
{
    double seconds;

    if (side == BENCH_WORK) return RT_OK;
    RT_TRY(bench_mpi_fill(r, c, 0));
    RT_TRY(mpi_once(r, c, side, &seconds));
    *wrong = bench_mpi_wrong(r, c);
    return RT_OK;
}

struct bench_summary bench_hidden(const struct bench_cell *c, double *scratch)
{
    const double *together = c->side[BENCH_TOGETHER].slowest;
    const double *alone = c->side[BENCH_ALONE].slowest, *work_s = c->side[BENCH_WORK].slowest;
    int count = c->side[BENCH_TOGETHER].count;

    for (int s = 0; s < c->sides; s++)
        if (c->side[s].count < count) count = c->side[s].count;
    for (int i = 0; i < count; i++)
        scratch[i] = (alone[i] + work_s[i] - together[i]) / fmin(alone[i], work_s[i]);
    return bench_summarize(scratch, count);
}

static const struct bench_kind kind_ours = {.once = ours_once, .check = ours_check};
static const struct bench_kind kind_mpi = {.once = mpi_once, .check = mpi_check};

/* asked NULL: MPI's. */
static rt_status add_one(struct bench_run *r, const struct bench_size *size, const char *asked)
{
    struct bench_cell *c = NULL;
    struct bench_cell like = {.kind = asked != NULL ? &kind_ours : &kind_mpi,
                              .op = BENCH_OVERLAP,
                              .label = size->label,
                              .ours = asked != NULL,
                              .slice = bench_slice(r, size->bytes),
                              .type = r->o->type,
                              .wire = r->o->type,
                              .factor = (double)(r->layout.size - 1) / (double)r->layout.size,
                              .sides = 3};

    like.bytes = like.slice * (size_t)r->layout.size * rt_dtype_bytes(like.type);
    snprintf(like.algorithm, sizeof like.algorithm, "%s", asked != NULL ? asked : "mpi:iallgather");
    RT_TRY(asked != NULL ? bench_exchange_get(r, asked, like.slice, &like.index)
                         : bench_baseline_get(r, &comm_baseline_algorithms[0], &like.index));
    if (asked != NULL && strcmp(asked, "auto") == 0)
        snprintf(like.chosen, sizeof like.chosen, "%s",
                 comm_exchange_algorithm(r->exchanges[like.index].x, COMM_GATHER));
    return comm_agree(r->world, bench_cell_add(r, &like, &c));
}

rt_status bench_overlap_add(struct bench_run *r)
{
    if (!r->o->op[BENCH_OVERLAP]) return RT_OK;
    RT_TRY(calibrate(r));
    for (size_t i = 0; i < r->o->sizes_count; i++) {
        if (bench_algorithm_asked(r, "auto")) RT_TRY(add_one(r, &r->o->sizes[i], "auto"));
        for (const struct comm_algorithm *a = comm_algorithms; a->name != NULL; a++)
            if (bench_algorithm_asked(r, a->name) &&
                comm_algorithm_fits(a, COMM_GATHER, &r->layout, r->o->wire, false))
                RT_TRY(add_one(r, &r->o->sizes[i], a->name));
        if (r->o->baseline) RT_TRY(add_one(r, &r->o->sizes[i], NULL));
    }
    return RT_OK;
}
