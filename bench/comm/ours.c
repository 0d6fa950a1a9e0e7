/* bench/comm/ours.c - our own collectives, timed from the thread that trains: post and wait
 *
 * What is timed is what a step needs: of an all-gather, until every rank of the node may read the
 * whole unit; of a reduce-scatter, from the meeting in which the neighbours' gradients are
 * complete until the own slice is.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/comm/run.h"
#include "comm/traffic.h"
#include "runtime/trace.h"

enum { FLAG_START, FLAG_DONE };

static struct comm_exchange *exchange_of(const struct bench_run *r, const struct bench_cell *c)
{
    return r->exchanges[c->index].x;
}

static struct comm_flag flag_at(const struct bench_run *r, int flag)
{
    return (struct comm_flag){.window = r->window, .flag = flag, .value = r->meets};
}

rt_status bench_gather_post(struct bench_run *r, const struct bench_cell *c, bool in_place,
                            comm_ticket *t)
{
    r->meets++;
    const struct comm_gather g = {.unit = r->memory.unit,
                                  .slice = c->slice,
                                  .type = c->type,
                                  .own = in_place ? NULL : r->memory.own,
                                  .done = flag_at(r, FLAG_DONE),
                                  .name = -1};
    return comm_gather_post(exchange_of(r, c), &g, t);
}

static void await_node(struct bench_run *r)
{
    if (r->window != NULL) comm_window_await(r->window, FLAG_DONE, r->meets);
}

rt_status bench_gather_wait(struct bench_run *r, const struct bench_cell *c, comm_ticket t)
{
    RT_TRY(comm_exchange_wait(exchange_of(r, c), t));
    await_node(r);
    return RT_OK;
}

static rt_status reduce(struct bench_run *r, const struct bench_cell *c)
{
    comm_ticket t;

    r->meets++;
    if (r->window != NULL) comm_window_signal(r->window, FLAG_START, r->meets);
    const struct comm_reduction g = {.grads = r->memory.grads,
                                     .type = c->type,
                                     .own = r->memory.own,
                                     .slice = c->slice,
                                     .start = flag_at(r, FLAG_START),
                                     .done = flag_at(r, FLAG_DONE),
                                     .name = -1};
    RT_TRY(comm_reduce_post(exchange_of(r, c), &g, &t));
    return comm_exchange_wait(exchange_of(r, c), t);
}

static rt_status allreduce(struct bench_run *r, const struct bench_cell *c)
{
    comm_ticket t;

    r->meets++;
    if (r->window != NULL) comm_window_signal(r->window, FLAG_START, r->meets);
    const struct comm_allreduction g = {.grads = r->memory.grads,
                                        .type = c->type,
                                        .unit = r->memory.unit,
                                        .slice = c->slice,
                                        .start = flag_at(r, FLAG_START),
                                        .done = flag_at(r, FLAG_DONE),
                                        .name = -1};
    RT_TRY(comm_allreduce_post(exchange_of(r, c), &g, &t));
    RT_TRY(comm_exchange_wait(exchange_of(r, c), t));
    await_node(r);
    return RT_OK;
}

void bench_meet(struct bench_run *r)
{
    r->meets++;
    comm_window_signal(r->window, FLAG_START, r->meets);
    comm_window_await(r->window, FLAG_START, r->meets);
}

static rt_status run(struct bench_run *r, const struct bench_cell *c, int side)
{
    comm_ticket t;

    if (c->op == BENCH_REDUCE) return reduce(r, c);
    if (c->op == BENCH_ALLREDUCE) return allreduce(r, c);
    RT_TRY(bench_gather_post(r, c, side == BENCH_IN_PLACE, &t));
    return bench_gather_wait(r, c, t);
}

static rt_status once(struct bench_run *r, struct bench_cell *c, int side, double *seconds)
{
    RT_TRY(comm_traffic_barrier(r->world));
    const double start = rt_now_s();
    RT_TRY(run(r, c, side));
    *seconds = rt_now_s() - start;
    return RT_OK;
}

/* What no rank of this node owns is poisoned by the first of them. */
static void poison_unit(struct bench_run *r, const struct bench_cell *c, size_t element_bytes)
{
    const size_t bytes = c->slice * element_bytes;
    const int rank = r->layout.rank, node = r->nodes->node;
    char *unit = r->memory.unit;

    for (int k = 0; k < r->layout.size; k++) {
        const bool here =
            !r->o->flat && k >= r->nodes->first[node] && k < r->nodes->first[node + 1];
        const bool mine = k == rank || (!here && (r->o->flat || r->nodes->local_rank == 0));
        if (mine) bench_poison(unit + (size_t)k * bytes, bytes);
    }
}

