/* bench/comm/slow.c - rank by rank, pair by pair: who is slow
 *
 * Suspect is a bandwidth more than 3 MADs and more than 10 % below the median of its kind.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/comm/report.h"

enum { SLOWEST = 5, PAIRS_SHOWN = 10 };

/* One row for each operation: ours at the largest size. */
static const struct bench_cell *representative(const struct bench_run *r, bench_op op)
{
    size_t largest = 0;

    for (size_t i = 0; i < r->cells_count; i++) {
        const struct bench_cell *c = &r->cells[i];
        if (c->op == op && c->ours && c->side[0].count > 0 && c->bytes > largest)
            largest = c->bytes;
    }
    return largest == 0 ? NULL : bench_best_ours(r, op, largest);
}

/* Times of this rank, sorted by the summary's way, to p50 and p95. */
static struct bench_rank_times times_of(const struct bench_side *s, double *scratch)
{
    memcpy(scratch, s->mine, (size_t)s->count * sizeof *scratch);
    const double p50 = bench_median(scratch, s->count);
    return (struct bench_rank_times){p50, bench_percentile(scratch, s->count, 0.95)};
}

static rt_status collect_ranks(struct bench_run *r, const struct bench_cell *c,
                               struct bench_ranks *out)
{
    const size_t ranks = (size_t)comm_size(r->world);
    double *scratch = calloc((size_t)c->side[0].count + 2 * ranks, sizeof *scratch);
    struct bench_rank_times mine;
    rt_status st = RT_OK;

    out->cell = c;
    out->times = calloc(ranks, sizeof *out->times);
    out->slow = calloc(ranks, sizeof *out->slow);
    if (scratch == NULL || out->times == NULL || out->slow == NULL)
        st = RT_FAIL(RT_ENOMEM, "no memory for the times of %zu ranks", ranks);
    RT_TRY_OUT(comm_agree(r->world, st));
    mine = times_of(&c->side[0], scratch);
    RT_TRY_OUT(comm_allgather(r->world, &mine, out->times, sizeof mine));
    for (size_t i = 0; i < ranks; i++) scratch[i] = 1 / out->times[i].p50_s;
    out->median_s = 1 / bench_outliers(scratch, (int)ranks, out->slow, scratch + ranks);
out:
    free(scratch);
    return st;
}

/* Median bandwidth of this rank with each other; NaN with itself. */
static void own_pairs(const struct bench_run *r, const struct bench_cell *c, double *out,
                      double *scratch)
{
    const int P = r->layout.size, count = c->side[0].count;

    for (int other = 0; other < P; other++) {
        for (int k = 0; k < count; k++) scratch[k] = c->pair_s[k * P + other];
        out[other] =
            other == r->layout.rank ? NAN : 1e-9 * (double)c->bytes / bench_median(scratch, count);
    }
}

static rt_status take_pairs(struct bench_run *r, struct bench_pairs *p)
{
    const size_t P = (size_t)r->layout.size, N = (size_t)r->layout.nodes;

    p->ranks = r->layout.size;
    p->nodes = r->layout.nodes;
    p->gbyte_per_s = calloc(P * P, sizeof *p->gbyte_per_s);
    p->slow = calloc(P * P, sizeof *p->slow);
    p->node = calloc(N, sizeof *p->node);
    p->slow_node = calloc(N, sizeof *p->slow_node);
    if (p->gbyte_per_s == NULL || p->slow == NULL || p->node == NULL || p->slow_node == NULL)
        return RT_FAIL(RT_ENOMEM, "no memory for the pairs of %zu ranks", P);
    return RT_OK;
}

/* Pairs of one node by the window's memory, and those between nodes, are of two kinds: each has
 * its own median. scratch (2 ranks^2) */
static void judge_pairs(const struct bench_run *r, struct bench_pairs *p, double *scratch)
{
    const int P = p->ranks;
    bool *suspect = calloc((size_t)P * (size_t)P, sizeof *suspect);
    double *one_kind = scratch, *rest = scratch + (size_t)P * (size_t)P;

    for (int between = 0; suspect != NULL && between < 2; between++) {
        for (int i = 0; i < P * P; i++) {
            const bool crosses =
                comm_layout_node(&r->layout, i / P) != comm_layout_node(&r->layout, i % P);
            one_kind[i] = crosses == (between == 1) ? p->gbyte_per_s[i] : NAN;
        }
        const double median = bench_outliers(one_kind, P * P, suspect, rest);
        if (!isnan(median)) p->median = median;
        for (int i = 0; i < P * P; i++) p->slow[i] = p->slow[i] || suspect[i];
    }
    free(suspect);
}

static void judge_nodes(const struct bench_run *r, struct bench_pairs *p, double *scratch)
{
    const int P = p->ranks;

    for (int n = 0; n < p->nodes; n++) {
        int count = 0;
        for (int i = 0; i < P * P; i++) {
            const int a = comm_layout_node(&r->layout, i / P);
            const int b = comm_layout_node(&r->layout, i % P);
            if (a != b && (a == n || b == n) && !isnan(p->gbyte_per_s[i]))
                scratch[count++] = p->gbyte_per_s[i];
        }
        p->node[n] = count == 0 ? NAN : bench_median(scratch, count);
    }
    (void)bench_outliers(p->node, p->nodes, p->slow_node, scratch);
}

