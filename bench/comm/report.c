/* bench/comm/report.c - the table: nccl-tests' columns and definitions
 *
 * size     total bytes (of one message: ring, pairs, bisection); count: elements of that
 * algbw    size / time, GB/s (10^9); busbw: algbw times 2(P-1)/P (all-reduce), (P-1)/P (all-gather,
 *          reduce-scatter), 1 (messages)
 * time     median over repetitions of the slowest rank; +-%: half of its 95 % interval
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/comm/report.h"
#include "runtime/device.h"

void bench_cell_title(const struct bench_cell *c, char *out, size_t bytes)
{
    if (c->chosen[0] == '\0' || strcmp(c->chosen, c->algorithm) == 0)
        snprintf(out, bytes, "%s", c->algorithm);
    else
        snprintf(out, bytes, "%s (%s)", c->algorithm, c->chosen);
}

uint64_t bench_wrong_elements(const struct bench_run *r)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < r->cells_count; i++)
        for (int s = 0; s < r->cells[i].sides; s++) sum += r->cells[i].side[s].wrong;
    return sum;
}

static const char *sum_of(bench_op op)
{
    return op == BENCH_REDUCE || op == BENCH_ALLREDUCE ? "sum" : "none";
}

/* time(us) +-% algbw busbw #wrong */
static void print_side(const struct bench_run *r, const struct bench_cell *c, int side)
{
    const struct bench_side *s = &c->side[side];
    const struct bench_summary *t = &s->time;
    char spread[16] = "-", wrong[24] = "N/A";

    if (side >= c->sides || s->count == 0) {
        printf(" %11s %6s %8s %8s %6s", side >= c->sides ? "-" : "no time", "-", "-", "-", "-");
        return;
    }
    if (t->interval) snprintf(spread, sizeof spread, "%.1f", 50 * (t->high - t->low) / t->median);
    if (r->o->check && c->kind->check != NULL)
        snprintf(wrong, sizeof wrong, "%llu", (unsigned long long)s->wrong);
    printf(" %11.1f %6s %8.3f %8.3f %6s", 1e6 * t->median, spread, bench_algbw(c, t->median),
           bench_busbw(c, t->median), wrong);
}

static void print_row(const struct bench_run *r, const struct bench_cell *c)
{
    char title[104];

    bench_cell_title(c, title, sizeof title);
    printf("%12zu %12zu %5s %5s  %-26s", c->bytes, c->bytes / rt_dtype_bytes(c->type),
           rt_dtype_name(c->type), sum_of(c->op), title);
    print_side(r, c, BENCH_OUT_OF_PLACE);
    print_side(r, c, BENCH_IN_PLACE);
    if (c->expected_s > 0 && c->side[0].count > 0 && !c->bound)
        printf(" %6.1f%%", 100 * c->expected_s / c->side[0].time.median);
    else
        printf(" %7s", "-");
    printf("%s%s\n", c->label[0] != '\0' ? "  " : "", c->label);
}

static void print_columns(bench_op op)
{
    printf("\n# %s\n", bench_op_name(op));
    printf("#%11s %12s %5s %5s  %-26s %11s %6s %8s %8s %6s %11s %6s %8s %8s %6s %7s\n", "size",
           "count", "type", "redop", "algorithm", "out: time", "+-", "algbw", "busbw", "#wrong",
           "in: time", "+-", "algbw", "busbw", "#wrong", "of exp.");
    printf("#%11s %12s %5s %5s  %-26s %11s %6s %8s %8s %6s %11s %6s %8s %8s %6s %7s\n", "(B)",
           "(elements)", "", "", "", "(us)", "(%)", "(GB/s)", "(GB/s)", "", "(us)", "(%)", "(GB/s)",
           "(GB/s)", "", "");
}

static void print_overlap_columns(void)
{
    printf("\n# overlap: an all-gather behind a fixed amount of work; hidden = (alone + work - "
           "together) / min(alone, work)\n");
    printf("#%11s %12s %5s  %-26s %13s %13s %13s %20s %6s\n", "size", "count", "type", "algorithm",
           "together (us)", "alone (us)", "work (us)", "hidden", "#wrong");
}

