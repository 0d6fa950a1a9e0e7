/* shard/lend.c - one pass replayed: post gathers ahead, lend slots, post what comes back to be
 * reduced
 *
 * A gather is posted as soon as this rank has released what allows it; the engine starts it when
 * all ranks of the node have released the slot. A reduction is posted when the unit is released; it
 * starts when all ranks of the node have written their gradients. Nothing is waited for until it is
 * needed: a gather when its unit is acquired, a reduction when its buffer is wanted again or the
 * pass ends.
 *
 * Why this cannot hang: every rank posts the same operations in the same order, and whatever one
 * waits for at a point of the order depends only on what others post or release at an earlier one.
 */
#include <string.h>

#include "shard/state.h"

static size_t unit_padded(const struct shard *s, int unit)
{
    return s->layout.slice[unit] * (size_t)s->layout.size;
}

static char *slot_at(const struct shard *s, int slot)
{
    return (char *)comm_window_base(s->window) + s->sizes.slot[slot];
}

static struct comm_flag flag(const struct shard *s, int which, uint64_t value)
{
    return (struct comm_flag){.window = s->window, .flag = which, .value = value};
}

static rt_status post_fill(struct shard *s)
{
    const struct shard_fill *f = &s->order->fills[s->filled];
    const struct comm_gather gather = {
        .unit = slot_at(s, f->slot),
        .slice = s->layout.slice[f->unit],
        .type = s->options.compute,
        .own = s->master + s->layout.own[f->unit],
        .start = flag(s, SHARD_RELEASED, s->uses_before + (uint64_t)(f->after + 1)),
        .done = flag(s, SHARD_FILLED, s->fills_before + (uint64_t)s->filled + 1),
        .name = f->unit,
    };

    rt_trace_begin(s->options.trace, RT_PHASE_GATHER, "gather", f->unit);
    rt_status st =
        comm_gather_post(s->exchange, &gather, &s->fill_tickets[s->filled % COMM_TICKETS]);
    rt_trace_end(s->options.trace);
    s->counters.gathered_bytes += unit_padded(s, f->unit) * rt_dtype_bytes(s->options.compute);
    s->filled++;
    return st;
}

/* Post the gathers that what has been released allows. */
static rt_status post_fills(struct shard *s)
{
    while (s->filled < s->order->fills_count && s->order->fills[s->filled].from < s->use)
        RT_TRY(post_fill(s));
    return RT_OK;
}

static uint64_t back_number(const struct shard *s, int back)
{
    return s->backs_before + (uint64_t)back;
}

/* The unit gradients of backward use `back` of this rank are written. */
static rt_status post_reduction(struct shard *s, const struct shard_use *u)
{
    const uint64_t number = back_number(s, u->back);
    const int b = (int)(number % SHARD_BUFFERS);
    const struct comm_reduction reduction = {
        .grads = (const void *const *)s->buffers[b],
        .type = RT_F32,
        .own = s->target + s->layout.own[u->unit],
        .slice = s->layout.slice[u->unit],
        .add = s->add,
        .start = flag(s, SHARD_READY, number + 1),
        .done = flag(s, SHARD_SUMMED, number + 1),
        .name = u->unit,
    };

    rt_trace_begin(s->options.trace, RT_PHASE_REDUCE, "reduce", u->unit);
    rt_status st = comm_reduce_post(s->exchange, &reduction, &s->back_tickets[b]);
    rt_trace_end(s->options.trace);
    s->counters.reduced_bytes += unit_padded(s, u->unit) * sizeof(float);
    return st;
}

/* Wait for the sums over replicas posted before that of backward use `back`. */
static rt_status end_joins(struct shard *s, int back)
{
    while (s->joined < back) {
        const uint64_t number = back_number(s, s->joined++);
        RT_TRY(comm_exchange_wait(s->exchange, s->join_tickets[number % SHARD_BUFFERS]));
    }
    return RT_OK;
}

