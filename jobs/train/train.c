/* jobs/train/train.c - the layers of one training job put together, in the order they need */
#include <stdlib.h>
#include <string.h>

#include "jobs/train/train_impl.h"
#include "model/peak.h"
#include "runtime/log.h"
#include "runtime/pages.h"

enum { TRACE_EVENTS = 200000, CHECK_S = 86400 };

static rt_status refuse_unbuilt(const struct runfile *r)
{
    if (strcmp(r->device, "cpu") != 0)
        return RT_FAIL(RT_EMISSING, "device is %s, which is not built yet: set device to cpu",
                       r->device);
    if (strcmp(r->checkpoint.files, "shared") != 0)
        return RT_FAIL(RT_EMISSING,
                       "checkpoint.files is %s, which is not built yet: set it to shared",
                       r->checkpoint.files);
    return RT_OK;
}

/* What a rank does alone, up to its plan. */
static rt_status open_local(struct train *t, const struct train_options *o,
                            struct train_layers *layers)
{
    const struct comm_nodes *n = t->nodes;
    const struct shard_shape shape = {.size = comm_size(t->world),
                                      .rank = comm_rank(t->world),
                                      .nodes = n->nodes,
                                      .local_size = n->local_size,
                                      .first = n->first};

    t->work = layers->work;
    t->vector = layers->shard.vector;
    RT_TRY(rt_trace_create(shape.rank == 0 ? o->trace_path : NULL, shape.rank, TRACE_EVENTS,
                           &t->trace));
    layers->model.trace = t->trace;
    layers->shard.trace = t->trace;
    RT_TRY(model_tensors_create(&t->run->model, &t->tensors));
    return train_add_plan(t->run, layers, t->tensors, &shape, &t->plan);
}

/* The plans of all ranks of this machine together must find room: each alone might, and then the
 * kernel would kill one of them. */
static rt_status check_room(const struct train *t)
{
    const struct comm *host = t->run->shard.ranks_per_node > 0 ? t->world : t->nodes->local;
    const uint64_t room = rt_pages_free("", NULL);
    uint64_t wanted = rt_plan_bytes(&t->plan, RT_MEM_PRIVATE);
    rt_status st = RT_OK;

    if (t->nodes->local_rank == 0) wanted += rt_plan_bytes(&t->plan, RT_MEM_NODE);
    RT_TRY(comm_sum_u64(host, &wanted, 1));
    if (wanted > room && comm_rank(host) == 0)
        st = RT_FAIL(RT_ENOMEM,
                     "the plan of the %d ranks here wants %.2f GB, %.2f GB are free: use more "
                     "nodes, smaller micro-batches or recompute: full; `recua plan` shows where "
                     "the bytes go",
                     comm_size(host), 1e-9 * (double)wanted, 1e-9 * (double)room);
    return comm_agree(t->world, st);
}

static rt_status take_batch(struct train *t)
{
    RT_TRY(rt_memory_create(&t->plan, &t->memory));
    RT_TRY(rt_memory_take(t->memory, "train/inputs", (void **)&t->inputs));
    RT_TRY(rt_memory_take(t->memory, "train/targets", (void **)&t->targets));
    return rt_memory_take(t->memory, "train/wanted", (void **)&t->wanted);
}

/* What the nodes forbid: also before they are made for good. */
static rt_status check_nodes(const struct train *t, const struct shard_options *o)
{
    struct comm_nodes *nodes = NULL;
    rt_status st;

    RT_TRY(comm_nodes_create(t->world, t->run->shard.ranks_per_node, &nodes));
    rt_log_common(true);
    st = shard_check_nodes(o, nodes);
    rt_log_common(false);
    comm_nodes_destroy(&nodes);
    return comm_agree(t->world, st);
}

/* What run file and ranks alone decide, so only rank 0 speaks of it. */
static rt_status check_run(struct train *t, struct train_layers *layers)
{
    rt_status st;

    rt_log_common(true);
    st = refuse_unbuilt(t->run);
    if (st == RT_OK) st = train_layers(t->run, comm_size(t->world), comm_rank(t->world), layers);
    rt_log_common(false);
    RT_TRY(comm_agree(t->world, st));
    return check_nodes(t, &layers->shard);
}

