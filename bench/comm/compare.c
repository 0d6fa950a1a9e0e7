/* bench/comm/compare.c - ours beside the best of MPI's, and beside what a node's memory allows
 *
 * Ratio    MPI's median / ours; its interval is the widest that the two allow: low of one over high
 *          of the other
 */
#include <stdio.h>
#include <string.h>

#include "bench/comm/report.h"

static bool better(const struct bench_cell *c, const struct bench_cell *best)
{
    return best == NULL || c->side[0].time.median < best->side[0].time.median;
}

const struct bench_cell *bench_best_ours(const struct bench_run *r, bench_op op, size_t bytes)
{
    const struct bench_cell *best = NULL;

    for (size_t i = 0; i < r->cells_count; i++) {
        const struct bench_cell *c = &r->cells[i];
        if (c->op != op || c->bytes != bytes || !c->ours || c->side[0].count == 0) continue;
        if (strcmp(c->algorithm, "auto") == 0) return c;
        if (better(c, best)) best = c;
    }
    return best;
}

const struct bench_cell *bench_best_mpi(const struct bench_run *r, bench_op op, size_t bytes)
{
    const struct bench_cell *best = NULL;

    for (size_t i = 0; i < r->cells_count; i++) {
        const struct bench_cell *c = &r->cells[i];
        if (c->op != op || c->bytes != bytes || c->ours || c->bound || c->side[0].count == 0)
            continue;
        if (better(c, best)) best = c;
    }
    return best;
}

static const struct bench_cell *named(const struct bench_run *r, bench_op op, size_t bytes,
                                      const char *name)
{
    for (size_t i = 0; i < r->cells_count; i++) {
        const struct bench_cell *c = &r->cells[i];
        if (c->op == op && c->bytes == bytes && strcmp(c->algorithm, name) == 0 &&
            c->side[0].count > 0)
            return c;
    }
    return NULL;
}

static void print_ratio(const struct bench_cell *ours, const struct bench_cell *mpi)
{
    const struct bench_summary *a = &ours->side[0].time, *b = &mpi->side[0].time;

    printf("%7.2fx", b->median / a->median);
    if (a->interval && b->interval)
        printf(" [%.2f, %.2f]%s", b->low / a->high, b->high / a->low,
               a->low <= b->high && b->low <= a->high ? " intervals overlap" : "");
    printf(" of %s (%.1f us)", mpi->algorithm, 1e6 * b->median);
}

static void print_against_mpi(const struct bench_run *r, const struct bench_cell *ours)
{
    const struct bench_cell *best = bench_best_mpi(r, ours->op, ours->bytes);
    const struct bench_cell *choice = named(r, ours->op, ours->bytes, "mpi");
    char title[104];

    if (best == NULL) return;
    bench_cell_title(ours, title, sizeof title);
    printf("%-15s %12zu  %-24s %10.1f us: ", bench_op_name(ours->op), ours->bytes, title,
           1e6 * ours->side[0].time.median);
    print_ratio(ours, best);
    if (choice != NULL && choice != best) {
        printf(";");
        print_ratio(ours, choice);
    }
    printf("\n");
}

/* Bytes that a rank reads and writes, at least: bound.c. */
static void print_against_bound(const struct bench_run *r, const struct bench_cell *ours)
{
    const struct bench_cell *bound = named(r, ours->op, ours->bytes, "bound");
    const size_t bytes = rt_dtype_bytes(ours->type), n = ours->slice;
    const bool gather = ours->op == BENCH_GATHER;

    if (bound == NULL) return;
    const size_t reads = gather ? n * sizeof(float) : n * bytes * (size_t)r->layout.size;
    const size_t writes = gather ? n * bytes : n * sizeof(float);
    const double s = bound->side[0].time.median;
    printf("%-15s %12zu  a rank reads %zu and writes %zu bytes: bound %.1f us (%.2f GB/s, all "
           "ranks), reached %.1f %%\n",
           bench_op_name(ours->op), ours->bytes, reads, writes, 1e6 * s,
           1e-9 * (double)(reads + writes) * (double)r->layout.size / s,
           100 * s / ours->side[0].time.median);
}

/* Each operation and size once. */
static void each_ours(const struct bench_run *r,
                      void (*print)(const struct bench_run *, const struct bench_cell *))
{
    for (size_t i = 0; i < r->cells_count; i++) {
        const struct bench_cell *c = &r->cells[i];
        if (c->op > BENCH_ALLREDUCE || c->bound) continue;
        if (i > 0 && r->cells[i - 1].op == c->op && r->cells[i - 1].bytes == c->bytes) continue;
        const struct bench_cell *ours = bench_best_ours(r, c->op, c->bytes);
        if (ours != NULL) print(r, ours);
    }
}

void bench_print_comparison(const struct bench_run *r)
{
    bool bounds = false;

    for (size_t i = 0; i < r->cells_count; i++) bounds = bounds || r->cells[i].bound;
    if (r->o->baseline) {
        printf("\n# ours against the best of MPI's algorithms%s, and against its own choice\n",
               r->forceable ? "" : " (not forceable here)");
        each_ours(r, print_against_mpi);
    }
    if (bounds) {
        printf(
            "\n# ours against this node's memory: the same bytes copied and read by all ranks\n");
        each_ours(r, print_against_bound);
    }
}
