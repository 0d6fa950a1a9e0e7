/* tests/model/rig.h - a whole model on plain arrays: what jobs and shard do, without ranks
 *
 * The weights table hands out arrays, writes down every call, and fills a gradient buffer with
 * NaN before it lends it, so that an element the model forgets to write is seen.
 */
#ifndef TESTS_MODEL_RIG_H
#define TESTS_MODEL_RIG_H

#include <stdbool.h>

#include "model/kernels.h"
#include "model/model.h"

enum { RIG_EVENTS = 256 };

struct rig {
    struct model_config c;
    struct model_options o;
    struct rt_tensors *tensors;
    struct rt_plan plan;
    struct rt_memory *memory;
    struct model *model;
    struct model_weights table;
    float **master;         /* (units) f32 */
    void **weights;         /* (units) compute dtype */
    float **gradients;      /* (units) f32 */
    int events[RIG_EVENTS]; /* 2 * unit + (release), + 1000 in MODEL_BACKWARD */
    int event_count;
    int lent; /* units lent now */
};

/* A model of this backend, its weights at their first values times `spread` (norms as they are).
 * false, having said why, when that fails. */
bool rig_create(const struct model_config *c, const struct model_options *o, double spread,
                struct rig *r);
void rig_destroy(struct rig *r);

/* master has changed: round it into what is lent. */
void rig_weights_changed(struct rig *r);

float *rig_master(struct rig *r, const struct rt_tensor *t);
const float *rig_gradient(const struct rig *r, const struct rt_tensor *t);

/* sqrt(sum (a-b)^2 / sum b^2) */
double rig_distance(const float *a, const float *b, size_t n);

/* Every element of every gradient buffer, gaps included, is finite, and gaps are 0. */
bool rig_gradients_written(const struct rig *r);

#endif
