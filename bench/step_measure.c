/* bench/step_measure.c - runs the steps and turns their times into the figures of step.h */
#include <stdlib.h>
#include <string.h>

#include "bench/memory_peak.h"
#include "bench/step.h"
#include "jobs/train/train.h"
#include "model/kernels.h"
#include "runtime/device.h"

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The median of n values, which are sorted in place. */
static double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, compare_doubles);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static rt_status measure_peak(const struct runfile *r, struct comm *world, struct step_figures *f,
                              int round)
{
    double *peak = &f->peak_flops_per_s[round];

    RT_TRY(train_measure_peak(r, world, &f->peak[round], peak));
    if (f->best_peak_flops_per_s < *peak) f->best_peak_flops_per_s = *peak;
    return RT_OK;
}

/* Seconds of one rank in one step: the phases, then the whole. */
struct times {
    double phase_s[RT_PHASES], step_s;
};

static rt_status run_steps(struct train *t, struct comm *world, int steps, struct step_figures *f,
                           struct times *times)
{
    struct train_step_result result;

    for (int i = 0; i < steps; i++) {
        const rt_status st = train_step(t, &result);
        /* Perhaps this rank's alone, with the others waiting for it. */
        if (st != RT_OK && st != RT_ENONFINITE) comm_abort(world, rt_status_exit(st));
        RT_TRY(st);
        if (times == NULL) continue;
        double spanned_s = 0;
        for (int p = 0; p < RT_PHASES; p++) {
            times[i].phase_s[p] = result.phase_s[p];
            if (p != RT_PHASE_OTHER) spanned_s += result.phase_s[p];
        }
        times[i].step_s = result.step_s;
        times[i].phase_s[RT_PHASE_OTHER] =
            result.step_s > spanned_s ? result.step_s - spanned_s : 0;
        if (i == 0) f->loss_first = result.loss;
        f->loss_last = result.loss;
    }
    return RT_OK;
}

/* The slowest and the median rank of value [offset of double] in each step, medians over steps.
 * all: (ranks, steps). scratch: room for ranks + 2*steps values. */
static struct step_phase over_ranks(const struct times *all, size_t ranks, size_t steps,
                                    size_t value, double *scratch)
{
    double *of_rank = scratch, *slowest = scratch + ranks, *middle = slowest + steps;
    struct step_phase out;

    for (size_t i = 0; i < steps; i++) {
        for (size_t rank = 0; rank < ranks; rank++) {
            const struct times *t = &all[rank * steps + i];
            of_rank[rank] = value < RT_PHASES ? t->phase_s[value] : t->step_s;
        }
        middle[i] = median(of_rank, ranks); /* sorts */
        slowest[i] = of_rank[ranks - 1];
    }
    out.slowest_s = median(slowest, steps);
    out.median_s = median(middle, steps);
    return out;
}

/* From the times of all ranks to the figures. */
static rt_status add_up(struct comm *world, const struct times *mine, struct step_figures *f)
{
    const size_t ranks = (size_t)f->ranks, steps = (size_t)f->steps;
    struct times *all = calloc(ranks * steps, sizeof *all);
    double *scratch = calloc(ranks + 2 * steps, sizeof *scratch);
    rt_status st = RT_OK;

    f->step_s = calloc(steps, sizeof *f->step_s);
    RT_TRY_OUT(
        comm_agree(world, all == NULL || scratch == NULL || f->step_s == NULL
                              ? RT_FAIL(RT_ENOMEM, "no memory for the times of %zu steps", steps)
                              : RT_OK));
    RT_TRY_OUT(comm_allgather(world, mine, all, steps * sizeof *mine));
    for (size_t p = 0; p < RT_PHASES; p++) f->phase[p] = over_ranks(all, ranks, steps, p, scratch);
    f->step_median_s = over_ranks(all, ranks, steps, RT_PHASES, scratch).slowest_s;
    for (size_t i = 0; i < steps; i++)
        for (size_t rank = 0; rank < ranks; rank++)
            if (all[rank * steps + i].step_s > f->step_s[i])
                f->step_s[i] = all[rank * steps + i].step_s;
    f->step_min_s = f->step_max_s = f->step_s[0];
    for (size_t i = 1; i < steps; i++) {
        if (f->step_s[i] < f->step_min_s) f->step_min_s = f->step_s[i];
        if (f->step_s[i] > f->step_max_s) f->step_max_s = f->step_s[i];
    }
    f->tokens_per_s = (double)f->tokens_per_step / f->step_median_s;
    f->model_flops_per_s = f->tokens_per_s * f->flops_per_token;
    f->mfu = f->model_flops_per_s / f->best_peak_flops_per_s;
out:
    free(all);
    free(scratch);
    return st;
}

