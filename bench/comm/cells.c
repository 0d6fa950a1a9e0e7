/* bench/comm/cells.c - the rows that were asked for, and the room for their times */
#include <stdlib.h>
#include <string.h>

#include "bench/comm/run.h"

size_t bench_slice(const struct bench_run *r, size_t bytes)
{
    const size_t each = (size_t)comm_size(r->group) * rt_dtype_bytes(r->o->type);
    return bytes <= each ? 1 : (bytes - 1) / each + 1;
}

bool bench_algorithm_asked(const struct bench_run *r, const char *name)
{
    const char *at = r->o->algorithms;
    const size_t length = strlen(name);

    if (strcmp(at, "all") == 0) return true;
    while (at != NULL) {
        if (*at == ',') at++;
        if (strncmp(at, name, length) == 0 && (at[length] == '\0' || at[length] == ','))
            return true;
        at = strchr(at, ',');
    }
    return false;
}

static void clear_cell(struct bench_cell *c)
{
    for (int s = 0; s < BENCH_SIDES; s++) {
        free(c->side[s].mine);
        free(c->side[s].slowest);
    }
    free(c->pair_s);
    *c = (struct bench_cell){0};
}

rt_status bench_cell_add(struct bench_run *r, const struct bench_cell *like,
                         struct bench_cell **out)
{
    const size_t n = (size_t)r->o->repetitions;
    bool room = true;

    if (r->cells_count == r->cells_capacity) {
        const size_t capacity = 2 * r->cells_capacity + 16;
        struct bench_cell *more = realloc(r->cells, capacity * sizeof *more);
        if (more == NULL) return RT_FAIL(RT_ENOMEM, "no memory for %zu rows", capacity);
        r->cells = more;
        r->cells_capacity = capacity;
    }
    struct bench_cell *c = &r->cells[r->cells_count];
    *c = *like;
    for (int s = 0; s < c->sides; s++) {
        c->side[s].mine = calloc(n, sizeof(double));
        c->side[s].slowest = calloc(n, sizeof(double));
        room = room && c->side[s].mine != NULL && c->side[s].slowest != NULL;
    }
    if (c->op == BENCH_PAIRS) {
        c->pair_s = calloc(n * (size_t)comm_size(r->group), sizeof(double));
        room = room && c->pair_s != NULL;
    }
    if (!room) {
        clear_cell(c);
        return RT_FAIL(RT_ENOMEM, "no memory for the times of %zu repetitions", n);
    }
    r->cells_count++;
    *out = c;
    return RT_OK;
}

/* Rows of one operation together, small sizes first; else as they were added. */
static int by_op_and_size(const void *a, const void *b)
{
    const struct bench_cell *x = a, *y = b;

    if (x->op != y->op) return x->op < y->op ? -1 : 1;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1;
    if (x->bound != y->bound) return x->bound ? 1 : -1;
    if (x->ours != y->ours) return x->ours ? -1 : 1;
    if (strcmp(x->algorithm, "auto") == 0 || strcmp(y->algorithm, "auto") == 0)
        return strcmp(x->algorithm, "auto") == 0 ? -1 : 1;
    if (x->index != y->index) return x->index < y->index ? -1 : 1;
    return strcmp(x->algorithm, y->algorithm);
}

rt_status bench_cells_create(struct bench_run *r)
{
    RT_TRY(bench_ours_add(r));
    RT_TRY(bench_mpi_add(r));
    RT_TRY(bench_bound_add(r));
    RT_TRY(bench_links_add(r));
    RT_TRY(bench_overlap_add(r));
    RT_TRY(bench_scalars_add(r));
    if (r->cells_count > 0) qsort(r->cells, r->cells_count, sizeof *r->cells, by_op_and_size);
    return RT_OK;
}

void bench_cells_destroy(struct bench_run *r)
{
    for (size_t i = 0; i < r->cells_count; i++) clear_cell(&r->cells[i]);
    for (int i = 0; i < r->exchanges_count; i++) comm_exchange_destroy(&r->exchanges[i].x);
    for (int i = 0; i < r->baselines_count; i++) comm_baseline_destroy(&r->baselines[i].b);
    free(r->cells);
    free(r->exchanges);
    free(r->baselines);
    r->cells = NULL;
    r->exchanges = NULL;
    r->baselines = NULL;
    r->cells_count = r->cells_capacity = 0;
    r->exchanges_count = r->baselines_count = 0;
}