/* Rank 0 looks at the files first, so that what is wrong with them is said once; the others may
 * yet find that their machine has not got them. */
static rt_status open_data(struct train *t)
{
    const bool first = comm_rank(t->world) == 0;

    RT_TRY(comm_agree(t->world, first ? train_open_data(t) : RT_OK));
    return comm_agree(t->world, first ? RT_OK : train_open_data(t));
}

rt_status train_check(const struct runfile *r, struct comm *world)
{
    struct train t = {.run = r, .world = world};
    struct train_layers layers;
    rt_status st = RT_OK;

    RT_TRY(check_run(&t, &layers));
    t.work = layers.work;
    comm_phase_begin(world, "checking the data", CHECK_S);
    if (comm_rank(world) == 0) {
        st = train_open_data(&t);
        if (st == RT_OK) st = train_check_tokens(&t);
    }
    train_close_data(&t);
    st = comm_agree(world, st);
    comm_phase_end(world);
    return st;
}

rt_status train_measure_peak(const struct runfile *r, struct comm *world, struct model_peak *mine,
                             double *flops_per_s)
{
    const struct kernels *kernels = NULL;
    struct work work;
    uint64_t sum;

    RT_TRY(kernels_find(r->kernels, &kernels));
    RT_TRY(work_split(r->batch.global_sequences, r->batch.micro_sequences, comm_size(world),
                      comm_rank(world), &work));
    RT_TRY(comm_barrier(world));
    RT_TRY(comm_agree(world, model_peak_measure(kernels, r->compute, &r->model,
                                                work.micro * r->model.context, mine)));
    sum = (uint64_t)mine->flops_per_s;
    RT_TRY(comm_sum_u64(world, &sum, 1));
    *flops_per_s = (double)sum;
    return RT_OK;
}

/* AdamW on what this rank owns: norms are not decayed, padding is left alone. */
static rt_status open_optimizer(struct train *t)
{
    const struct runfile *r = t->run;
    size_t count;
    const struct shard_extent *extents = shard_extents(t->shard, &count);
    struct optim_range *ranges = calloc(count + 1, sizeof *ranges);
    rt_status st;

    if (ranges == NULL) return RT_FAIL(RT_ENOMEM, "%zu ranges of the optimizer", count);
    for (size_t i = 0; i < count; i++)
        ranges[i] = (struct optim_range){
            .first = extents[i].own,
            .count = (size_t)extents[i].count,
            .decay = t->tensors->items[extents[i].tensor].role != RT_ROLE_NORM,
        };
    st = optim_create(&r->optimizer, r->kernels, shard_own_elements(t->shard), ranges, count,
                      t->memory, &t->optim);
    free(ranges);
    t->schedule = (struct optim_schedule){.peak = r->optimizer.learning_rate,
                                          .final_ratio = r->schedule.final_ratio,
                                          .warmup = r->schedule.warmup,
                                          .steps = r->steps};
    return st;
}

static rt_status open_model(struct train *t, const struct train_layers *layers)
{
    RT_TRY(open_optimizer(t));
    return model_create(&t->run->model, &layers->model, t->tensors, t->memory, &t->model);
}

rt_status train_open(const struct runfile *r, struct comm *world, const struct train_options *o,
                     struct train **out)
{
    struct train *t = calloc(1, sizeof *t);
    struct train_layers layers;
    rt_status st;

