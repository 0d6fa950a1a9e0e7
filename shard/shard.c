/* shard/shard.c - making and unmaking a shard; what it owns */
#include "shard/shard.h"

#include <stdlib.h>

#include "shard/state.h"

/* The orders that can come: without gradients there is no TRAIN, in FULL all is always stale. */
static rt_status make_orders(struct shard *s)
{
    const bool keep = s->options.mode == SHARD_GRADS;

    for (int pass = 0; pass < 2; pass++)
        for (int fresh = 0; fresh <= (int)keep; fresh++)
            RT_TRY(shard_order_create((shard_pass)pass, s->layout.units, s->sizes.depth, keep,
                                      fresh == 0, &s->orders[pass][fresh]));
    return RT_OK;
}

/* What can fail on one rank alone, before the window is there. */
static rt_status prepare(struct shard *s)
{
    const struct shard_options *o = &s->options;
    void *p = NULL;

    RT_TRY(shard_layout_create(s->tensors, comm_size(s->nodes->world), comm_rank(s->nodes->world),
                               &s->layout));
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
    st = prepare(s);
    RT_TRY_OUT(comm_agree(nodes->world, st));
    RT_TRY_OUT(comm_window_create(nodes, s->sizes.window_bytes, SHARD_FLAGS, &s->window));
    find_buffers(s);
    const struct comm_exchange_options exchange = {.algorithm = o->algorithm,
                                                   .wire = o->wire,
                                                   .slice_max = s->layout.slice_max,
                                                   .vector = o->vector,
                                                   .staging = s->staging};
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
    if (s->gradients != NULL) rt_memory_give(s->memory, "shard/gradients");
    if (s->master != NULL) rt_memory_give(s->memory, "shard/master");
    for (int b = 0; b < SHARD_BUFFERS; b++) free(s->buffers[b]);
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

float *shard_master(struct shard *s) { return s->master; }
float *shard_gradients(struct shard *s) { return s->gradients; }
void shard_weights_changed(struct shard *s) { s->stale = true; }

void shard_explain(const struct shard *s, FILE *out)
{
    static const char *const names[] = {"train", "forward"};
    const bool keep = s->options.mode == SHARD_GRADS;

    fprintf(out, "%d units, %d slots, %d ahead, %d ranks on %d nodes, %s between nodes\n",
            s->layout.units, s->sizes.slots, s->sizes.depth, s->layout.size, s->nodes->nodes,
            comm_exchange_algorithm(s->exchange));
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
    s->counters = (struct shard_counters){0};
}
