/* shard/shard.c - making and unmaking a shard; what it owns */
#include "shard/shard.h"

#include <stdlib.h>

#include "shard/state.h"

/* The orders that can come: without gradients there is no TRAIN, only in GRADS is not all stale. */
static rt_status make_orders(struct shard *s)
{
    const bool keep = s->options.mode == SHARD_GRADS;

    for (int pass = 0; pass < 2; pass++)
        for (int fresh = 0; fresh <= (int)keep; fresh++)
            RT_TRY(shard_order_create((shard_pass)pass, s->layout.units, s->sizes.depth, keep,
                                      fresh == 0, &s->orders[pass][fresh]));
    return RT_OK;
}

static rt_status prepare_partials(struct shard *s)
{
    void *levels = NULL;

    if (s->sizes.partials_bytes > 0) RT_TRY(rt_memory_take(s->memory, "shard/partials", &levels));
    s->partials = (struct shard_partials){.steps = s->options.micro_steps,
                                          .n = s->layout.own_elements,
                                          .levels = levels,
                                          .gradients = s->gradients};
    return RT_OK;
}

/* What can fail on one rank alone, before the window is there. */
static rt_status prepare(struct shard *s)
{
    const struct shard_options *o = &s->options;
    void *p = NULL;

    RT_TRY(shard_check_nodes(o, s->nodes));
    RT_TRY(shard_layout_on(s->tensors, o->mode, s->nodes, &s->layout));
    RT_TRY(shard_sizes_create(&s->layout, o, s->nodes, &s->sizes));
    RT_TRY(make_orders(s));
    for (int b = 0; b < SHARD_BUFFERS; b++) {
        s->buffers[b] = calloc((size_t)s->nodes->local_size, sizeof *s->buffers[b]);
        if (s->buffers[b] == NULL)
            return RT_FAIL(RT_ENOMEM, "a table of %d ranks", s->nodes->local_size);
    }
    RT_TRY(rt_memory_take(s->memory, "shard/master", &p));
    s->master = p;
    if (!o->training) return RT_OK;
    RT_TRY(rt_memory_take(s->memory, "shard/gradients", &p));
    s->gradients = p;
    RT_TRY(prepare_partials(s));
    if (s->sizes.staging_bytes == 0) return RT_OK;
    return rt_memory_take(s->memory, "shard/staging", &s->staging);
}

static void find_buffers(struct shard *s)
{
    for (int l = 0; l < s->nodes->local_size; l++)
        for (int b = 0; b < SHARD_BUFFERS; b++) s->buffers[b][l] = shard_buffer(s, l, b);
}

rt_status shard_create(const struct rt_tensors *t, const struct shard_options *o,
                       const struct comm_nodes *nodes, struct rt_memory *memory, struct shard **out)
{
    struct shard *s = calloc(1, sizeof *s);
    rt_status st = s == NULL ? RT_FAIL(RT_ENOMEM, "a shard") : RT_OK;

    *out = NULL;
    RT_TRY_OUT(comm_agree(nodes->world, st));
    *s = (struct shard){
        .options = *o, .tensors = t, .nodes = nodes, .memory = memory, .stale = true};
    s->micro = o->micro_steps; /* none: the first pass begins a step */
    st = prepare(s);
    RT_TRY_OUT(comm_agree(nodes->world, st));
    RT_TRY_OUT(comm_window_create(nodes, s->sizes.window_bytes, SHARD_FLAGS, &s->window));
    find_buffers(s);
    struct comm_exchange_options exchange = shard_exchange_options(&s->layout, o, s->sizes.depth);
    exchange.staging = s->staging;
    RT_TRY_OUT(comm_exchange_create(nodes, &exchange, &s->exchange));
    *out = s;
    s = NULL; /* the caller's now */
out:
    shard_destroy(&s);
    return st;
}