/* Private bytes of every rank's plan, and each node's window once. */
static rt_status add_plans(const struct runfile *r, const struct train *t, struct comm *world,
                           struct step_figures *f)
{
    struct comm_nodes *nodes = NULL;
    const struct rt_plan *plan = train_plan_of(t);
    uint64_t bytes = rt_plan_bytes(plan, RT_MEM_PRIVATE);

    RT_TRY(comm_nodes_create(world, r->shard.ranks_per_node, &nodes));
    if (nodes->local_rank == 0) bytes += rt_plan_bytes(plan, RT_MEM_NODE);
    f->nodes = nodes->nodes;
    comm_nodes_destroy(&nodes);
    RT_TRY(comm_sum_u64(world, &bytes, 1));
    f->planned_bytes = bytes;
    return RT_OK;
}

static void describe(const struct runfile *r, struct comm *world, struct step_figures *f)
{
    struct rt_host_facts facts;

    rt_host_facts(&facts);
    f->threads = facts.threads;
    f->ranks = comm_size(world);
    f->tokens_per_step = (uint64_t)r->batch.global_sequences * (uint64_t)r->model.context;
    f->parameters = model_parameters(&r->model);
    f->matmul_parameters = model_matmul_parameters(&r->model);
    f->flops_per_token = model_flops_per_token(&r->model, r->model.context);
}

rt_status step_measure(const struct step_options *o, const struct runfile *r, struct comm *world,
                       struct step_figures *f)
{
    const struct train_options train_options = {.synthetic = true};
    struct memory_peak *memory = NULL;
    bool looking = false; /* the same on all ranks, even where the start failed */
    struct train *t = NULL;
    struct times *times = calloc((size_t)o->steps, sizeof *times);
    rt_status st = comm_agree(world, times == NULL ? RT_ENOMEM : RT_OK);

    if (st != RT_OK) goto out;
    describe(r, world, f);
    f->steps = o->steps;
    looking = true;
    if (memory_peak_start(&memory) != RT_OK) memory = NULL;
    RT_TRY_OUT(train_open(r, world, &train_options, &t));
    RT_TRY_OUT(train_init(t));
    RT_TRY_OUT(add_plans(r, t, world, f));
    RT_TRY_OUT(run_steps(t, world, o->warmup, f, NULL));
    /* Before the peak is measured: its matrices are no part of the job's memory. */
    looking = false;
    f->memory_known = memory_peak_stop(&memory, world, &f->measured_peak_bytes) == RT_OK;
    RT_TRY_OUT(measure_peak(r, world, f, 0));
    RT_TRY_OUT(comm_barrier(world));
    RT_TRY_OUT(run_steps(t, world, o->steps, f, times));
    RT_TRY_OUT(measure_peak(r, world, f, 1));
    RT_TRY_OUT(add_up(world, times, f));
out:
    if (looking) (void)!memory_peak_stop(&memory, world, &f->measured_peak_bytes);
    train_close(&t);
    free(times);
    return st;
}

void step_figures_clear(struct step_figures *f)
{
    free(f->step_s);
    *f = (struct step_figures){0};
}
