/* bench/simulate/rounds.c - the messages of a collective, round by round, out of all schedules */
#include <stdlib.h>

#include "bench/simulate/flows.h"

/* What one rank sends in one round. */
struct sent {
    int round, from, to;
    double bytes;
};

struct sent_list {
    struct sent *items; /* owned */
    size_t count, capacity;
};

static rt_status append(struct sent_list *l, struct sent one)
{
    if (l->count == SIMULATE_MOST_MESSAGES)
        return RT_FAIL(RT_EINVAL,
                       "more than %d messages: simulate fewer ranks or another algorithm",
                       SIMULATE_MOST_MESSAGES);
    if (l->count == l->capacity) {
        const size_t more = l->capacity == 0 ? 1024 : 2 * l->capacity;
        struct sent *bigger = realloc(l->items, more * sizeof *bigger);
        if (bigger == NULL) return RT_FAIL(RT_ENOMEM, "a list of %zu messages", more);
        l->items = bigger;
        l->capacity = more;
    }
    l->items[l->count++] = one;
    return RT_OK;
}

static double block_bytes(const struct simulate_collective *c, comm_space space)
{
    const rt_dtype type = space == COMM_SPACE_WIRE   ? c->wire
                          : space == COMM_SPACE_UNIT ? c->unit
                                                     : RT_F32;
    return (double)c->slice * (double)rt_dtype_bytes(type);
}

static rt_status list_rank(const struct simulate_collective *c, const struct comm_layout *l,
                           struct sent_list *list)
{
    struct comm_schedule s = {0};
    rt_status st = RT_OK;

    c->algorithm->build(&s, c->op, l, c->wire);
    RT_TRY_OUT(comm_schedule_check(&s));
    for (size_t r = 0; r < s.rounds_count; r++) {
        for (size_t i = s.rounds[r]; i < comm_schedule_round_end(&s, r); i++) {
            const struct comm_step *step = &s.steps[i];
            if (step->kind != COMM_STEP_SEND) continue;
            RT_TRY_OUT(append(list, (struct sent){.round = (int)r,
                                                  .from = l->rank,
                                                  .to = step->peer,
                                                  .bytes = (double)step->count *
                                                           block_bytes(c, step->at.space)}));
        }
    }
out:
    comm_schedule_clear(&s);
    return st;
}

static rt_status list_all(const struct simulate_fabric *f, const struct simulate_collective *c,
                          struct sent_list *list)
{
    const int nodes = f->ranks / f->per_node;
    int *first = calloc((size_t)nodes + 1, sizeof *first);
    rt_status st = RT_OK;

    if (first == NULL) return RT_FAIL(RT_ENOMEM, "a table of %d nodes", nodes);
    for (int n = 0; n <= nodes; n++) first[n] = n * f->per_node;
    for (int r = 0; r < f->ranks; r++) {
        const struct comm_layout l = {
            .size = f->ranks, .rank = r, .nodes = nodes, .first = first, .window = false};
        RT_TRY_OUT(list_rank(c, &l, list));
    }
out:
    free(first);
    return st;
}

static int by_round(const void *a, const void *b)
{
    const struct sent *x = a, *y = b;

    if (x->round != y->round) return x->round < y->round ? -1 : 1;
    if (x->from != y->from) return x->from < y->from ? -1 : 1;
    return (x->to > y->to) - (x->to < y->to);
}

static bool same(const struct simulate_message *a, size_t a_count, const struct simulate_message *b,
                 size_t b_count)
{
    if (a_count != b_count) return false;
    for (size_t i = 0; i < a_count; i++)
        if (a[i].from != b[i].from || a[i].to != b[i].to || a[i].bytes != b[i].bytes) return false;
    return true;
}

/* Rounds in order; one that repeats the round before it takes as long. */
static rt_status add_up(const struct simulate_fabric *f, const struct sent_list *list,
                        double *seconds)
{
    struct simulate_message *now = calloc(list->count + 1, sizeof *now);
    struct simulate_message *before = calloc(list->count + 1, sizeof *before), *kept;
    size_t now_count = 0, before_count = 0;
    double round_s = 0, sum = 0;
    rt_status st = now == NULL || before == NULL
                       ? RT_FAIL(RT_ENOMEM, "a round of %zu messages", list->count)
                       : RT_OK;

    if (st != RT_OK) goto out;
    for (size_t i = 0; i < list->count; i++) {
        const struct sent *m = &list->items[i];
        now[now_count++] = (struct simulate_message){m->from, m->to, m->bytes};
        if (i + 1 < list->count && list->items[i + 1].round == m->round) continue;
        if (!same(now, now_count, before, before_count))
            RT_TRY_OUT(simulate_messages_s(f, now, now_count, &round_s));
        sum += round_s;
        kept = before;
        before = now;
        before_count = now_count;
        now = kept;
        now_count = 0;
    }
    *seconds = sum;
out:
    free(now);
    free(before);
    return st;
}

rt_status simulate_collective_s(const struct simulate_fabric *f,
                                const struct simulate_collective *c, double *seconds)
{
    struct sent_list list = {0};
    rt_status st = RT_OK;

    RT_TRY_OUT(list_all(f, c, &list));
    if (list.count > 0) qsort(list.items, list.count, sizeof *list.items, by_round);
    RT_TRY_OUT(add_up(f, &list, seconds));
out:
    free(list.items);
    return st;
}
