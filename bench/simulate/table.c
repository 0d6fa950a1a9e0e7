/* bench/simulate/table.c - the cells of the table: a step composed for every combination */
#include "bench/simulate/table.h"

#include <stdlib.h>
#include <string.h>

#include "comm/schedule/schedule.h"

/* One column of the loop over models, fabrics and ranks. */
struct place {
    const struct simulate_wish *wish;
    const struct simulate_rows *rows;
    const struct simulate_units *units;
    int model, fabric, ranks;
};

static bool fit(const struct place *p, const char *op, const char *algorithm,
                struct simulate_fit *out)
{
    return simulate_rows_fit(p->rows, p->wish->fabrics[p->fabric].name, p->ranks, op, algorithm,
                             p->wish->wire, out);
}

static rt_status append(struct simulate_table *t, const struct simulate_cell *cell)
{
    struct simulate_cell *more = realloc(t->cells, (t->count + 1) * sizeof *more);

    if (more == NULL) return RT_FAIL(RT_ENOMEM, "a table of %zu cells", t->count + 1);
    t->cells = more;
    t->cells[t->count++] = *cell;
    return RT_OK;
}

static void set_name(char to[SIMULATE_NAME_BYTES], const char *from)
{
    snprintf(to, SIMULATE_NAME_BYTES, "%s", from);
}

/* A cell of these two algorithms; RT_EDATA where they were not simulated. */
static rt_status add_cell(const struct place *p, const char *set, const char *gather,
                          const char *reduce, struct simulate_table *t)
{
    struct simulate_cell c = {.ranks = p->ranks,
                              .tokens = p->units->tokens,
                              .grown = p->units->grown,
                              .fits = p->units->fits};
    struct simulate_fit g, r;

    set_name(c.model, p->wish->models[p->model].name);
    set_name(c.fabric, p->wish->fabrics[p->fabric].name);
    set_name(c.set, set);
    set_name(c.gather, gather);
    set_name(c.reduce, reduce);
    if (!fit(p, "gather", gather, &g) || !fit(p, "reduce", reduce, &r))
        return RT_FAIL(RT_EDATA,
                       "fabric %s, %d ranks: gather by %s and reduce by %s (wire %s) were not both "
                       "simulated at two sizes",
                       c.fabric, p->ranks, gather, reduce, p->wish->wire);
    RT_TRY(simulate_compose(&p->units->step, &g, &r, &c.result));
    return append(t, &c);
}

/* The fastest of ours for an operation on the largest unit. NULL: none. */
static const char *fastest(const struct place *p, const char *op, size_t elements)
{
    const char *best = NULL;
    double least = 0;
    struct simulate_fit f;

    for (const struct comm_algorithm *a = comm_algorithms; a->name != NULL; a++) {
        if (!fit(p, op, a->name, &f)) continue;
        const double s = simulate_fit_s(&f, elements);
        if (best != NULL && s >= least) continue;
        best = a->name;
        least = s;
    }
    return best;
}

static size_t largest_unit(const struct simulate_step *s)
{
    size_t most = 0;

    for (int u = 0; u < s->units_count; u++)
        if (s->units[u].elements > most) most = s->units[u].elements;
    return most;
}

static rt_status add_cells(const struct place *p, struct simulate_table *t)
{
    const size_t largest = largest_unit(&p->units->step);
    const char *gather, *reduce;
    struct simulate_fit g, r;

    RT_TRY(simulate_choose(p->wish, p->fabric, p->ranks, "gather", largest, p->rows, &gather));
    RT_TRY(simulate_choose(p->wish, p->fabric, p->ranks, "reduce", largest, p->rows, &reduce));
    RT_TRY(add_cell(p, SIMULATE_CHOSEN, gather, reduce, t));
    RT_TRY(add_cell(p, SIMULATE_BEST, fastest(p, "gather", largest), fastest(p, "reduce", largest),
                    t));
    for (const struct comm_algorithm *a = comm_algorithms; a->name != NULL; a++)
        if (fit(p, "gather", a->name, &g) && fit(p, "reduce", a->name, &r))
            RT_TRY(add_cell(p, a->name, a->name, a->name, t));
    return add_cell(p, SIMULATE_MPI, SIMULATE_MPI, SIMULATE_MPI, t);
}

static rt_status add_model(const struct simulate_wish *w, const struct simulate_rows *rows,
                           int model, struct simulate_table *t)
{
    struct runfile *r = NULL;
    struct simulate_units units = {0};
    rt_status st = RT_OK;

    RT_TRY_OUT(runfile_load(w->models[model].path, NULL, 0, &r));
    for (int k = 0; k < w->ranks_count; k++) {
        simulate_units_clear(&units);
        RT_TRY_OUT(simulate_units_create(r, w->ranks[k], &w->gpu, &units));
        for (int f = 0; f < w->fabrics_count; f++) {
            const struct place p = {w, rows, &units, model, f, w->ranks[k]};
            RT_TRY_OUT(add_cells(&p, t));
        }
    }
out:
    simulate_units_clear(&units);
    runfile_destroy(&r);
    return st;
}

rt_status simulate_table_create(const struct simulate_wish *w, const struct simulate_rows *rows,
                                struct simulate_table *out)
{
    struct simulate_table t = {0};
    rt_status st = RT_OK;

    *out = t;
    for (int m = 0; m < w->models_count; m++) RT_TRY_OUT(add_model(w, rows, m, &t));
    *out = t;
    t = (struct simulate_table){0}; /* the caller's now */
out:
    simulate_table_clear(&t);
    return st;
}

void simulate_table_clear(struct simulate_table *t)
{
    free(t->cells);
    *t = (struct simulate_table){0};
}

const struct simulate_cell *simulate_table_find(const struct simulate_table *t, const char *model,
                                                const char *fabric, int ranks, const char *set)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct simulate_cell *c = &t->cells[i];
        if (c->ranks == ranks && strcmp(c->model, model) == 0 && strcmp(c->fabric, fabric) == 0 &&
            strcmp(c->set, set) == 0)
            return c;
    }
    return NULL;
}
