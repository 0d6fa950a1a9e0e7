/* bench/step_report.c - the figures of step.h, for people and as JSON */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "bench/step.h"

static const char mfu_formula[] =
    "mfu = tokens_per_s * flops_per_token / peak_flops_per_s; flops_per_token = "
    "6 * matmul_parameters + 12 * layers * dim * context";

static const rt_phase shown[] = {RT_PHASE_GATHER, RT_PHASE_FORWARD,   RT_PHASE_BACKWARD,
                                 RT_PHASE_REDUCE, RT_PHASE_OPTIMIZER, RT_PHASE_DATA,
                                 RT_PHASE_OTHER};
enum { SHOWN = sizeof shown / sizeof shown[0] };

static const char *mode_name(shard_mode mode)
{
    static const char *const names[] = {"full", "grads", "hybrid"};

    return names[mode];
}

static void print_phases(const struct step_figures *f)
{
    printf("\n%-12s %14s %14s %8s\n", "phase", "slowest rank", "median rank", "share");
    for (size_t i = 0; i < SHOWN; i++) {
        const struct step_phase *p = &f->phase[shown[i]];
        printf("%-12s %11.2f ms %11.2f ms %7.1f%%\n", rt_phase_name(shown[i]), p->slowest_s * 1e3,
               p->median_s * 1e3, 100 * p->median_s / f->step_median_s);
    }
}

static void print_memory(const struct step_figures *f)
{
    printf("\nmemory       planned %.1f MB, ", (double)f->planned_bytes / 1e6);
    if (f->memory_known)
        printf("measured peak %.1f MB (%+.2f %%)\n", (double)f->measured_peak_bytes / 1e6,
               100 * ((double)f->measured_peak_bytes / (double)f->planned_bytes - 1));
    else
        printf("measured peak unknown: /proc does not tell\n");
}

void step_print(const struct runfile *r, const struct step_figures *f)
{
    printf("model        %.2f M parameters, %d layers, dim %d, context %d, vocabulary %d\n",
           (double)f->parameters / 1e6, r->model.layers, r->model.dim, r->model.context,
           r->model.vocabulary);
    printf("job          %d ranks on %d nodes, %d threads each, %s, shard %s, prefetch %d\n",
           f->ranks, f->nodes, f->threads, rt_dtype_name(r->compute), mode_name(r->shard.mode),
           r->shard.prefetch);
    printf("batch        %d sequences, %d a micro-batch and rank, %llu tokens a step\n",
           r->batch.global_sequences, r->batch.micro_sequences,
           (unsigned long long)f->tokens_per_step);
    printf("steps        %d: median %.4f s, fastest %.4f s, slowest %.4f s\n", f->steps,
           f->step_median_s, f->step_min_s, f->step_max_s);
    printf("tokens/s     %.1f (%.1f a rank)\n", f->tokens_per_s,
           f->tokens_per_s / (double)f->ranks);
    printf("peak         %.2f GFLOP/s measured in this run on all ranks at once "
           "(before %.2f, after %.2f)\n",
           f->best_peak_flops_per_s / 1e9, f->peak_flops_per_s[0] / 1e9,
           f->peak_flops_per_s[1] / 1e9);
    printf("MFU          %.4f (%.2f GFLOP/s of model arithmetic)\n", f->mfu,
           f->model_flops_per_s / 1e9);
    printf("             %s\n", mfu_formula);
    print_phases(f);
    print_memory(f);
}

static json_t *phases_json(const struct step_figures *f)
{
    json_t *object = json_object();
    char key[64];

    for (size_t i = 0; i < SHOWN; i++) {
        const struct step_phase *p = &f->phase[shown[i]];
        snprintf(key, sizeof key, "%s_s", rt_phase_name(shown[i]));
        json_object_set_new(object, key, json_real(p->slowest_s));
        snprintf(key, sizeof key, "%s_median_rank_s", rt_phase_name(shown[i]));
        json_object_set_new(object, key, json_real(p->median_s));
    }
    return object;
}

static json_t *steps_json(const struct step_figures *f)
{
    json_t *array = json_array();

    for (int i = 0; i < f->steps; i++) json_array_append_new(array, json_real(f->step_s[i]));
    return array;
}

/* The job: what was run. */
static json_t *job_json(const char *run_file, const struct runfile *r, const struct step_figures *f)
{
    return json_pack(
        "{s:s, s:s, s:s, s:i, s:i, s:i, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:I, s:I, s:I}",
        "benchmark", "step", "version", RECUA_VERSION, "run_file", run_file, "ranks", f->ranks,
        "nodes", f->nodes, "threads_per_rank", f->threads, "compute", rt_dtype_name(r->compute),
        "shard_mode", mode_name(r->shard.mode), "prefetch_units", r->shard.prefetch, "layers",
        r->model.layers, "dim", r->model.dim, "context_tokens", r->model.context,
        "global_sequences", r->batch.global_sequences, "micro_sequences", r->batch.micro_sequences,
        "parameters", (json_int_t)f->parameters, "matmul_parameters",
        (json_int_t)f->matmul_parameters, "tokens_per_step", (json_int_t)f->tokens_per_step);
}

/* The figures: what came out. An unknown memory peak is null. */
static json_t *figures_json(const struct step_figures *f)
{
    json_t *measured =
        f->memory_known ? json_integer((json_int_t)f->measured_peak_bytes) : json_null();

    return json_pack(
        "{s:i, s:f, s:f, s:f, s:o, s:f, s:f, s:f, s:f, s:f, s:s, s:f, s:f, s:f, s:s, "
        "s:o, s:I, s:o, s:f, s:f}",
        "steps", f->steps, "step_s", f->step_median_s, "step_min_s", f->step_min_s, "step_max_s",
        f->step_max_s, "step_each_s", steps_json(f), "tokens_per_s", f->tokens_per_s,
        "tokens_per_s_per_rank", f->tokens_per_s / (double)f->ranks, "flops_per_token",
        f->flops_per_token, "model_flops_per_s", f->model_flops_per_s, "mfu", f->mfu, "mfu_formula",
        mfu_formula, "peak_flops_per_s", f->best_peak_flops_per_s, "peak_before_flops_per_s",
        f->peak_flops_per_s[0], "peak_after_flops_per_s", f->peak_flops_per_s[1], "peak_source",
        "measured", "phases", phases_json(f), "planned_bytes", (json_int_t)f->planned_bytes,
        "measured_peak_bytes", measured, "loss_first", f->loss_first, "loss_last", f->loss_last);
}

rt_status step_write_json(const char *path, const char *run_file, const struct runfile *r,
                          const struct step_figures *f)
{
    json_t *root = job_json(run_file, r, f), *figures = figures_json(f);
    rt_status st = RT_OK;

    if (root == NULL || figures == NULL || json_object_update(root, figures) != 0)
        st = RT_FAIL(RT_ENOMEM, "%s: no memory for the JSON text", path);
    else if (json_dump_file(root, path, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) != 0)
        st = RT_FAIL(RT_EIO, "%s: cannot be written: %s", path, strerror(errno));
    json_decref(root);
    json_decref(figures);
    return st;
}