/* hybrid: the own slice of this unit is summed over replicas, once the node has reduced it. */
static rt_status post_join(struct shard *s, const struct shard_use *u)
{
    const uint64_t number = back_number(s, u->back);
    const size_t block = s->layout.slice[u->unit] / (size_t)s->layout.replicas;

    if (!s->joins) return RT_OK;
    rt_trace_begin(s->options.trace, RT_PHASE_REDUCE, "join", u->unit);
    rt_status st = end_joins(s, u->back + 1 - SHARD_BUFFERS);
    if (st == RT_OK)
        st = comm_allreduce_own_post(s->exchange, s->target + s->layout.own[u->unit], block,
                                     flag(s, SHARD_SUMMED, number + 1), u->unit,
                                     &s->join_tickets[number % SHARD_BUFFERS]);
    rt_trace_end(s->options.trace);
    return st;
}

/* Wait for the reductions posted before backward use `back`. */
static rt_status end_reductions(struct shard *s, int back)
{
    while (s->reduced < back) {
        const uint64_t number = back_number(s, s->reduced++);
        RT_TRY(comm_exchange_wait(s->exchange, s->back_tickets[number % SHARD_BUFFERS]));
    }
    return RT_OK;
}

/* Where the reductions of a pass go. One tree over all leaves has ranks below micro-steps, so in
 * exact mode replicas join in each; else once a step is enough. */
static rt_status aim(struct shard *s, int micro)
{
    const int steps = s->options.micro_steps;

    if (micro < 0 || micro >= steps || (micro > 0 && micro != s->micro + 1))
        return RT_FAIL(RT_EINVAL, "micro-step %d of %d begins, but next is %d", micro, steps,
                       s->micro + 1 < steps ? s->micro + 1 : 0);
    s->micro = micro;
    s->target = s->options.exact ? shard_partials_target(&s->partials, micro) : s->gradients;
    s->add = !s->options.exact && micro > 0;
    s->joins = s->options.mode == SHARD_HYBRID && (s->options.exact || micro == steps - 1);
    return RT_OK;
}

rt_status shard_begin(struct shard *s, shard_pass pass, int micro)
{
    if (s->order != NULL) return RT_FAIL(RT_EINVAL, "a pass begins before the last one has ended");
    if (pass == SHARD_PASS_TRAIN && !s->options.training)
        return RT_FAIL(RT_EINVAL, "a training pass over a shard that has no gradients");
    const bool fresh = s->options.mode == SHARD_GRADS && !s->stale;
    if (pass == SHARD_PASS_TRAIN) RT_TRY(aim(s, micro));
    s->order = &s->orders[pass][fresh];
    s->stale = false;
    s->use = s->filled = s->arrived = s->reduced = s->joined = 0;
    return post_fills(s);
}

/* RT_EINVAL where this call is not what the order says. */
static rt_status check(const struct shard *s, int unit, bool backward, bool lent)
{
    static const char *const names[2][2] = {{"acquire", "release"}, {"forward", "backward"}};
    const bool over = s->order == NULL || s->use == s->order->uses_count;
    const struct shard_use *u = over ? NULL : &s->order->uses[s->use];

    if (u != NULL && s->lent == lent && u->unit == unit && u->backward == backward) return RT_OK;
    if (u == NULL)
        return RT_FAIL(RT_EINVAL, "%s of unit %d %s, but %s", names[0][lent], unit,
                       names[1][backward],
                       s->order == NULL ? "no pass is under way" : "the pass is at its end");
    return RT_FAIL(RT_EINVAL, "%s of unit %d %s, but next is %s of unit %d %s", names[0][lent],
                   unit, names[1][backward], names[0][s->lent], u->unit, names[1][u->backward]);
}

/* Until this rank's share of the fill, and then that of the node's other ranks, has arrived. */
static rt_status wait_for_fill(struct shard *s, int fill)
{
    for (; s->arrived <= fill; s->arrived++)
        RT_TRY(comm_exchange_wait(s->exchange, s->fill_tickets[s->arrived % COMM_TICKETS]));
    comm_window_await(s->window, SHARD_FILLED, s->fills_before + (uint64_t)fill + 1);
    return RT_OK;
}

