/* bench/cmd_comm.c - `recua-bench comm`: the order of things; what is measured: comm/run.h */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/comm/options.h"
#include "bench/comm/report.h"
#include "bench/comm/run.h"
#include "bench/comm/tune.h"

/* A file that cannot be written is refused before the work, not after it. */
static rt_status can_write(const char *path, const char *option)
{
    FILE *f = path == NULL ? NULL : fopen(path, "a");

    if (path == NULL) return RT_OK;
    if (f == NULL)
        return RT_FAIL(RT_EIO, "%s: cannot be written: %s; choose another %s", path,
                       strerror(errno), option);
    const long end = ftell(f);
    fclose(f);
    if (end == 0) (void)remove(path); /* nothing is left where the work then fails */
    return RT_OK;
}

static rt_status check_files(const struct bench_options *o, struct comm *world)
{
    rt_status st = RT_OK;

    if (comm_rank(world) == 0) {
        st = can_write(o->json, "--json FILE");
        if (st == RT_OK) st = can_write(o->csv, "--csv FILE");
        if (st == RT_OK) st = can_write(o->tune, "--tune FILE");
    }
    return comm_agree(world, st);
}

static rt_status write_files(const struct bench_run *r, const struct bench_report *p)
{
    rt_status st = RT_OK;

    if (comm_rank(r->world) == 0) {
        bench_print(r, p);
        if (r->o->json != NULL) st = bench_write_json(r, p);
        if (st == RT_OK && r->o->csv != NULL) st = bench_write_csv(r);
        if (st == RT_OK && r->o->svg != NULL) st = bench_write_svg(r, p);
    }
    return comm_agree(r->world, st);
}

/* Wrong data is worse than slow. Not collective: only rank 0 says it. */
static rt_status judge(const struct bench_run *r)
{
    const uint64_t wrong = bench_wrong_elements(r);

    if (wrong == 0) return bench_expect_judge(r);
    for (size_t i = 0; i < r->cells_count; i++) {
        const struct bench_cell *c = &r->cells[i];
        for (int s = 0; s < c->sides; s++)
            if (c->side[s].wrong > 0)
                return RT_FAIL(RT_EDATA,
                               "%llu elements are wrong, the first in %s by %s of %zu bytes: "
                               "something on the way damages data; find it with --op pairs",
                               (unsigned long long)wrong, bench_op_name(c->op), c->algorithm,
                               c->bytes);
    }
    return RT_EDATA;
}

static rt_status explain(const struct bench_run *r)
{
    static const bench_op ops[] = {BENCH_GATHER, BENCH_REDUCE, BENCH_ALLREDUCE};
    static const comm_op names[] = {COMM_GATHER, COMM_REDUCE, COMM_ALLREDUCE};

    for (int i = 0; r->o->explain && comm_rank(r->world) == 0 && i < 3; i++)
        for (size_t k = 0; r->o->op[ops[i]] && k < r->cells_count; k++) {
            const struct bench_cell *c = &r->cells[k];
            if (c->op == ops[i] && c->ours && strcmp(c->algorithm, "auto") == 0)
                comm_exchange_explain(r->exchanges[c->index].x, names[i], c->slice, c->type,
                                      stdout);
        }
    return RT_OK;
}

static rt_status prepare(struct bench_run *r)
{
    rt_status st = RT_OK;

    RT_TRY(check_files(r->o, r->world));
    RT_TRY(bench_place_create(r));
    if (comm_rank(r->world) == 0) st = bench_expect_refuse(r);
    RT_TRY(comm_agree(r->world, st));
    RT_TRY(bench_tuning_load(r));
    RT_TRY(bench_memory_create(r));
    RT_TRY(bench_cells_create(r));
    bench_expect(r);
    return explain(r);
}

static rt_status run(const struct bench_options *o, struct comm *world)
{
    struct bench_run *r = calloc(1, sizeof *r);
    struct bench_report report = {0};
    rt_status st = r == NULL ? RT_FAIL(RT_ENOMEM, "no memory for a benchmark") : RT_OK;

    RT_TRY_OUT(comm_agree(world, st));
    r->o = o;
    r->world = world;
    RT_TRY_OUT(prepare(r));
    RT_TRY_OUT(bench_counters_begin(r->hosts, &r->counters));
    RT_TRY_OUT(bench_measure(r));
    RT_TRY_OUT(bench_counters_end(r->counters));
    bench_expect_bounds(r);
    RT_TRY_OUT(bench_report_collect(r, &report));
    RT_TRY_OUT(write_files(r, &report));
    if (o->tune != NULL) RT_TRY_OUT(bench_tune(r));
    if (comm_rank(world) == 0) st = judge(r);
    st = comm_agree(world, st);
out:
    if (r != NULL) {
        bench_report_clear(&report);
        bench_counters_destroy(&r->counters);
        bench_cells_destroy(r);
        bench_memory_destroy(r);
        comm_tuning_destroy(&r->tuning);
        bench_place_destroy(r);
    }
    free(r);
    return st;
}

int bench_comm(int argc, char **argv)
{
    struct bench_options o;
    struct comm *world = NULL;
    rt_status st;

    argp_err_exit_status = rt_status_exit(RT_EINVAL);
    bench_options_parse(argc, argv, &o);
    if (o.baseline) comm_baseline_prepare();
    st = comm_init(&argc, &argv, &world);
    if (st == RT_OK) st = run(&o, world);
    comm_finish(&world);
    bench_options_clear(&o);
    return rt_status_exit(st);
}