rt_status bench_gather_fill(struct bench_run *r, const struct bench_cell *c, bool in_place)
{
    const size_t first = (size_t)r->layout.rank * c->slice;
    const size_t bytes = rt_dtype_bytes(c->type);

    RT_TRY(comm_barrier(r->world)); /* nobody reads what was there any more */
    poison_unit(r, c, bytes);
    bench_fill_gathered(&r->values, r->memory.own, RT_F32, first, c->slice);
    if (in_place)
        bench_fill_gathered(&r->values, (char *)r->memory.unit + first * bytes, c->type, first,
                            c->slice);
    return comm_barrier(r->world);
}

/* For tests: one bit of what this rank was given. */
static void damage(const struct bench_run *r, void *at)
{
    if (r->flip_rank >= 0) *(unsigned char *)at ^= 1;
}

uint64_t bench_gather_wrong(struct bench_run *r, const struct bench_cell *c)
{
    damage(r, r->memory.unit);
    return bench_wrong_gathered(&r->values, r->memory.unit, c->type, 0,
                                c->slice * (size_t)r->layout.size);
}

static rt_status fill_sums(struct bench_run *r, const struct bench_cell *c)
{
    const int local = r->o->flat ? 0 : r->nodes->local_rank;
    const size_t n = c->slice * (size_t)r->layout.size;

    RT_TRY(comm_barrier(r->world));
    /* The own buffer is the only one that this rank writes. */
    bench_fill_summand(&r->values, r->layout.rank, (void *)(uintptr_t)r->memory.grads[local],
                       c->type, 0, n);
    bench_poison(r->memory.own, c->slice * sizeof(float));
    if (c->op == BENCH_ALLREDUCE) poison_unit(r, c, sizeof(float));
    return comm_barrier(r->world);
}

static uint64_t wrong_sums(struct bench_run *r, const struct bench_cell *c)
{
    if (c->op == BENCH_ALLREDUCE) {
        damage(r, r->memory.unit);
        return bench_wrong_sums(&r->values, r->memory.unit, RT_F32, 0,
                                c->slice * (size_t)r->layout.size);
    }
    damage(r, r->memory.own);
    return bench_wrong_sums(&r->values, r->memory.own, RT_F32, (size_t)r->layout.rank * c->slice,
                            c->slice);
}

static rt_status check(struct bench_run *r, struct bench_cell *c, int side, uint64_t *wrong)
{
    const bool gather = c->op == BENCH_GATHER;

    RT_TRY(gather ? bench_gather_fill(r, c, side == BENCH_IN_PLACE) : fill_sums(r, c));
    RT_TRY(run(r, c, side));
    *wrong = gather ? bench_gather_wrong(r, c) : wrong_sums(r, c);
    return RT_OK;
}

const struct bench_kind bench_kind_ours = {.once = once, .check = check};

struct comm_exchange_options bench_exchange_options(const struct bench_run *r, size_t slice_max)
{
    const bool *op = r->o->op;
    const bool gathers = op[BENCH_GATHER] || op[BENCH_OVERLAP];

    return (struct comm_exchange_options){
        .flat = r->o->flat,
        .wire = r->o->wire,
        .unit = r->o->type,
        .slice_max = slice_max,
        .chunk_bytes = r->o->chunk_bytes,
        .tuning = r->tuning,
        .fabric = r->network.kind,
        .rate_gbit = r->o->rate_gbit > 0 ? r->o->rate_gbit : r->network.gbit_per_s,
        .vector = &rt_vector_cpu,
        .staging = r->memory.staging,
        .ops = (gathers ? 1u << COMM_GATHER : 0u) | (op[BENCH_REDUCE] ? 1u << COMM_REDUCE : 0u) |
               (op[BENCH_ALLREDUCE] ? 1u << COMM_ALLREDUCE : 0u),
        .gathering = 1,
        .reducing = 1};
}

static rt_status make_exchange(struct bench_run *r, const char *asked, size_t slice_max,
                               struct comm_exchange **out)
{
    const struct comm_algorithm *a = comm_algorithm_find(asked);
    struct comm_exchange_options o = bench_exchange_options(r, slice_max);

