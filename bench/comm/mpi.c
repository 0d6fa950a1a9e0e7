/* bench/comm/mpi.c - MPI's own collectives as rows: its choice, and each of its algorithms forced
 *
 * mpi:NAME       sums of bf16 by an operation of our own; of fp32 by MPI_SUM
 * mpi-cast:NAME  bf16 gradients cast, summed in fp32 by MPI_SUM
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/comm/run.h"
#include "runtime/log.h"

struct comm_baseline_call bench_mpi_call(const struct bench_run *r, const struct bench_cell *c,
                                         int side)
{
    const struct bench_memory *m = &r->memory;

    if (c->op == BENCH_GATHER || c->op == BENCH_OVERLAP)
        return (struct comm_baseline_call){
            .in = c->op == BENCH_GATHER && side == BENCH_IN_PLACE ? NULL : m->own,
            .in_type = RT_F32,
            .type = c->type,
            .out_type = c->type,
            .out = m->mpi_out,
            .slice = c->slice};
    return (struct comm_baseline_call){.in = m->mpi_in,
                                       .in_type = c->type,
                                       .type = c->wire,
                                       .out_type = c->op == BENCH_REDUCE ? RT_F32 : c->wire,
                                       .cast = m->mpi_cast,
                                       .sums = m->mpi_sums,
                                       .out = m->mpi_out,
                                       .slice = c->slice};
}

static rt_status once(struct bench_run *r, struct bench_cell *c, int side, double *seconds)
{
    const struct comm_baseline_call call = bench_mpi_call(r, c, side);
    return comm_baseline_time(r->baselines[c->index].b, r->world, &call, seconds);
}

rt_status bench_mpi_fill(struct bench_run *r, const struct bench_cell *c, int side)
{
    const struct comm_baseline_call call = bench_mpi_call(r, c, side);
    const size_t n = c->slice * (size_t)r->layout.size;
    const size_t first = (size_t)r->layout.rank * c->slice;

    RT_TRY(comm_barrier(r->world));
    if (c->op == BENCH_REDUCE) {
        bench_poison(call.out, c->slice * rt_dtype_bytes(call.out_type));
        bench_fill_summand(&r->values, r->layout.rank, r->memory.mpi_in, c->type, 0, n);
    } else if (c->op == BENCH_ALLREDUCE) {
        bench_poison(call.out, n * rt_dtype_bytes(call.type));
        bench_fill_summand(&r->values, r->layout.rank, r->memory.mpi_in, c->type, 0, n);
    } else {
        bench_poison(call.out, n * rt_dtype_bytes(call.type));
        bench_fill_gathered(&r->values, r->memory.own, RT_F32, first, c->slice);
        bench_fill_gathered(&r->values, (char *)call.out + first * rt_dtype_bytes(c->type), c->type,
                            first, c->slice);
    }
    return comm_barrier(r->world);
}

uint64_t bench_mpi_wrong(struct bench_run *r, const struct bench_cell *c)
{
    const struct comm_baseline_call call = bench_mpi_call(r, c, 0);
    const size_t n = c->slice * (size_t)r->layout.size;

    if (r->flip_rank >= 0) *(unsigned char *)call.out ^= 1;
    if (c->op == BENCH_REDUCE)
        return bench_wrong_sums(&r->values, call.out, call.out_type,
                                (size_t)r->layout.rank * c->slice, c->slice);
    if (c->op == BENCH_ALLREDUCE) return bench_wrong_sums(&r->values, call.out, call.type, 0, n);
    return bench_wrong_gathered(&r->values, call.out, call.type, 0, n);
}

static rt_status check(struct bench_run *r, struct bench_cell *c, int side, uint64_t *wrong)
{
    double seconds;

    RT_TRY(bench_mpi_fill(r, c, side));
    RT_TRY(once(r, c, side, &seconds));
    *wrong = bench_mpi_wrong(r, c);
    return RT_OK;
}

const struct bench_kind bench_kind_mpi = {.once = once, .check = check};

rt_status bench_baseline_get(struct bench_run *r, const struct comm_baseline_algorithm *a,
                             int *index)
{
    struct bench_baseline *all;

    for (*index = 0; *index < r->baselines_count; ++*index)
        if (r->baselines[*index].algorithm == a) return RT_OK;
    all = realloc(r->baselines, (size_t)(r->baselines_count + 1) * sizeof *all);
    if (all != NULL) r->baselines = all;
    RT_TRY(comm_agree(r->world, all == NULL ? RT_FAIL(RT_ENOMEM, "no memory for a table") : RT_OK));
    all[*index] = (struct bench_baseline){.algorithm = a};
    r->baselines_count++;
    return comm_baseline_create(r->group, a, &all[*index].b);
}

/* cast: bf16 gradients are summed in fp32. */
static rt_status add_one(struct bench_run *r, bench_op op, const struct bench_size *size,
                         const struct comm_baseline_algorithm *a, bool cast)
{
    const double share = (double)(r->layout.size - 1) / (double)r->layout.size;
    struct bench_cell *c = NULL;
    struct bench_cell like = {.kind = &bench_kind_mpi,
                              .op = op,
                              .label = size->label,
                              .slice = bench_slice(r, size->bytes),
                              .type = r->o->type,
                              .wire = cast ? RT_F32 : r->o->type,
                              .mpi_id = a->id,
                              .factor = op == BENCH_ALLREDUCE ? 2 * share : share,
                              .sides = op == BENCH_GATHER ? 2 : 1};

    if (like.slice > (size_t)INT_MAX / (size_t)r->layout.size) {
        if (a->id == 0)
            rt_log_once(RT_LOG_WARN, "%s of %zu bytes: more elements than MPI's own counts can say",
                        bench_op_name(op), size->bytes);
        return RT_OK;
    }
    snprintf(like.algorithm, sizeof like.algorithm, "mpi%s%s", cast ? "-cast" : "", a->name + 3);
    like.bytes = like.slice * (size_t)r->layout.size * rt_dtype_bytes(like.type);
    RT_TRY(bench_baseline_get(r, a, &like.index));
    return comm_agree(r->world, bench_cell_add(r, &like, &c));
}

