/* bench/simulate/step.c - the static order of a step, replayed on a machine */
#include "bench/simulate/step.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shard/order.h"

enum { BUFFERS = 2, LINE_BYTES = 256, MOST_UNITS = 100000 }; /* BUFFERS: of unit gradients */

void simulate_step_write(const struct simulate_step *s, FILE *out)
{
    fprintf(out, "step %d %d\n", s->micro_steps, s->prefetch);
    for (int u = 0; u < s->units_count; u++)
        fprintf(out, "unit %zu %.9g %.9g\n", s->units[u].elements, s->units[u].forward_s,
                s->units[u].backward_s);
}

static rt_status read_unit(const char *path, int line, const char *text, struct simulate_step *s)
{
    struct simulate_unit u, *more;

    if (sscanf(text, "unit %zu %lf %lf", &u.elements, &u.forward_s, &u.backward_s) != 3 ||
        u.elements == 0 || !(u.forward_s >= 0) || !(u.backward_s >= 0))
        return RT_FAIL(RT_EDATA, "%s:%d: must be 'unit ELEMENTS FORWARD_S BACKWARD_S'", path, line);
    if (s->units_count == MOST_UNITS)
        return RT_FAIL(RT_EDATA, "%s:%d: more than %d units", path, line, MOST_UNITS);
    more = realloc(s->units, ((size_t)s->units_count + 1) * sizeof *more);
    if (more == NULL) return RT_FAIL(RT_ENOMEM, "%d units", s->units_count + 1);
    s->units = more;
    s->units[s->units_count++] = u;
    return RT_OK;
}

rt_status simulate_step_read(const char *path, struct simulate_step *out)
{
    FILE *in = fopen(path, "r");
    struct simulate_step s = {0};
    char text[LINE_BYTES];
    rt_status st = RT_OK;

    *out = s;
    if (in == NULL) return RT_FAIL(RT_EIO, "%s: %s", path, strerror(errno));
    if (fgets(text, sizeof text, in) == NULL ||
        sscanf(text, "step %d %d", &s.micro_steps, &s.prefetch) != 2 || s.micro_steps < 1 ||
        s.prefetch < 0) {
        st = RT_FAIL(RT_EDATA, "%s:1: must be 'step MICRO_STEPS PREFETCH'", path);
        goto out;
    }
    for (int line = 2; fgets(text, sizeof text, in) != NULL; line++)
        RT_TRY_OUT(read_unit(path, line, text, &s));
    if (s.units_count < 2) {
        st = RT_FAIL(RT_EDATA, "%s: %d units, must be 2 or more", path, s.units_count);
        goto out;
    }
    *out = s;
    s = (struct simulate_step){0}; /* the caller's now */
out:
    fclose(in);
    simulate_step_clear(&s);
    return st;
}

void simulate_step_clear(struct simulate_step *s)
{
    free(s->units);
    *s = (struct simulate_step){0};
}

double simulate_step_compute_s(const struct simulate_step *s)
{
    double sum = 0;

    for (int u = 0; u < s->units_count; u++) sum += s->units[u].forward_s + s->units[u].backward_s;
    return sum * s->micro_steps;
}

/* One pass under way. */
struct pass {
    const struct simulate_step *step;
    const struct simulate_machine *machine;
    const struct shard_order *order;
    int *filling, *reducing; /* tickets of fills, of backward uses */
    int filled;              /* fills begun */
};

/* Begin the fills that may begin once `released` uses are over. */
static rt_status fill(struct pass *p, int released)
{
    const struct shard_order *o = p->order;

    for (; p->filled < o->fills_count && o->fills[p->filled].from < released; p->filled++)
        RT_TRY(p->machine->gather(p->machine->context, o->fills[p->filled].unit,
                                  &p->filling[p->filled]));
    return RT_OK;
}

static rt_status use(struct pass *p, int index, int *arrived)
{
    const struct shard_use *u = &p->order->uses[index];
    const struct simulate_unit *unit = &p->step->units[u->unit];
    const struct simulate_machine *m = p->machine;
    const bool last = u->unit == p->step->units_count - 1;

    for (; *arrived <= u->fill; ++*arrived) RT_TRY(m->wait(m->context, p->filling[*arrived]));
    if (u->backward && u->back >= BUFFERS)
        RT_TRY(m->wait(m->context, p->reducing[u->back - BUFFERS]));
    /* The last unit is visited once: head forward, loss and backward. */
    RT_TRY(m->compute(m->context, !u->backward ? unit->forward_s
                                  : last       ? unit->forward_s + unit->backward_s
                                               : unit->backward_s));
    RT_TRY(fill(p, index + 1));
    return u->backward ? m->reduce(m->context, u->unit, &p->reducing[u->back]) : RT_OK;
}

static rt_status run_pass(struct pass *p)
{
    const struct shard_order *o = p->order;
    int arrived = 0;

    p->filled = 0;
    RT_TRY(fill(p, 0));
    for (int i = 0; i < o->uses_count; i++) RT_TRY(use(p, i, &arrived));
    for (int b = o->backs_count > BUFFERS ? o->backs_count - BUFFERS : 0; b < o->backs_count; b++)
        RT_TRY(p->machine->wait(p->machine->context, p->reducing[b]));
    return RT_OK;
}

rt_status simulate_step_run(const struct simulate_step *s, const struct simulate_machine *m)
{
    struct shard_order order = {0};
    struct pass p = {.step = s, .machine = m, .order = &order};
    rt_status st = RT_OK;

    RT_TRY_OUT(
        shard_order_create(SHARD_PASS_TRAIN, s->units_count, s->prefetch, false, false, &order));
    p.filling = calloc((size_t)order.fills_count + 1, sizeof *p.filling);
    p.reducing = calloc((size_t)order.backs_count + 1, sizeof *p.reducing);
    if (p.filling == NULL || p.reducing == NULL) {
        st = RT_FAIL(RT_ENOMEM, "the tickets of %d units", s->units_count);
        goto out;
    }
    for (int i = 0; i < s->micro_steps; i++) RT_TRY_OUT(run_pass(&p));
out:
    free(p.filling);
    free(p.reducing);
    shard_order_clear(&order);
    return st;
}