    o.gather = o.reduce = asked;
    if (a != NULL && !comm_algorithm_fits(a, COMM_REDUCE, &r->layout, r->o->wire, false))
        o.reduce = "direct"; /* it only gathers */
    return comm_exchange_create(r->nodes, &o, out);
}

rt_status bench_exchange_get(struct bench_run *r, const char *asked, size_t slice, int *index)
{
    const bool automatic = strcmp(asked, "auto") == 0;
    const size_t slice_max = automatic ? slice : r->memory.slice_max;
    struct bench_exchange *all;
    rt_status st = RT_OK;

    for (*index = 0; *index < r->exchanges_count; ++*index) {
        const struct bench_exchange *e = &r->exchanges[*index];
        if (strcmp(e->asked, asked) == 0 && e->slice_max == slice_max) return RT_OK;
    }
    all = realloc(r->exchanges, (size_t)(r->exchanges_count + 1) * sizeof *all);
    if (all != NULL) r->exchanges = all;
    if (all == NULL) st = RT_FAIL(RT_ENOMEM, "no memory for a table of exchanges");
    RT_TRY(comm_agree(r->world, st));
    all[*index] = (struct bench_exchange){.asked = asked, .slice_max = slice_max};
    r->exchanges_count++;
    return make_exchange(r, asked, slice_max, &all[*index].x);
}

static const comm_op op_of[BENCH_OPS] = {
    [BENCH_GATHER] = COMM_GATHER, [BENCH_REDUCE] = COMM_REDUCE, [BENCH_ALLREDUCE] = COMM_ALLREDUCE};

static double factor_of(bench_op op, int ranks)
{
    const double share = (double)(ranks - 1) / (double)ranks;
    return op == BENCH_ALLREDUCE ? 2 * share : share;
}

static rt_status add_one(struct bench_run *r, bench_op op, const struct bench_size *size,
                         const char *asked)
{
    struct bench_cell *c = NULL;
    struct bench_cell like = {.kind = &bench_kind_ours,
                              .op = op,
                              .label = size->label,
                              .ours = true,
                              .slice = bench_slice(r, size->bytes),
                              .type = r->o->type,
                              .wire = op == BENCH_GATHER ? r->o->type : r->o->wire,
                              .factor = factor_of(op, r->layout.size),
                              .sides = op == BENCH_GATHER ? 2 : 1};

    snprintf(like.algorithm, sizeof like.algorithm, "%s", asked);
    like.bytes = like.slice * (size_t)r->layout.size * rt_dtype_bytes(like.type);
    RT_TRY(bench_exchange_get(r, asked, like.slice, &like.index));
    if (strcmp(asked, "auto") == 0)
        snprintf(like.chosen, sizeof like.chosen, "%s",
                 comm_exchange_algorithm(r->exchanges[like.index].x, op_of[op]));
    return comm_agree(r->world, bench_cell_add(r, &like, &c));
}

static rt_status add_algorithms(struct bench_run *r, bench_op op, const struct bench_size *size)
{
    const bool all = strcmp(r->o->algorithms, "all") == 0;
    const bool alike = r->layout.nodes == 1 && !r->o->flat; /* the window alone */

    if (bench_algorithm_asked(r, "auto")) RT_TRY(add_one(r, op, size, "auto"));
    for (const struct comm_algorithm *a = comm_algorithms; a->name != NULL; a++) {
        const bool fits = comm_algorithm_fits(a, op_of[op], &r->layout, r->o->wire, false) &&
                          (op != BENCH_REDUCE || strcmp(a->name, "whole") != 0);
        if (!bench_algorithm_asked(r, a->name) || (all && (alike || !fits))) continue;
        if (!fits)
            return comm_rank(r->world) > 0
                       ? RT_EINVAL
                       : RT_FAIL(RT_EINVAL,
                                 "--algo %s does not fit %s here (layout %s, wire %s): two-level "
                                 "wants --layout flat, a chain of sums --wire fp32; --algo all "
                                 "takes those that fit",
                                 a->name, bench_op_name(op), r->o->flat ? "flat" : "node",
                                 rt_dtype_name(r->o->wire));
        RT_TRY(add_one(r, op, size, a->name));
    }
    return RT_OK;
}

rt_status bench_ours_add(struct bench_run *r)
{
    for (int op = BENCH_GATHER; op <= BENCH_ALLREDUCE; op++)
        for (size_t i = 0; r->o->op[op] && i < r->o->sizes_count; i++)
            RT_TRY(add_algorithms(r, (bench_op)op, &r->o->sizes[i]));
    return RT_OK;
}
