/* comm/exchange_post.c - operations handed to the engine, and waited for */
#include "comm/engine.h"
#include "comm/exchange_impl.h"

static rt_status fits(const struct comm_exchange *x, comm_op op, size_t slice)
{
    const size_t most = comm_exchange_options_of(&x->options, op).slice_max;

    if (slice <= most) return RT_OK;
    return RT_FAIL(RT_EINVAL, "a slice of %zu elements, at most %zu were announced", slice, most);
}

/* The sizes that the ranks post for a unit are compared the first time that it is named. */
static bool first_time(struct comm_operation *p, int name)
{
    if (name < 0 || name >= COMM_NAMES || p->seen[name]) return false;
    p->seen[name] = 1;
    return true;
}

/* A free ticket of op, filled with what all operations need. */
static rt_status take(struct comm_exchange *x, comm_op op, size_t slice, int name,
                      struct comm_task **out, comm_ticket *ticket)
{
    struct comm_operation *p = &x->ops[op];

    if (p->algorithm == NULL)
        return RT_FAIL(RT_EINVAL, "%s is posted on an exchange made without it", comm_op_name(op));
    RT_TRY(fits(x, op, slice));
    for (int i = 0; i < p->tasks_count; i++) {
        struct comm_task *t = &p->tasks[i];
        if (atomic_load_explicit(&t->state, memory_order_acquire) != COMM_TASK_FREE) continue;
        if (t->stage == NULL && t->stage_bytes > 0)
            return RT_FAIL(RT_EINVAL, "a %s needs %zu bytes of staging a chunk and has none",
                           comm_op_name(op), t->stage_bytes);
        t->slice = slice;
        t->chunk = p->chunk < slice ? p->chunk : slice > 0 ? slice : 1;
        t->own = NULL;
        t->name = name;
        t->check = first_time(p, name);
        t->tag = (int)(x->posted++ % COMM_SEQUENCE) * COMM_SLOTS;
        t->spaces = (struct comm_spaces){.slice = slice,
                                         .wire_type = x->options.wire,
                                         .tree = x->options.exact,
                                         .fold = x->options.fold};
        t->start = t->done = (struct comm_flag){0};
        *out = t;
        *ticket = (int)op * COMM_TICKETS + i;
        return RT_OK;
    }
    return RT_FAIL(RT_EINVAL, "%d %ss are under way already, as many as were announced",
                   p->tasks_count, comm_op_name(op));
}

static void post(struct comm_exchange *x, struct comm_task *t)
{
    const rt_dtype type = t->op == COMM_GATHER ? t->spaces.unit_type : RT_F32;
    const size_t blocks = (size_t)x->ops[t->op].layout.size;

    t->record = comm_engine_enter(x->comm->engine, comm_op_name(t->op), t->name,
                                  t->slice * blocks * rt_dtype_bytes(type));
    comm_engine_post(x->comm->engine, t);
}

static void post_sums(struct comm_exchange *x, struct comm_task *t, const void *const *grads,
                      rt_dtype type, struct comm_flag start, struct comm_flag done)
{
    t->spaces.local = grads;
    t->spaces.local_type = type;
    t->start = start;
    t->done = done;
    post(x, t);
}

static bool is_for_node(const struct comm_operation *p)
{
    return p->algorithm != NULL && p->algorithm->for_node && p->layout.window &&
           p->layout.nodes > 1;
}

rt_status comm_gather_post(struct comm_exchange *x, const struct comm_gather *g, comm_ticket *out)
{
    struct comm_task *t = NULL;

    if (is_for_node(&x->ops[COMM_GATHER]) && g->done.window == NULL)
        return RT_FAIL(RT_EINVAL,
                       "a gather by %s needs a done flag: the ranks of a node tell each "
                       "other by it what is in place",
                       x->ops[COMM_GATHER].algorithm->name);
    RT_TRY(take(x, COMM_GATHER, g->slice, g->name, &t, out));
    t->spaces.unit = g->unit;
    t->spaces.unit_type = g->type;
    t->own = g->own;
    t->own_block = (size_t)x->ops[COMM_GATHER].layout.rank;
    t->start = g->start;
    t->done = g->done;
    post(x, t);
    return RT_OK;
}

rt_status comm_reduce_post(struct comm_exchange *x, const struct comm_reduction *r,
                           comm_ticket *out)
{
    struct comm_task *t = NULL;

    RT_TRY(take(x, COMM_REDUCE, r->slice, r->name, &t, out));
    t->spaces.own = r->own;
    t->spaces.add = r->add;
    post_sums(x, t, r->grads, r->type, r->start, r->done);
    return RT_OK;
}

rt_status comm_allreduce_post(struct comm_exchange *x, const struct comm_allreduction *r,
                              comm_ticket *out)
{
    struct comm_task *t = NULL;

    RT_TRY(take(x, COMM_ALLREDUCE, r->slice, r->name, &t, out));
    t->spaces.unit = r->unit;
    t->spaces.unit_type = RT_F32;
    post_sums(x, t, r->grads, r->type, r->start, r->done);
    return RT_OK;
}

rt_status comm_allreduce_own_post(struct comm_exchange *x, float *own, size_t block,
                                  struct comm_flag start, int name, comm_ticket *out)
{
    struct comm_task *t = NULL;

    RT_TRY(take(x, COMM_ALLREDUCE_OWN, block, name, &t, out));
    t->spaces.own = own;
    t->start = start;
    post(x, t);
    return RT_OK;
}

static struct comm_task *task_of(struct comm_exchange *x, comm_ticket ticket)
{
    const int op = ticket / COMM_TICKETS, i = ticket % COMM_TICKETS;

    if (ticket < 0 || op >= COMM_OPS || i >= x->ops[op].tasks_count) return NULL;
    return &x->ops[op].tasks[i];
}

rt_status comm_exchange_wait(struct comm_exchange *x, comm_ticket ticket)
{
    struct comm_task *t = task_of(x, ticket);

    if (t == NULL || atomic_load_explicit(&t->state, memory_order_relaxed) == COMM_TASK_FREE)
        return RT_FAIL(RT_EINVAL, "ticket %d is waited for, but nothing was posted under it",
                       ticket);
    if (atomic_load_explicit(&t->state, memory_order_acquire) != COMM_TASK_DONE) {
        struct comm_records *records = comm_engine_records(x->comm->engine);
        comm_records_wait(records, t->record, true);
        comm_engine_wait(x->comm->engine, t);
        comm_records_wait(records, t->record, false);
    }
    const rt_status st = t->status;
    x->ops[t->op].seconds += t->seconds;
    atomic_store_explicit(&t->state, COMM_TASK_FREE, memory_order_relaxed);
    return st;
}

double comm_exchange_take_seconds(struct comm_exchange *x, comm_op op)
{
    const double seconds = x->ops[op].seconds;

    x->ops[op].seconds = 0;
    return seconds;
}

bool comm_exchange_finished(struct comm_exchange *x, comm_ticket ticket)
{
    const struct comm_task *t = task_of(x, ticket);

    comm_engine_poll(x->comm->engine);
    return t == NULL || atomic_load_explicit(&t->state, memory_order_acquire) == COMM_TASK_DONE;
}
