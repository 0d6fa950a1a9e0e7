/* tests/model/rig.c - a whole model on plain arrays */
#include "tests/model/rig.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void note(struct rig *r, int unit, model_pass pass, int release)
{
    if (r->event_count < RIG_EVENTS)
        r->events[r->event_count++] = 2 * unit + release + (pass == MODEL_BACKWARD ? 1000 : 0);
}

static rt_status acquire(void *context, int unit, model_pass pass, struct model_lent *out)
{
    struct rig *r = context;

    note(r, unit, pass, 0);
    r->lent++;
    out->weights = r->weights[unit];
    out->gradients = pass == MODEL_BACKWARD ? r->gradients[unit] : NULL;
    if (pass == MODEL_BACKWARD) /* all bits set: NaN */
        memset(r->gradients[unit], 0xff, r->tensors->unit_elements[unit] * sizeof(float));
    return RT_OK;
}

static rt_status release(void *context, int unit, model_pass pass)
{
    struct rig *r = context;

    note(r, unit, pass, 1);
    r->lent--;
    return RT_OK;
}

static bool make_arrays(struct rig *r, double spread)
{
    const size_t units = (size_t)r->tensors->units;

    r->master = calloc(units, sizeof *r->master);
    r->weights = calloc(units, sizeof *r->weights);
    r->gradients = calloc(units, sizeof *r->gradients);
    if (r->master == NULL || r->weights == NULL || r->gradients == NULL) return false;
    for (size_t u = 0; u < units; u++) {
        const size_t n = r->tensors->unit_elements[u];
        r->master[u] = calloc(n, sizeof(float));
        r->weights[u] = aligned_alloc(64, (n * sizeof(float) + 63) / 64 * 64);
        r->gradients[u] = aligned_alloc(64, (n * sizeof(float) + 63) / 64 * 64);
        if (r->master[u] == NULL || r->weights[u] == NULL || r->gradients[u] == NULL) return false;
    }
    for (size_t i = 0; i < r->tensors->count; i++) {
        const struct rt_tensor *t = &r->tensors->items[i];
        float *w = rig_master(r, t);
        model_init_values(t, 7, 0, rt_tensor_count(t), w);
        for (size_t j = 0; t->role != RT_ROLE_NORM && j < rt_tensor_count(t); j++)
            w[j] = (float)(w[j] * spread);
    }
    rig_weights_changed(r);
    return true;
}

bool rig_create(const struct model_config *c, const struct model_options *o, double spread,
                struct rig *r)
{
    memset(r, 0, sizeof *r);
    r->c = *c;
    r->o = *o;
    r->table = (struct model_weights){acquire, release, r};
    if (model_tensors_create(c, &r->tensors) == RT_OK && make_arrays(r, spread) &&
        model_plan(c, o, &r->plan) == RT_OK && rt_memory_create(&r->plan, &r->memory) == RT_OK &&
        model_create(c, o, r->tensors, r->memory, &r->model) == RT_OK)
        return true;
    printf("no rig for the %s kernels\n", o->kernels->name);
    rig_destroy(r);
    return false;
}

void rig_destroy(struct rig *r)
{
    model_destroy(&r->model);
    rt_memory_destroy(&r->memory);
    rt_plan_clear(&r->plan);
    for (int u = 0; r->tensors != NULL && u < r->tensors->units; u++) {
        if (r->master != NULL) free(r->master[u]);
        if (r->weights != NULL) free(r->weights[u]);
        if (r->gradients != NULL) free(r->gradients[u]);
    }
    free(r->master);
    free(r->weights);
    free(r->gradients);
    model_tensors_destroy(&r->tensors);
}

void rig_weights_changed(struct rig *r)
{
    for (int u = 0; u < r->tensors->units; u++) {
        const size_t n = r->tensors->unit_elements[u];
        for (size_t i = 0; i < n; i++) {
            if (r->o.compute == RT_F32)
                ((float *)r->weights[u])[i] = r->master[u][i];
            else
                ((rt_bf16 *)r->weights[u])[i] = rt_bf16_from_f32(r->master[u][i]);
        }
    }
}

float *rig_master(struct rig *r, const struct rt_tensor *t)
{
    return r->master[t->unit] + t->offset;
}

const float *rig_gradient(const struct rig *r, const struct rt_tensor *t)
{
    return r->gradients[t->unit] + t->offset;
}

double rig_distance(const float *a, const float *b, size_t n)
{
    double far = 0, all = 0;

    for (size_t i = 0; i < n; i++) {
        far += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        all += (double)b[i] * (double)b[i];
    }
    return far == 0 ? 0 : sqrt(far / all); /* NaN stays NaN */
}

static bool gap_is_zero(const struct rig *r, int unit, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (r->gradients[unit][i] != 0) return false;
    return true;
}

bool rig_gradients_written(const struct rig *r)
{
    size_t end = 0;

    for (int u = 0; u < r->tensors->units; u++)
        for (size_t i = 0; i < r->tensors->unit_elements[u]; i++)
            if (!isfinite(r->gradients[u][i])) return false;
    for (size_t i = 0; i < r->tensors->count; i++) {
        const struct rt_tensor *t = &r->tensors->items[i];
        if (i == 0 || t->unit != r->tensors->items[i - 1].unit) end = 0;
        if (!gap_is_zero(r, t->unit, end, t->offset)) return false;
        end = t->offset + rt_tensor_count(t);
    }
    return true;
}