/* Until every rank of the node has read what was last in the buffer of this backward use. */
static rt_status wait_for_buffer(struct shard *s, const struct shard_use *u)
{
    const uint64_t number = back_number(s, u->back);
    rt_status st = RT_OK;

    rt_trace_begin(s->options.trace, RT_PHASE_REDUCE, "buffer", u->unit);
    if (u->back >= SHARD_BUFFERS) st = end_reductions(s, u->back + 1 - SHARD_BUFFERS);
    if (st == RT_OK && number >= SHARD_BUFFERS)
        comm_window_await(s->window, SHARD_SUMMED, number + 1 - SHARD_BUFFERS);
    rt_trace_end(s->options.trace);
    return st;
}

static float *own_buffer(const struct shard *s, const struct shard_use *u)
{
    const uint64_t number = s->backs_before + (uint64_t)u->back;
    return shard_buffer(s, s->nodes->local_rank, (int)(number % SHARD_BUFFERS));
}

rt_status shard_acquire(struct shard *s, int unit, bool backward, struct shard_lent *out)
{
    *out = (struct shard_lent){0};
    RT_TRY(check(s, unit, backward, false));
    const struct shard_use *u = &s->order->uses[s->use];
    comm_poll(s->nodes->world);
    rt_trace_begin(s->options.trace, RT_PHASE_GATHER, "wait", unit);
    rt_status st = u->fill >= 0 ? wait_for_fill(s, u->fill) : RT_OK;
    rt_trace_end(s->options.trace);
    if (st == RT_OK && backward) st = wait_for_buffer(s, u);
    if (st != RT_OK) return st;
    s->lent = true;
    out->weights = slot_at(s, u->slot);
    out->gradients = backward ? own_buffer(s, u) : NULL;
    return RT_OK;
}

rt_status shard_release(struct shard *s, int unit, bool backward)
{
    RT_TRY(check(s, unit, backward, true));
    const struct shard_use *u = &s->order->uses[s->use];
    s->use++;
    s->lent = false;
    comm_window_signal(s->window, SHARD_RELEASED, s->uses_before + (uint64_t)s->use);
    if (backward) {
        const size_t n = s->tensors->unit_elements[unit];
        memset(own_buffer(s, u) + n, 0, (unit_padded(s, unit) - n) * sizeof(float));
        comm_window_signal(s->window, SHARD_READY, back_number(s, u->back) + 1);
    }
    RT_TRY(post_fills(s));
    if (!backward) return RT_OK;
    RT_TRY(post_reduction(s, u));
    return post_join(s, u);
}

/* exact: what this micro-step has brought joins the step's sum. */
static rt_status push(struct shard *s)
{
    rt_trace_begin(s->options.trace, RT_PHASE_REDUCE, "partials", -1);
    rt_status st = shard_partials_push(&s->partials, s->micro, s->options.vector);
    rt_trace_end(s->options.trace);
    return st;
}

rt_status shard_end(struct shard *s)
{
    if (s->order == NULL || s->lent || s->use < s->order->uses_count)
        return RT_FAIL(RT_EINVAL, "the pass ends after %d of %d acquisitions",
                       s->order == NULL ? 0 : s->use, s->order == NULL ? 0 : s->order->uses_count);
    rt_trace_begin(s->options.trace, RT_PHASE_REDUCE, "end", -1);
    rt_status st = end_reductions(s, s->order->backs_count);
    if (st == RT_OK && s->joins) st = end_joins(s, s->order->backs_count);
    rt_trace_end(s->options.trace);
    if (st == RT_OK && s->options.exact && s->order->backs_count > 0) st = push(s);
    s->uses_before += (uint64_t)s->order->uses_count;
    s->fills_before += (uint64_t)s->order->fills_count;
    s->backs_before += (uint64_t)s->order->backs_count;
    s->order = NULL;
    return st;
}
