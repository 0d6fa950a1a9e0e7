/* bench/comm/scalars.c - the small collectives of a step: agreement, an exact sum, a barrier */
#include <stdio.h>

#include "bench/comm/run.h"
#include "comm/traffic.h"
#include "runtime/trace.h"

enum { AGREE, EXACT_SUM, BARRIER, SCALARS };

static rt_status call(struct bench_run *r, int which, struct rt_exact *sum)
{
    if (which == AGREE) return comm_agree(r->group, RT_OK);
    if (which == EXACT_SUM) return comm_sum_exact(r->group, sum, 1);
    return comm_traffic_barrier(r->group);
}

static rt_status once(struct bench_run *r, struct bench_cell *c, int side, double *seconds)
{
    struct rt_exact sum = {0};

    (void)side;
    rt_exact_add(&sum, 1.0f);
    RT_TRY(comm_traffic_barrier(r->world));
    const double start = rt_now_s();
    RT_TRY(call(r, c->index, &sum));
    *seconds = rt_now_s() - start;
    return RT_OK;
}

static rt_status check(struct bench_run *r, struct bench_cell *c, int side, uint64_t *wrong)
{
    struct rt_exact sum = {0};

    (void)side;
    rt_exact_add(&sum, (float)(r->layout.rank + 1));
    RT_TRY(call(r, c->index, &sum));
    if (c->index != EXACT_SUM) return RT_OK;
    const double P = r->layout.size;
    *wrong = rt_exact_value(&sum) != P * (P + 1) / 2;
    return RT_OK;
}

static const struct bench_kind kind = {.once = once, .check = check};

rt_status bench_scalars_add(struct bench_run *r)
{
    static const char *const names[SCALARS] = {"agree", "exact-sum", "barrier"};
    static const size_t bytes[SCALARS] = {sizeof(int), sizeof(struct rt_exact), 1};

    if (!r->o->op[BENCH_SCALARS]) return RT_OK;
    for (int i = 0; i < SCALARS; i++) {
        struct bench_cell *c = NULL;
        struct bench_cell like = {.kind = &kind,
                                  .op = BENCH_SCALARS,
                                  .label = "",
                                  .ours = true,
                                  .bytes = bytes[i],
                                  .index = i,
                                  .factor = 1,
                                  .sides = 1};
        snprintf(like.algorithm, sizeof like.algorithm, "%s", names[i]);
        RT_TRY(comm_agree(r->world, bench_cell_add(r, &like, &c)));
    }
    return RT_OK;
}