static bool is_of(const struct comm_baseline_algorithm *a, bench_op op)
{
    if (op == BENCH_GATHER) return a->collective == COMM_MPI_ALLGATHER;
    if (op == BENCH_ALLREDUCE) return a->collective == COMM_MPI_ALLREDUCE;
    return a->collective == COMM_MPI_REDUCE_SCATTER ||
           a->collective == COMM_MPI_REDUCE_SCATTER_BLOCK;
}

static rt_status add_algorithms(struct bench_run *r, bench_op op, const struct bench_size *size)
{
    const bool casts = op != BENCH_GATHER && r->o->type == RT_BF16;

    for (const struct comm_baseline_algorithm *a = comm_baseline_algorithms; a->name != NULL; a++) {
        if (!is_of(a, op) || !comm_baseline_applies(a, r->layout.size)) continue;
        if (a->id > 0 && !r->forceable) continue;
        RT_TRY(add_one(r, op, size, a, false));
        if (casts) RT_TRY(add_one(r, op, size, a, true));
    }
    return RT_OK;
}

rt_status bench_mpi_add(struct bench_run *r)
{
    if (!r->o->baseline) return RT_OK;
    RT_TRY(comm_baseline_forceable(r->world, &r->forceable));
    if (!r->forceable)
        rt_log_once(RT_LOG_WARN,
                    "%s: its algorithms are not forceable through MPI_T, only its own choice is "
                    "measured; Open MPI wants coll_tuned_use_dynamic_rules=1",
                    comm_library(r->world));
    for (int op = BENCH_GATHER; op <= BENCH_ALLREDUCE; op++)
        for (size_t i = 0; r->o->op[op] && i < r->o->sizes_count; i++)
            RT_TRY(add_algorithms(r, (bench_op)op, &r->o->sizes[i]));
    return RT_OK;
}
