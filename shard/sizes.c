/* shard/sizes.c - bytes of every buffer of a shard, and the plan that lists them */
#include <stdlib.h>

#include "comm/exact.h"
#include "comm/exchange.h"
#include "shard/layout.h"
#include "shard/partials.h"

enum { PAGE = 4096 };

static size_t pages(size_t bytes) { return (bytes + PAGE - 1) / PAGE * PAGE; }

static rt_status refuse(const struct shard_options *o)
{
    if (o->prefetch < 0 || o->prefetch > COMM_TICKETS - 2)
        return RT_FAIL(RT_EINVAL, "shard.prefetch is %d, must be 0..%d", o->prefetch,
                       COMM_TICKETS - 2);
    if (o->training && o->micro_steps < 1)
        return RT_FAIL(RT_EINVAL, "a step has %d micro-steps, must be at least 1", o->micro_steps);
    return RT_OK;
}

rt_status shard_check_nodes(const struct shard_options *o, const struct comm_nodes *nodes)
{
    const int each = nodes->first[1] - nodes->first[0];

    for (int n = 1; n < nodes->nodes && o->mode == SHARD_HYBRID; n++) {
        const int here = nodes->first[n + 1] - nodes->first[n];
        if (here != each)
            return RT_FAIL(RT_EINVAL,
                           "shard.mode is hybrid, which wants as many ranks on every node; node 0 "
                           "has %d, node %d has %d: start as many on each, or set shard.mode to "
                           "full",
                           each, n, here);
    }
    return o->exact ? comm_exact_check(nodes, o->algorithm, o->wire) : RT_OK;
}

static size_t unit_bytes(const struct shard_layout *l, size_t slice, rt_dtype type)
{
    return pages(slice * (size_t)l->size * rt_dtype_bytes(type));
}

/* In mode GRADS each unit has its own slot; else all hold the largest unit. */
static void place_slots(const struct shard_layout *l, const struct shard_options *o,
                        struct shard_sizes *z)
{
    for (int i = 0; i < z->slots; i++) {
        z->slot[i] = z->slots_bytes;
        z->slots_bytes +=
            unit_bytes(l, o->mode == SHARD_GRADS ? l->slice[i] : l->slice_max, o->compute);
    }
}

struct comm_exchange_options shard_exchange_options(const struct shard_layout *l,
                                                    const struct shard_options *o, int depth)
{
    const unsigned sums =
        o->mode == SHARD_HYBRID ? 1u << COMM_REDUCE | 1u << COMM_ALLREDUCE_OWN : 1u << COMM_REDUCE;

    return (struct comm_exchange_options){
        .hybrid = o->mode == SHARD_HYBRID,
        .gather = o->gather != NULL ? o->gather : o->algorithm,
        .reduce = o->reduce != NULL ? o->reduce : o->algorithm,
        .tuning = o->tuning,
        .fabric = o->fabric,
        .rate_gbit = o->rate_gbit,
        .wire = o->wire,
        .unit = o->compute,
        .exact = o->exact,
        .slice_max = l->slice_max,
        .block_max = l->slice_max / (size_t)l->replicas,
        .vector = o->vector,
        .ops = 1u << COMM_GATHER | (o->training ? sums : 0),
        .gathering = depth + 2,
        .reducing = SHARD_BUFFERS,
    };
}

rt_status shard_sizes_create(const struct shard_layout *l, const struct shard_options *o,
                             const struct comm_nodes *nodes, struct shard_sizes *out)
{
    struct shard_sizes z = {0};
    int levels = 0;

    *out = z;
    RT_TRY(refuse(o));
    if (o->exact && o->training) RT_TRY(shard_partials_levels(o->micro_steps, &levels));
    z.depth = o->prefetch < l->units ? o->prefetch : l->units - 1;
    z.slots = o->mode == SHARD_GRADS ? l->units : z.depth + 1;
    z.slot = calloc((size_t)z.slots, sizeof *z.slot);
    if (z.slot == NULL) return RT_FAIL(RT_ENOMEM, "a table of %d slots", z.slots);
    place_slots(l, o, &z);
    z.own_bytes = l->own_elements * sizeof(float);
    z.partials_bytes = (size_t)levels * z.own_bytes;
    if (o->training) {
        z.buffer_bytes = unit_bytes(l, l->slice_max, RT_F32);
        const struct comm_exchange_options exchange = shard_exchange_options(l, o, z.depth);
        z.staging_bytes = comm_exchange_staging_bytes(nodes, &exchange);
    }
    z.window_bytes = z.slots_bytes + (size_t)nodes->local_size * SHARD_BUFFERS * z.buffer_bytes;
    *out = z;
    return RT_OK;
}

