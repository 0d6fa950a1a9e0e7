/* jobs/train/plan.c - where the bytes of a training job go, from the layers' own plans */
#include <string.h>

#include "jobs/train/exact.h"
#include "jobs/train/train_impl.h"

rt_status train_layers(const struct runfile *r, int size, int rank, struct train_layers *out)
{
    const struct kernels *kernels = NULL;
    const struct rt_vector *vector = NULL;

    RT_TRY(kernels_find(r->kernels, &kernels));
    RT_TRY(rt_vector_find(r->kernels, &vector));
    RT_TRY(exact_check_work(r, size));
    RT_TRY(work_split(r->batch.global_sequences, r->batch.micro_sequences, size, rank, &out->work));
    out->model = (struct model_options){
        .kernels = kernels,
        .compute = r->compute,
        .recompute = r->recompute,
        .max_sequences = out->work.micro,
        .training = true,
    };
    out->shard = (struct shard_options){
        .mode = r->shard.mode,
        .prefetch = r->shard.prefetch,
        .compute = r->compute,
        .wire = r->wire,
        .algorithm = r->shard.algorithm,
        .training = true,
        .exact = r->reduce == RUNFILE_REDUCE_EXACT,
        .micro_steps = out->work.micro_steps,
        .vector = vector,
    };
    return RT_OK;
}

rt_status train_add_plan(const struct runfile *r, const struct train_layers *l,
                         const struct rt_tensors *tensors, const struct shard_shape *shape,
                         struct rt_plan *plan)
{
    const size_t count = (size_t)l->work.count;
    /* Evaluation fills a whole micro-batch also where the rank trains on fewer sequences. */
    const size_t rows = l->work.micro > l->work.count ? (size_t)l->work.micro : count;
    const size_t tokens = rows * (size_t)r->model.context;

    RT_TRY(shard_plan(tensors, &l->shard, shape, plan));
    RT_TRY(model_plan(&r->model, &l->model, plan));
    RT_TRY(optim_plan(shard_planned_elements(tensors, l->shard.mode, shape), plan));
    RT_TRY(
        rt_plan_add(plan, "train/inputs", RT_MEM_DATA, RT_MEM_PRIVATE, tokens * sizeof(int32_t)));
    RT_TRY(
        rt_plan_add(plan, "train/targets", RT_MEM_DATA, RT_MEM_PRIVATE, tokens * sizeof(int32_t)));
    RT_TRY(
        rt_plan_add(plan, "train/wanted", RT_MEM_DATA, RT_MEM_PRIVATE, count * sizeof(uint64_t)));
    return rt_plan_add(plan, "data/ahead", RT_MEM_DATA, RT_MEM_PRIVATE,
                       loader_ahead_bytes(r->model.context, count));
}

rt_status train_plan(const struct runfile *r, const struct shard_shape *shape, struct rt_plan *plan)
{
    struct train_layers layers;
    struct rt_tensors *tensors = NULL;
    rt_status st;

    RT_TRY(train_layers(r, shape->size, shape->rank, &layers));
    RT_TRY(model_tensors_create(&r->model, &tensors));
    st = train_add_plan(r, &layers, tensors, shape, plan);
    model_tensors_destroy(&tensors);
    return st;
}
