/* shard/lend.c - one pass replayed: fill slots, lend them, reduce what comes back
 *
 * A reduction is due when the next backward use is released (or at the end of the pass), so that
 * neighbours may be one use behind: that is what the two gradient buffers are for. On a single
 * node, where it is a sum out of the window, it is done earlier if all have written already.
 * Between nodes it is a collective and stands at its fixed place.
 *
 * Why this cannot hang: whatever a rank waits for at one point of the order, the others do at an
 * earlier point or at the same, and none passes an exchange before its own sends are complete.
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

static int ticket(const struct shard *s, int fill)
{
    return (int)((s->fills_before + (uint64_t)fill) % COMM_TICKETS);
}

/* Wait until this rank's share of the fill has arrived, and say so to the node. */
static rt_status end_fill(struct shard *s)
{
    RT_TRY(comm_gather_end(s->exchange, ticket(s, s->arrived)));
    s->arrived++;
    comm_window_signal(s->window, SHARD_FILLED, s->fills_before + (uint64_t)s->arrived);
    return RT_OK;
}

static uint64_t released_before(const struct shard *s, const struct shard_fill *f)
{
    return s->uses_before + (uint64_t)(f->after + 1);
}

/* Cast the own slice into its place; the exchange does the rest. */
static rt_status begin_fill(struct shard *s)
{
    const struct shard_fill *f = &s->order->fills[s->filled];
    const size_t slice = s->layout.slice[f->unit];
    const rt_dtype type = s->options.compute;
    char *slot = slot_at(s, f->slot);
    char *place = slot + (size_t)s->layout.rank * slice * rt_dtype_bytes(type);

    rt_trace_begin(s->options.trace, RT_PHASE_GATHER, "gather", f->unit);
    comm_window_await(s->window, SHARD_RELEASED, released_before(s, f));
    rt_status st = s->options.vector->cast(NULL, place, type, s->master + s->layout.own[f->unit],
                                           RT_F32, slice);
    if (st == RT_OK) st = comm_gather_begin(s->exchange, ticket(s, s->filled), slot, slice, type);
    s->counters.gathered_bytes += unit_padded(s, f->unit) * rt_dtype_bytes(type);
    s->filled++;
    if (st == RT_OK && s->nodes->nodes == 1) st = end_fill(s); /* nothing is under way */
    rt_trace_end(s->options.trace);
    return st;
}

/* Begin those fills that must have begun when `use` is acquired. */
static rt_status begin_due(struct shard *s, int use)
{
    while (s->filled < s->order->fills_count && s->order->fills[s->filled].due <= use)
        RT_TRY(begin_fill(s));
    return RT_OK;
}

/* Begin those that need no waiting. */
static rt_status begin_possible(struct shard *s)
{
    while (s->filled < s->order->fills_count) {
        const struct shard_fill *f = &s->order->fills[s->filled];
        if (f->from >= s->use) break;
        if (!comm_window_reached(s->window, SHARD_RELEASED, released_before(s, f))) break;
        RT_TRY(begin_fill(s));
    }
    return RT_OK;
}

static const struct shard_use *back_use(const struct shard *s, int back)
{
    return &s->order->uses[s->order->uses_count - s->order->backs_count + back];
}

/* Sum the own slice of the oldest unit gradients that are not reduced yet. */
static rt_status reduce_next(struct shard *s)
{
    const uint64_t number = s->backs_before + (uint64_t)s->reduced;
    const int unit = back_use(s, s->reduced)->unit;

    rt_trace_begin(s->options.trace, RT_PHASE_REDUCE, "reduce", unit);
    comm_window_await(s->window, SHARD_READY, number + 1);
    rt_status st =
        comm_reduce(s->exchange, s->buffers[number % SHARD_BUFFERS],
                    s->gradients + s->layout.own[unit], s->layout.slice[unit], !s->first);
    comm_window_signal(s->window, SHARD_SUMMED, number + 1);
    s->counters.reduced_bytes += unit_padded(s, unit) * sizeof(float);
    s->reduced++;
    rt_trace_end(s->options.trace);
    return st;
}

/* The reductions of backward uses before `back` are due; of those released, on one node, the
 * possible ones are done too. */
static rt_status reduce_due(struct shard *s, int back, int released)
{
    while (s->reduced < back) RT_TRY(reduce_next(s));
    while (s->nodes->nodes == 1 && s->reduced < released &&
           comm_window_reached(s->window, SHARD_READY, s->backs_before + (uint64_t)s->reduced + 1))
        RT_TRY(reduce_next(s));
    return RT_OK;
}

rt_status shard_begin(struct shard *s, shard_pass pass, bool first)
{
    if (s->order != NULL) return RT_FAIL(RT_EINVAL, "a pass begins before the last one has ended");
    if (pass == SHARD_PASS_TRAIN && !s->options.training)
        return RT_FAIL(RT_EINVAL, "a training pass over a shard that has no gradients");
    const bool fresh = s->options.mode == SHARD_GRADS && !s->stale;
    s->order = &s->orders[pass][fresh];
    s->stale = false;
    s->first = first;
    s->use = s->filled = s->arrived = s->reduced = 0;
    return begin_possible(s);
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

static rt_status wait_for_fill(struct shard *s, int fill)
{
    while (s->arrived <= fill) RT_TRY(end_fill(s));
    comm_window_await(s->window, SHARD_FILLED, s->fills_before + (uint64_t)fill + 1);
    return RT_OK;
}

/* Until every rank of the node has read what was last in the buffer of this backward use. */
static void wait_for_buffer(const struct shard *s, const struct shard_use *u)
{
    const uint64_t number = s->backs_before + (uint64_t)u->back;

    if (number < SHARD_BUFFERS) return;
    rt_trace_begin(s->options.trace, RT_PHASE_REDUCE, "buffer", u->unit);
    comm_window_await(s->window, SHARD_SUMMED, number + 1 - SHARD_BUFFERS);
    rt_trace_end(s->options.trace);
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
    RT_TRY(begin_due(s, s->use));
    RT_TRY(reduce_due(s, 0, u->back));
    rt_trace_begin(s->options.trace, RT_PHASE_GATHER, "wait", unit);
    rt_status st = u->fill >= 0 ? wait_for_fill(s, u->fill) : RT_OK;
    rt_trace_end(s->options.trace);
    if (st != RT_OK) return st;
    if (backward) wait_for_buffer(s, u);
    RT_TRY(begin_possible(s));
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
        comm_window_signal(s->window, SHARD_READY, s->backs_before + (uint64_t)u->back + 1);
    }
    RT_TRY(begin_possible(s));
    return backward ? reduce_due(s, u->back, u->back + 1) : RT_OK;
}

rt_status shard_end(struct shard *s)
{
    if (s->order == NULL || s->lent || s->use < s->order->uses_count)
        return RT_FAIL(RT_EINVAL, "the pass ends after %d of %d acquisitions",
                       s->order == NULL ? 0 : s->use, s->order == NULL ? 0 : s->order->uses_count);
    RT_TRY(reduce_due(s, s->order->backs_count, 0));
    s->uses_before += (uint64_t)s->order->uses_count;
    s->fills_before += (uint64_t)s->order->fills_count;
    s->backs_before += (uint64_t)s->order->backs_count;
    s->order = NULL;
    return RT_OK;
}