void shard_sizes_clear(struct shard_sizes *z)
{
    free(z->slot);
    *z = (struct shard_sizes){0};
}

/* How many ranks each node has, where shape->first does not say: the own node has local_size; so
 * have all but the last, unless the own one is the last and has fewer. */
static int ranks_per_node(const struct shard_shape *s)
{
    const int others = s->nodes - 1;

    if (others == 0) return s->size;
    int rest = s->size - s->local_size;
    bool last = s->rank >= rest && rest % others == 0 && rest / others >= s->local_size;
    return last ? rest / others : s->local_size;
}

/* A comm_nodes without MPI behind it. */
static rt_status imagine(const struct shard_shape *s, struct comm_nodes *out)
{
    struct comm_nodes n = {.nodes = s->nodes, .local_size = s->local_size};

    if (s->size < 1 || s->rank < 0 || s->rank >= s->size || s->nodes < 1 || s->nodes > s->size ||
        s->local_size < 1 || s->local_size > s->size)
        return RT_FAIL(RT_EINVAL, "rank %d of %d, %d nodes, %d ranks on its node: no such machine",
                       s->rank, s->size, s->nodes, s->local_size);
    n.first = calloc((size_t)s->nodes + 1, sizeof *n.first);
    if (n.first == NULL) return RT_FAIL(RT_ENOMEM, "a table of %d nodes", s->nodes);
    const int each = ranks_per_node(s);
    for (int i = 0; i <= s->nodes; i++) {
        int first = s->first != NULL ? s->first[i] : i * each;
        n.first[i] = i == s->nodes || first > s->size ? s->size : first;
        if (i < s->nodes && n.first[i] <= s->rank) n.node = i;
    }
    n.local_rank = s->rank - n.first[n.node];
    *out = n;
    return RT_OK;
}

static rt_status add(struct rt_plan *plan, const char *name, rt_mem_class c, rt_mem_scope scope,
                     size_t bytes)
{
    return bytes == 0 ? RT_OK : rt_plan_add(plan, name, c, scope, bytes);
}

static rt_status list(const struct shard_sizes *z, const struct shard_options *o,
                      struct rt_plan *plan)
{
    RT_TRY(add(plan, "shard/master", RT_MEM_WEIGHTS, RT_MEM_PRIVATE, z->own_bytes));
    RT_TRY(add(plan, "shard/slots", o->mode == SHARD_GRADS ? RT_MEM_WEIGHTS : RT_MEM_GATHER,
               RT_MEM_NODE, z->slots_bytes));
    if (!o->training) return RT_OK;
    RT_TRY(add(plan, "shard/gradients", RT_MEM_GRADIENTS, RT_MEM_PRIVATE, z->own_bytes));
    RT_TRY(add(plan, "shard/partials", RT_MEM_GRADIENTS, RT_MEM_PRIVATE, z->partials_bytes));
    RT_TRY(add(plan, "shard/unit_gradients", RT_MEM_GRADIENTS, RT_MEM_NODE,
               z->window_bytes - z->slots_bytes));
    return add(plan, "shard/staging", RT_MEM_STAGING, RT_MEM_PRIVATE, z->staging_bytes);
}

rt_status shard_plan(const struct rt_tensors *t, const struct shard_options *o,
                     const struct shard_shape *shape, struct rt_plan *plan)
{
    struct shard_layout l = {0};
    struct shard_sizes z = {0};
    struct comm_nodes nodes = {0};
    rt_status st = RT_OK;

    RT_TRY_OUT(imagine(shape, &nodes));
    RT_TRY_OUT(shard_check_nodes(o, &nodes));
    RT_TRY_OUT(shard_layout_on(t, o->mode, &nodes, &l));
    RT_TRY_OUT(shard_sizes_create(&l, o, &nodes, &z));
    RT_TRY_OUT(list(&z, o, plan));
out:
    free(nodes.first);
    shard_sizes_clear(&z);
    shard_layout_clear(&l);
    return st;
}