void shard_destroy(struct shard **p)
{
    struct shard *s = *p;

    if (s == NULL) return;
    comm_exchange_destroy(&s->exchange);
    comm_window_destroy(&s->window);
    if (s->staging != NULL) rt_memory_give(s->memory, "shard/staging");
    if (s->partials.levels != NULL) rt_memory_give(s->memory, "shard/partials");
    if (s->gradients != NULL) rt_memory_give(s->memory, "shard/gradients");
    if (s->master != NULL) rt_memory_give(s->memory, "shard/master");
    for (int b = 0; b < SHARD_BUFFERS; b++) free((void *)s->buffers[b]);
    for (int i = 0; i < 4; i++) shard_order_clear(&s->orders[i / 2][i % 2]);
    shard_sizes_clear(&s->sizes);
    shard_layout_clear(&s->layout);
    free(s);
    *p = NULL;
}

size_t shard_own_elements(const struct shard *s) { return s->layout.own_elements; }

const struct shard_extent *shard_extents(const struct shard *s, size_t *count)
{
    *count = s->layout.extents_count;
    return s->layout.extents;
}

int shard_replica(const struct shard *s)
{
    return s->options.mode == SHARD_HYBRID ? s->nodes->node : 0;
}

float *shard_master(struct shard *s) { return s->master; }
float *shard_gradients(struct shard *s) { return s->gradients; }
void shard_weights_changed(struct shard *s) { s->stale = true; }

/* Which algorithm each unit uses and why; units of one size are one line. */
static void explain_units(const struct shard *s, FILE *out)
{
    const struct shard_layout *l = &s->layout;
    const size_t N = (size_t)l->replicas;

    for (int first = 0, u = 1; u <= l->units; u++) {
        if (u < l->units && l->slice[u] == l->slice[first]) continue;
        fprintf(out, "units %d to %d: ", first, u - 1);
        comm_exchange_explain(s->exchange, COMM_GATHER, l->slice[first], s->options.compute, out);
        if (s->options.training) {
            fprintf(out, "units %d to %d: ", first, u - 1);
            comm_exchange_explain(s->exchange, COMM_REDUCE, l->slice[first], s->options.wire, out);
        }
        if (s->options.training && s->options.mode == SHARD_HYBRID) {
            fprintf(out, "units %d to %d, %s: ", first, u - 1,
                    s->options.exact ? "each micro-step" : "last micro-step");
            comm_exchange_explain(s->exchange, COMM_ALLREDUCE_OWN, l->slice[first] / N, RT_F32,
                                  out);
        }
        first = u;
    }
}

const char *shard_gather_algorithm(const struct shard *s)
{
    return comm_exchange_algorithm(s->exchange, COMM_GATHER);
}

const char *shard_reduce_algorithm(const struct shard *s)
{
    return comm_exchange_algorithm(s->exchange, s->options.mode == SHARD_HYBRID ? COMM_ALLREDUCE_OWN
                                                                                : COMM_REDUCE);
}

void shard_explain(const struct shard *s, FILE *out)
{
    static const char *const names[] = {"train", "forward"};
    const bool keep = s->options.mode == SHARD_GRADS;

    fprintf(out, "%d units, %d slots, %d ahead, %d ranks on %d nodes\n", s->layout.units,
            s->sizes.slots, s->sizes.depth, s->nodes->first[s->nodes->nodes], s->nodes->nodes);
    if (s->options.mode == SHARD_HYBRID)
        fprintf(out, "%d replicas, each sharded over %d ranks\n", s->layout.replicas,
                s->layout.size);
    explain_units(s, out);
    for (int pass = s->options.training ? SHARD_PASS_TRAIN : SHARD_PASS_FORWARD; pass < 2; pass++)
        for (int fresh = 0; fresh <= (int)keep; fresh++) {
            fprintf(out, "pass %s%s\n", names[pass],
                    !keep   ? ""
                    : fresh ? ", weights as before"
                            : ", weights new");
            shard_order_print(&s->orders[pass][fresh], out);
        }
}

void shard_take_counters(struct shard *s, struct shard_counters *out)
{
    *out = s->counters;
    out->gather_s = comm_exchange_take_seconds(s->exchange, COMM_GATHER);
    out->reduce_s = comm_exchange_take_seconds(s->exchange, COMM_REDUCE) +
                    comm_exchange_take_seconds(s->exchange, COMM_ALLREDUCE_OWN);
    s->counters = (struct shard_counters){0};
}
