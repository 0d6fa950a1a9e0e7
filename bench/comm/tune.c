/* bench/comm/tune.c - see tune.h */
#include "bench/comm/tune.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/traffic.h"
#include "runtime/log.h"
#include "runtime/trace.h"

enum { REPETITIONS = 7, PATH_MAX_BYTES = 4096 };

const size_t bench_chunks[BENCH_CHUNKS] = {256 << 10, 1 << 20, 4 << 20};

rt_status bench_tuning_load(struct bench_run *r)
{
    return comm_network_tuning(r->world, &r->network, r->o->tuning, &r->tuning);
}

/* Time of a gather and a reduce at the largest size with this chunk. */
static rt_status time_chunk(struct bench_run *r, size_t chunk_bytes, double *seconds)
{
    struct comm_exchange_options o = bench_exchange_options(r, r->memory.slice_max);
    struct bench_cell c = {.slice = r->memory.slice_max, .type = r->o->type};
    struct bench_exchange mine = {.asked = "auto", .slice_max = o.slice_max};
    struct bench_exchange *before = r->exchanges;
    double times[REPETITIONS];
    rt_status st = RT_OK;

    o.gather = o.reduce = "auto";
    o.chunk_bytes = chunk_bytes;
    RT_TRY(comm_exchange_create(r->nodes, &o, &mine.x));
    r->exchanges = &mine; /* cell c finds it at 0 */
    *seconds = 0;
    for (int op = BENCH_GATHER; op <= BENCH_REDUCE; op++) {
        c.op = (bench_op)op;
        for (int i = -1; i < REPETITIONS && r->o->op[op]; i++) {
            double s = 0;
            RT_TRY_OUT(bench_kind_ours.once(r, &c, BENCH_OUT_OF_PLACE, &s));
            s = bench_rank_max(r, s, &st);
            if (st != RT_OK) goto out;
            if (i >= 0) times[i] = s;
        }
        if (r->o->op[op]) *seconds += bench_median(times, REPETITIONS);
    }
out:
    r->exchanges = before;
    comm_exchange_destroy(&mine.x);
    return st;
}

static rt_status best_chunk(struct bench_run *r, size_t *bytes)
{
    double best_s = 0;

    *bytes = 0;
    if (r->layout.nodes == 1 && !r->o->flat) return RT_OK; /* nothing is sent */
    for (int i = 0; i < BENCH_CHUNKS; i++) {
        double s;
        RT_TRY(time_chunk(r, bench_chunks[i], &s));
        if (comm_rank(r->world) == 0)
            printf("# chunks of %zu KiB: %.1f us\n", bench_chunks[i] >> 10, 1e6 * s);
        if (*bytes != 0 && s >= best_s) continue;
        *bytes = bench_chunks[i];
        best_s = s;
    }
    return RT_OK;
}

/* false: this cell says nothing to a tuning. */
static bool row_of(const struct bench_run *r, const struct bench_cell *c,
                   struct comm_tuning_row *row)
{
    static const comm_op ops[] = {COMM_GATHER, COMM_REDUCE, COMM_ALLREDUCE};
    const bool automatic = strcmp(c->algorithm, "auto") == 0;

    if (c->op > BENCH_ALLREDUCE || c->side[0].count == 0 || c->bound ||
        (!c->ours && c->mpi_id == 0))
        return false;
    *row = (struct comm_tuning_row){.op = ops[c->op],
                                    .ranks = r->layout.size,
                                    .nodes = r->layout.nodes,
                                    .bytes = c->bytes,
                                    .type = c->type,
                                    .wire = c->wire,
                                    .time_s = c->side[0].time.median};
    if (c->ours)
        snprintf(row->algorithm, sizeof row->algorithm, "%.47s",
                 automatic ? c->chosen : c->algorithm);
    else
        snprintf(row->algorithm, sizeof row->algorithm, "mpi:%s:%d",
                 comm_mpi_collective_name(r->baselines[c->index].algorithm->collective), c->mpi_id);
    return !automatic || c->chosen[0] != '\0';
}

/* auto ran one of the algorithms that stand there too: the better of the two times counts. */
static bool merge_row(struct comm_tuning *t, const struct comm_tuning_row *row)
{
    for (size_t i = 0; i < t->rows_count; i++) {
        struct comm_tuning_row *k = &t->rows[i];
        if (k->op != row->op || k->bytes != row->bytes || k->wire != row->wire ||
            strcmp(k->algorithm, row->algorithm) != 0)
            continue;
        if (row->time_s < k->time_s) k->time_s = row->time_s;
        return true;
    }
    return false;
}

static rt_status take_rows(const struct bench_run *r, struct comm_tuning *t)
{
    t->rows = calloc(r->cells_count + 1, sizeof *t->rows);
    if (t->rows == NULL) return RT_FAIL(RT_ENOMEM, "no memory for the rows of a tuning");
    for (size_t i = 0; i < r->cells_count; i++) {
        struct comm_tuning_row row;
        if (row_of(r, &r->cells[i], &row) && !merge_row(t, &row)) t->rows[t->rows_count++] = row;
    }
    return RT_OK;
}

/* Rank 0's part. */
static rt_status write_all(struct bench_run *r, struct comm_tuning *t)
{
    char rules[PATH_MAX_BYTES];

    comm_tuning_machine(comm_library(r->world), r->network.kind, r->network.gbit_per_s, t->machine,
                        sizeof t->machine);
    RT_TRY(take_rows(r, t));
    RT_TRY(comm_tuning_write(t, r->o->tune));
    printf("# %s: %zu times and the costs of '%s'\n", r->o->tune, t->rows_count, t->machine);
    if (!r->forceable) {
        rt_log_once(RT_LOG_WARN, "no %s.ompi-rules: MPI's algorithms are not forceable here",
                    r->o->tune);
        return RT_OK;
    }
    if ((size_t)snprintf(rules, sizeof rules, "%s.ompi-rules", r->o->tune) >= sizeof rules)
        return RT_FAIL(RT_EINVAL, "--tune: the name is longer than %zu characters", sizeof rules);
    RT_TRY(comm_tuning_write_rules(t, rules));
    printf("# %s: rules for Open MPI (coll_tuned_dynamic_rules_filename)\n", rules);
    return RT_OK;
}

rt_status bench_tune(struct bench_run *r)
{
    struct comm_tuning *t = calloc(1, sizeof *t);
    rt_status st = t == NULL ? RT_FAIL(RT_ENOMEM, "no memory for a tuning") : RT_OK;

    RT_TRY_OUT(comm_agree(r->world, st));
    if (comm_rank(r->world) == 0) printf("\n# tuning\n");
    comm_costs_default(r->network.kind,
                       r->o->rate_gbit > 0 ? r->o->rate_gbit : r->network.gbit_per_s, &t->costs);
    comm_costs_share(&t->costs, comm_layout_local_size(&r->layout, 0));
    RT_TRY_OUT(bench_fit_costs(r, &t->costs));
    RT_TRY_OUT(best_chunk(r, &t->chunk_bytes));
    if (comm_rank(r->world) == 0) st = write_all(r, t);
    st = comm_agree(r->world, st);
out:
    comm_tuning_destroy(&t);
    return st;
}