    *out = NULL;
    RT_TRY_OUT(comm_agree(world, t == NULL ? RT_FAIL(RT_ENOMEM, "a training job") : RT_OK));
    t->run = r;
    t->world = world;
    t->stop = o->stop;
    t->memory_known = rt_memory_usage(&t->start) == RT_OK;
    RT_TRY_OUT(check_run(t, &layers));
    RT_TRY_OUT(comm_nodes_create(world, r->shard.ranks_per_node, &t->nodes));
    RT_TRY_OUT(collectives_open(r, t->nodes, &t->collectives));
    collectives_set(&t->collectives, &layers.shard);
    RT_TRY_OUT(comm_agree(world, open_local(t, o, &layers)));
    RT_TRY_OUT(check_room(t));
    RT_TRY_OUT(comm_agree(world, take_batch(t)));
    if (!o->synthetic) RT_TRY_OUT(open_data(t));
    RT_TRY_OUT(shard_create(t->tensors, &layers.shard, t->nodes, t->memory, &t->shard));
    RT_TRY_OUT(comm_agree(world, open_model(t, &layers)));
    *out = t;
    t = NULL; /* the caller's now */
out:
    train_close(&t);
    return st;
}

void train_close(struct train **t)
{
    struct train *o = *t;

    if (o == NULL) return;
    model_destroy(&o->model);
    optim_destroy(&o->optim);
    shard_destroy(&o->shard);
    if (o->inputs != NULL) rt_memory_give(o->memory, "train/inputs");
    if (o->targets != NULL) rt_memory_give(o->memory, "train/targets");
    if (o->wanted != NULL) rt_memory_give(o->memory, "train/wanted");
    train_close_data(o);
    rt_memory_destroy(&o->memory);
    rt_plan_clear(&o->plan);
    model_tensors_destroy(&o->tensors);
    collectives_clear(&o->collectives);
    comm_nodes_destroy(&o->nodes);
    (void)!rt_trace_destroy(&o->trace); /* a trace that cannot be written has said so */
    free(o);
    *t = NULL;
}

bool train_can_evaluate(const struct train *t) { return t->heldout != NULL; }
uint64_t train_steps_done(const struct train *t) { return t->steps; }
uint64_t train_tokens_total(const struct train *t) { return t->tokens_total; }
uint64_t train_data_digest(const struct train *t) { return t->data_digest; }

uint64_t train_tokenizer_digest(const struct train *t)
{
    return t->files != NULL ? tokens_info(t->files[0])->tokenizer_digest : 0;
}

double train_flops_per_token(const struct train *t)
{
    return model_flops_per_token(&t->run->model, t->run->model.context);
}

const struct rt_plan *train_plan_of(const struct train *t) { return &t->plan; }

void train_chosen(const struct train *t, char out[COLLECTIVES_TEXT])
{
    collectives_print(shard_gather_algorithm(t->shard), shard_reduce_algorithm(t->shard),
                      comm_size(t->world), t->nodes->nodes, t->run->shard.mode == SHARD_HYBRID,
                      out);
}

void train_explain(const struct train *t, FILE *out)
{
    fprintf(out,
            "rank %d of %d, node %d of %d: %d of %d sequences a step, in %d micro-steps of at "
            "most %d\n",
            comm_rank(t->world), comm_size(t->world), t->nodes->node, t->nodes->nodes,
            t->work.count, t->work.global, t->work.micro_steps, t->work.micro);
    shard_explain(t->shard, out);
}

rt_status train_gather_figures(struct train *t, const struct train_step_result *r,
                               struct train_figures *out)
{
    struct rt_memory_usage now;
    double seconds[RT_PHASES + 1];
    uint64_t memory[2] = {0, 1}; /* bytes; ranks that cannot tell */

    if (t->memory_known && rt_memory_usage(&now) == RT_OK) {
        memory[1] = 0;
        if (now.private_bytes > t->start.private_bytes)
            memory[0] = now.private_bytes - t->start.private_bytes;
        /* A rank maps only the pages it touches; the window was reserved whole. */
        if (t->nodes->local_rank == 0) memory[0] += rt_plan_bytes(&t->plan, RT_MEM_NODE);
    }
    memcpy(seconds, r->phase_s, sizeof r->phase_s);
    seconds[RT_PHASES] = r->step_s;
    RT_TRY(comm_max_f64(t->world, seconds, RT_PHASES + 1));
    RT_TRY(comm_sum_u64(t->world, memory, 2));
    memcpy(out->phase_s, seconds, sizeof out->phase_s);
    out->step_s = seconds[RT_PHASES];
    out->memory_bytes = memory[1] == 0 ? memory[0] : 0;
    return RT_OK;
}
