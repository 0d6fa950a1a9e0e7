/* bench/simulate/units.c - a run file's units and how long a GPU computes on each */
#include "bench/simulate/units.h"

#include <stdlib.h>

enum { STATE_BYTES = 16 }; /* a parameter: fp32 weight, gradient, two moments */

/* Operations of a unit's forward pass on one token. */
static double forward_flops(const struct model_config *c, int unit)
{
    const double C = c->dim, D = C / c->heads, T = c->context;

    if (unit == 0) return 0;
    if (unit > c->layers) return 2 * C * c->vocabulary;
    return 2 * (C * (c->heads + 2 * c->kv_heads) * D + C * C + 3 * C * c->ffn_dim) + 4 * C * T;
}

/* How many forward passes the backward pass of a unit is worth. */
static double backward_share(const struct runfile *r, int unit)
{
    const bool block = unit > 0 && unit <= r->model.layers;
    return block && r->recompute == MODEL_RECOMPUTE_FULL ? 3 : 2;
}

static void set_times(const struct runfile *r, const struct simulate_gpu *gpu,
                      struct simulate_step *s)
{
    const double tokens = (double)r->batch.micro_sequences * r->model.context;
    const double all_s = tokens * model_flops_per_token(&r->model, r->model.context) /
                         (gpu->mfu * gpu->peak_flops_per_s);
    double work = 0;

    for (int u = 0; u < s->units_count; u++)
        work += forward_flops(&r->model, u) * (1 + backward_share(r, u));
    for (int u = 0; u < s->units_count; u++) {
        s->units[u].forward_s = all_s * forward_flops(&r->model, u) / work;
        s->units[u].backward_s = s->units[u].forward_s * backward_share(r, u);
    }
}

rt_status simulate_units_create(const struct runfile *r, int ranks, const struct simulate_gpu *gpu,
                                struct simulate_units *out)
{
    const int micro = r->batch.micro_sequences, each = ranks * micro;
    struct simulate_units u = {0};
    struct rt_tensors *tensors = NULL;
    rt_status st = RT_OK;

    *out = u;
    RT_TRY_OUT(model_tensors_create(&r->model, &tensors));
    u.step.units_count = tensors->units;
    u.step.units = calloc((size_t)tensors->units, sizeof *u.step.units);
    if (u.step.units == NULL) {
        st = RT_FAIL(RT_ENOMEM, "%d units", tensors->units);
        goto out;
    }
    for (int i = 0; i < tensors->units; i++) u.step.units[i].elements = tensors->unit_elements[i];
    u.step.prefetch = r->shard.prefetch;
    u.step.micro_steps = (r->batch.global_sequences + each - 1) / each;
    u.grown = each > r->batch.global_sequences;
    u.tokens = (double)u.step.micro_steps * each * r->model.context;
    u.fits = (double)tensors->parameters * STATE_BYTES / ranks <= gpu->memory_bytes;
    set_times(r, gpu, &u.step);
    *out = u;
    u = (struct simulate_units){0}; /* the caller's now */
out:
    model_tensors_destroy(&tensors);
    simulate_units_clear(&u);
    return st;
}

void simulate_units_clear(struct simulate_units *u) { simulate_step_clear(&u->step); }