static void print_overlap(const struct bench_cell *c)
{
    const struct bench_summary *h = &c->hidden;
    char title[104], share[48] = "-";

    bench_cell_title(c, title, sizeof title);
    if (h->interval)
        snprintf(share, sizeof share, "%.1f%% [%.1f, %.1f]", 100 * h->median, 100 * h->low,
                 100 * h->high);
    else if (h->count > 0)
        snprintf(share, sizeof share, "%.1f%%", 100 * h->median);
    printf("%12zu %12zu %5s  %-26s %13.1f %13.1f %13.1f %20s %6llu%s%s\n", c->bytes,
           c->bytes / rt_dtype_bytes(c->type), rt_dtype_name(c->type), title,
           1e6 * c->side[BENCH_TOGETHER].time.median, 1e6 * c->side[BENCH_ALONE].time.median,
           1e6 * c->side[BENCH_WORK].time.median, share,
           (unsigned long long)(c->side[BENCH_TOGETHER].wrong + c->side[BENCH_ALONE].wrong),
           c->label[0] != '\0' ? "  " : "", c->label);
}

static void print_head(const struct bench_run *r)
{
    struct rt_host_facts facts;

    printf("# recua-bench comm %s: %d ranks on %d node%s, %s", RECUA_VERSION, comm_size(r->world),
           r->groups > 1 ? r->layout.nodes : r->nodes->nodes, r->nodes->nodes > 1 ? "s" : "",
           r->o->flat ? "all by messages" : "a window in each node");
    if (r->groups > 1) printf(", %d lanes at once", r->groups);
    if (r->o->pretend > 0) printf(", nodes pretended");
    rt_host_facts(&facts);
    printf("\n# %s, %s; progress: %s; %d threads each on %d cores\n", comm_library(r->world),
           r->fabric,
           comm_threaded(r->world) ? "a communication thread a rank" : "polled by who waits",
           facts.threads, facts.cores);
    if (comm_size(r->hosts->local) * facts.threads > facts.cores)
        printf("# more threads than cores here: what is measured is their turns; set "
               "OMP_NUM_THREADS to cores / ranks of a node\n");
    if (r->node_rate > 0)
        printf("# link of a node: %g Gbit/s one way\n", 8e-9 * r->node_rate);
    else
        printf("# link of a node: rate not known (--rate GBIT)\n");
    printf("# %s, wire %s; out: all-gather from the fp32 slice; in: the slice is in its place\n",
           rt_dtype_name(r->o->type), rt_dtype_name(r->o->wire));
}

static void print_foot(const struct bench_run *r)
{
    const uint64_t wrong = bench_wrong_elements(r);
    double sum = 0;
    int count = 0;

    for (size_t i = 0; i < r->cells_count; i++) {
        const struct bench_cell *c = &r->cells[i];
        for (int s = 0; s < c->sides && c->ours && c->op < BENCH_OVERLAP; s++) {
            if (c->side[s].count == 0) continue;
            sum += bench_busbw(c, c->side[s].time.median);
            count++;
        }
    }
    printf("\n# Out of bounds values : %llu %s\n", (unsigned long long)wrong,
           !r->o->check ? "NOT CHECKED"
           : wrong == 0 ? "OK"
                        : "FAILED");
    if (count > 0) printf("# Avg bus bandwidth    : %.4f\n", sum / count);
    printf("# measured for %.1f s%s\n", r->measured_s, r->capped ? ", ended by --max-seconds" : "");
}

void bench_print(const struct bench_run *r, const struct bench_report *p)
{
    int before = -1;

    print_head(r);
    for (size_t i = 0; i < r->cells_count; i++) {
        const struct bench_cell *c = &r->cells[i];
        const bool overlap = c->op == BENCH_OVERLAP;
        if ((int)c->op != before && overlap) print_overlap_columns();
        if ((int)c->op != before && !overlap) print_columns(c->op);
        before = (int)c->op;
        if (overlap)
            print_overlap(c);
        else
            print_row(r, c);
    }
    bench_print_comparison(r);
    bench_print_slow(r, p);
    bench_counters_print(r->counters, r->o->counters);
    print_foot(r);
    fflush(stdout);
}
