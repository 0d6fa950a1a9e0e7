/* optim/optim.c - see optim.h */
#include "optim/optim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optim/kernels.h"

static const char exp_avg_name[] = "optim/exp_avg";
static const char exp_avg_sq_name[] = "optim/exp_avg_sq";

struct optim {
    struct optim_options options;
    const struct optim_kernels *kernels;
    struct optim_range *ranges; /* (range_count) */
    size_t range_count;
    struct rt_memory *memory; /* lent; gave the two below */
    float *exp_avg, *exp_avg_sq;
};

rt_status optim_plan(size_t n, struct rt_plan *plan)
{
    const uint64_t bytes = (uint64_t)n * sizeof(float);

    RT_TRY(rt_plan_add(plan, exp_avg_name, RT_MEM_OPTIMIZER, RT_MEM_PRIVATE, bytes));
    return rt_plan_add(plan, exp_avg_sq_name, RT_MEM_OPTIMIZER, RT_MEM_PRIVATE, bytes);
}

static rt_status check_ranges(size_t n, const struct optim_range *ranges, size_t count)
{
    size_t end = 0;

    for (size_t i = 0; i < count; i++) {
        if (ranges[i].first < end || ranges[i].first > n || ranges[i].count > n - ranges[i].first)
            return RT_FAIL(RT_EINVAL,
                           "optimizer range %zu is [%zu,%zu), must begin at %zu or later and end "
                           "by %zu",
                           i, ranges[i].first, ranges[i].first + ranges[i].count, end, n);
        end = ranges[i].first + ranges[i].count;
    }
    return RT_OK;
}

static rt_status take(struct optim *o, const char *name, float **out)
{
    void *p = NULL;

    RT_TRY(rt_memory_take(o->memory, name, &p));
    *out = p;
    return RT_OK;
}

rt_status optim_create(const struct optim_options *options, const char *backend, size_t n,
                       const struct optim_range *ranges, size_t range_count,
                       struct rt_memory *memory, struct optim **out)
{
    const struct optim_kernels *kernels = NULL;
    struct optim *o = NULL;
    rt_status st;

    *out = NULL;
    RT_TRY(optim_kernels_find(backend, &kernels));
    RT_TRY(check_ranges(n, ranges, range_count));
    o = calloc(1, sizeof *o);
    if (o != NULL) o->ranges = calloc(range_count + 1, sizeof *o->ranges);
    if (o == NULL || o->ranges == NULL) {
        st = RT_FAIL(RT_ENOMEM, "an optimizer of %zu ranges", range_count);
        goto out;
    }
    if (range_count > 0) memcpy(o->ranges, ranges, range_count * sizeof *ranges);
    o->options = *options;
    o->kernels = kernels;
    o->range_count = range_count;
    o->memory = memory;
    RT_TRY_OUT(take(o, exp_avg_name, &o->exp_avg));
    RT_TRY_OUT(take(o, exp_avg_sq_name, &o->exp_avg_sq));
    *out = o;
    o = NULL; /* the caller's now */
out:
    optim_destroy(&o);
    return st;
}

void optim_destroy(struct optim **o)
{
    if (*o == NULL) return;
    if ((*o)->exp_avg != NULL) rt_memory_give((*o)->memory, exp_avg_name);
    if ((*o)->exp_avg_sq != NULL) rt_memory_give((*o)->memory, exp_avg_sq_name);
    free((*o)->ranges);
    free(*o);
    *o = NULL;
}

float optim_clip_factor(const struct optim *o, double norm)
{
    const double factor = o->options.clip / (norm + 1e-6);

    return o->options.clip > 0 && factor < 1 ? (float)factor : 1.0F;
}

rt_status optim_step(struct optim *o, struct rt_queue *q, float *w, const float *g, float scale,
                     double learning_rate, uint64_t t)
{
    const struct optim_options *c = &o->options;
    struct optim_factors f = {
        .beta1 = (float)c->beta1,
        .beta2 = (float)c->beta2,
        .rest1 = (float)(1 - c->beta1),
        .rest2 = (float)(1 - c->beta2),
        .correct1 = (float)(1 / (1 - pow(c->beta1, (double)t))),
        .correct2 = (float)(1 / (1 - pow(c->beta2, (double)t))),
        .epsilon = (float)c->epsilon,
        .rate = (float)learning_rate,
        .scale = scale,
    };

    for (size_t i = 0; i < o->range_count; i++) {
        const struct optim_range *r = &o->ranges[i];
        f.decay = r->decay ? (float)c->weight_decay : 0;
        RT_TRY(o->kernels->adamw(q, w + r->first, o->exp_avg + r->first, o->exp_avg_sq + r->first,
                                 g + r->first, r->count, &f));
    }
    return RT_OK;
}

float *optim_exp_avg(struct optim *o) { return o->exp_avg; }
float *optim_exp_avg_sq(struct optim *o) { return o->exp_avg_sq; }