static rt_status collect_pairs(struct bench_run *r, const struct bench_cell *c,
                               struct bench_pairs *p)
{
    const size_t P = (size_t)r->layout.size;
    double *scratch = calloc((size_t)c->side[0].count + 2 * P * P + P, sizeof *scratch);
    rt_status st = take_pairs(r, p);

    if (st == RT_OK && scratch == NULL) st = RT_FAIL(RT_ENOMEM, "no memory to sort %zu pairs", P);
    RT_TRY_OUT(comm_agree(r->world, st));
    own_pairs(r, c, scratch, scratch + P);
    RT_TRY_OUT(comm_allgather(r->group, scratch, p->gbyte_per_s, P * sizeof *scratch));
    judge_pairs(r, p, scratch);
    judge_nodes(r, p, scratch);
    p->cell = c;
out:
    free(scratch);
    return st;
}

rt_status bench_report_collect(struct bench_run *r, struct bench_report *p)
{
    p->ranks = calloc(BENCH_OPS, sizeof *p->ranks);
    RT_TRY(comm_agree(r->world, p->ranks == NULL
                                    ? RT_FAIL(RT_ENOMEM, "no memory for the report of ranks")
                                    : RT_OK));
    for (int op = 0; op < BENCH_OPS; op++) {
        const struct bench_cell *c = representative(r, (bench_op)op);
        if (c == NULL) continue;
        RT_TRY(collect_ranks(r, c, &p->ranks[p->ranks_count++]));
        if (op == BENCH_PAIRS) RT_TRY(collect_pairs(r, c, &p->pairs));
    }
    return RT_OK;
}

void bench_report_clear(struct bench_report *p)
{
    for (int i = 0; i < p->ranks_count; i++) {
        free(p->ranks[i].times);
        free(p->ranks[i].slow);
    }
    free(p->ranks);
    free(p->pairs.gbyte_per_s);
    free(p->pairs.slow);
    free(p->pairs.node);
    free(p->pairs.slow_node);
    *p = (struct bench_report){0};
}

/* The next slowest rank after one of this time and number; -1: none. */
static int next_slowest(const struct bench_ranks *k, int ranks, double below_s, int after)
{
    int found = -1;

    for (int i = 0; i < ranks; i++) {
        const double s = k->times[i].p50_s;
        if (s > below_s || (s == below_s && i <= after)) continue;
        if (found < 0 || s > k->times[found].p50_s) found = i;
    }
    return found;
}

static void print_ranks(const struct bench_run *r, const struct bench_ranks *k)
{
    const int ranks = comm_size(r->world);
    char title[104];
    double s = INFINITY;
    int rank = -1;

    bench_cell_title(k->cell, title, sizeof title);
    printf("%-15s %12zu  %s: median of ranks %.1f us; slowest", bench_op_name(k->cell->op),
           k->cell->bytes, title, 1e6 * k->median_s);
    for (int i = 0; i < SLOWEST && (rank = next_slowest(k, ranks, s, rank)) >= 0; i++) {
        s = k->times[rank].p50_s;
        printf("%s %d on %s %.1f (p95 %.1f)%s", i > 0 ? "," : "", rank, r->host[rank].name, 1e6 * s,
               1e6 * k->times[rank].p95_s, k->slow[rank] ? " SLOW" : "");
    }
    printf("\n");
}

static void print_pairs(const struct bench_run *r, const struct bench_pairs *p)
{
    int shown = 0, all = 0;

    printf("\n# pairs of %zu bytes, both ways at once: median %.3f GB/s each way\n", p->cell->bytes,
           p->median);
    for (int n = 0; n < p->nodes; n++)
        if (p->slow_node[n])
            printf("slow node: %s, median of its pairs %.3f GB/s\n",
                   bench_host_of(r, r->layout.first[n])->name, p->node[n]);
    for (int i = 0; i < p->ranks * p->ranks; i++) {
        const int a = i / p->ranks, b = i % p->ranks;
        if (a > b || (!p->slow[i] && !p->slow[b * p->ranks + a])) continue;
        all++;
        if (shown++ < PAIRS_SHOWN)
            printf("slow pair: ranks %d (%s) and %d (%s), %.3f GB/s\n", a,
                   bench_host_of(r, a)->name, b, bench_host_of(r, b)->name, p->gbyte_per_s[i]);
    }
    if (all > PAIRS_SHOWN) printf("and %d slow pairs more (--json has all)\n", all - PAIRS_SHOWN);
    if (all == 0) printf("no pair is more than 3 MADs and 10 %% below the median\n");
}

void bench_print_slow(const struct bench_run *r, const struct bench_report *p)
{
    if (comm_size(r->world) > 1 && p->ranks_count > 0) {
        printf("\n# rank by rank, at the largest size (us)\n");
        for (int i = 0; i < p->ranks_count; i++) print_ranks(r, &p->ranks[i]);
    }
    if (p->pairs.cell != NULL) print_pairs(r, &p->pairs);
}
