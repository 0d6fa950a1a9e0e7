/* comm/exchange.c - gather and reduce of one unit: chooses the schedules, lends them memory */
#include "comm/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "comm/engine.h"
#include "comm/schedule.h"

enum { TAG_REDUCE = COMM_TICKETS }; /* tickets are the tags of gathers */

struct comm_exchange {
    struct comm *comm; /* our own copy of the world: nobody else's messages meet ours */
    const struct comm_algorithm *algorithm;
    struct comm_schedule gather, reduce;
    struct comm_run tickets[COMM_TICKETS], reducing;
    struct comm_exchange_options options;
};

static struct comm_layout layout_of(const struct comm_nodes *nodes)
{
    return (struct comm_layout){.size = nodes->first[nodes->nodes],
                                .rank = nodes->first[nodes->node] + nodes->local_rank,
                                .nodes = nodes->nodes,
                                .first = nodes->first};
}

/* NULL: not known. "auto" takes the ring where many nodes would fetch from one at once. */
static const struct comm_algorithm *choose(const struct comm_layout *l, const char *name,
                                           rt_dtype wire)
{
    if (strcmp(name, "auto") == 0)
        name = l->nodes >= 3 && comm_layout_even(l) && wire == RT_F32 ? "ring" : "direct";
    for (const struct comm_algorithm *a = comm_algorithms; a->name != NULL; a++)
        if (strcmp(a->name, name) == 0) return a;
    return NULL;
}

static rt_status refuse(const struct comm_algorithm *a, const struct comm_layout *l,
                        const struct comm_exchange_options *o)
{
    if (a == NULL)
        return RT_FAIL(RT_EINVAL, "the algorithm '%s' is not known: auto, direct or ring",
                       o->algorithm);
    if (a->even_only && !comm_layout_even(l))
        return RT_FAIL(RT_EINVAL,
                       "the algorithm '%s' needs as many ranks on every node, here %d ranks on %d "
                       "nodes are not: take direct",
                       a->name, l->size, l->nodes);
    if (a->fp32_only && o->wire != RT_F32)
        return RT_FAIL(RT_EINVAL,
                       "the algorithm '%s' adds on the way and would round every time in %s: take "
                       "direct, or wire fp32",
                       a->name, rt_dtype_name(o->wire));
    return RT_OK;
}

static size_t staging(const struct comm_schedule *s, const struct comm_exchange_options *o)
{
    return o->slice_max *
           (s->stage_blocks * sizeof(float) + s->wire_blocks * rt_dtype_bytes(o->wire));
}

size_t comm_exchange_staging_bytes(const struct comm_nodes *nodes,
                                   const struct comm_exchange_options *o)
{
    const struct comm_layout l = layout_of(nodes);
    const struct comm_algorithm *a = choose(&l, o->algorithm, o->wire);
    struct comm_schedule s = {0};
    size_t bytes = 0;

    if (a == NULL || (a->even_only && !comm_layout_even(&l))) return 0;
    a->reduce(&s, &l, o->wire);
    bytes = s.broken ? 0 : staging(&s, o);
    comm_schedule_clear(&s);
    return bytes;
}

/* What can fail on one rank alone. */
static rt_status prepare(struct comm_exchange *x, const struct comm_layout *l,
                         const struct comm_exchange_options *o)
{
    const size_t block_bytes = o->slice_max * sizeof(float);

    x->algorithm = choose(l, o->algorithm, o->wire);
    RT_TRY(refuse(x->algorithm, l, o));
    x->options = *o;
    x->options.algorithm = x->algorithm->name;
    x->algorithm->gather(&x->gather, l);
    x->algorithm->reduce(&x->reduce, l, o->wire);
    RT_TRY(comm_schedule_check(&x->gather));
    RT_TRY(comm_schedule_check(&x->reduce));
    for (int t = 0; t < COMM_TICKETS; t++)
        RT_TRY(comm_run_init(&x->tickets[t], x->comm, &x->gather, o->vector, t, block_bytes));
    return comm_run_init(&x->reducing, x->comm, &x->reduce, o->vector, TAG_REDUCE, block_bytes);
}

rt_status comm_exchange_create(const struct comm_nodes *nodes,
                               const struct comm_exchange_options *o, struct comm_exchange **out)
{
    const struct comm_layout l = layout_of(nodes);
    struct comm_exchange *x = calloc(1, sizeof *x);
    rt_status st = x == NULL ? RT_FAIL(RT_ENOMEM, "an exchange") : RT_OK;

    *out = NULL;
    RT_TRY_OUT(comm_agree(nodes->world, st));
    RT_TRY_OUT(comm_split(nodes->world, 0, l.rank, &x->comm));
    st = prepare(x, &l, o);
    RT_TRY_OUT(comm_agree(nodes->world, st));
    *out = x;
    x = NULL; /* the caller's now */
out:
    comm_exchange_destroy(&x);
    return st;
}

void comm_exchange_destroy(struct comm_exchange **x)
{
    if (*x == NULL) return;
    for (int t = 0; t < COMM_TICKETS; t++) comm_run_clear(&(*x)->tickets[t]);
    comm_run_clear(&(*x)->reducing);
    comm_schedule_clear(&(*x)->gather);
    comm_schedule_clear(&(*x)->reduce);
    comm_destroy(&(*x)->comm);
    free(*x);
    *x = NULL;
}

const char *comm_exchange_algorithm(const struct comm_exchange *x) { return x->algorithm->name; }

static rt_status fits(const struct comm_exchange *x, size_t slice)
{
    if (slice <= x->options.slice_max) return RT_OK;
    return RT_FAIL(RT_EINVAL, "a slice of %zu elements, at most %zu were announced", slice,
                   x->options.slice_max);
}

rt_status comm_gather_begin(struct comm_exchange *x, int ticket, void *unit, size_t slice,
                            rt_dtype type)
{
    const struct comm_spaces spaces = {.unit = unit, .block = slice, .unit_type = type};

    if (ticket < 0 || ticket >= COMM_TICKETS)
        return RT_FAIL(RT_EINVAL, "ticket %d, must be 0..%d", ticket, COMM_TICKETS - 1);
    RT_TRY(fits(x, slice));
    return comm_run_begin(&x->tickets[ticket], &spaces);
}

rt_status comm_gather_end(struct comm_exchange *x, int ticket)
{
    if (ticket < 0 || ticket >= COMM_TICKETS)
        return RT_FAIL(RT_EINVAL, "ticket %d, must be 0..%d", ticket, COMM_TICKETS - 1);
    return comm_run_end(&x->tickets[ticket]);
}

rt_status comm_reduce(struct comm_exchange *x, const float *const *grads, float *own, size_t slice,
                      bool add)
{
    float *stage = x->options.staging;
    const struct comm_spaces spaces = {
        .local = grads,
        .own = own,
        .stage = stage,
        .wire = stage == NULL ? NULL : stage + x->reduce.stage_blocks * slice,
        .block = slice,
        .wire_type = x->options.wire,
        .add = add,
    };

    RT_TRY(fits(x, slice));
    if (stage == NULL && staging(&x->reduce, &x->options) > 0)
        return RT_FAIL(RT_EINVAL, "a reduce needs %zu bytes of staging and has none",
                       staging(&x->reduce, &x->options));
    RT_TRY(comm_run_begin(&x->reducing, &spaces));
    return comm_run_end(&x->reducing);
}
