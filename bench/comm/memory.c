/* bench/comm/memory.c - the buffers of the largest size, and whether every host has the room */
#include <stdio.h>
#include <stdlib.h>

#include "bench/comm/run.h"
#include "bench/comm/tune.h"
#include "runtime/pages.h"

enum { FLAGS = 4 };

static size_t pages(size_t bytes) { return (bytes + 4095) / 4096 * 4096; }

static size_t largest(const struct bench_run *r)
{
    size_t most = 0;

    for (size_t i = 0; i < r->o->sizes_count; i++)
        if (r->o->sizes[i].bytes > most) most = r->o->sizes[i].bytes;
    return most;
}

static size_t buffers_of_grads(const struct bench_run *r)
{
    return r->o->flat ? 1 : (size_t)r->nodes->local_size;
}

/* The most that any algorithm of ours asks for one operation. */
static size_t most_staging(const struct bench_run *r, comm_op op)
{
    size_t most = 0;

    for (const struct comm_algorithm *a = comm_algorithms; a->name != NULL; a++) {
        if (!comm_algorithm_fits(a, op, &r->layout, r->o->wire, false)) continue;
        struct comm_exchange_options o = bench_exchange_options(r, r->memory.slice_max);
        o.gather = o.reduce = a->name;
        o.ops = 1u << op;
        for (int i = 0; i < (r->o->tune != NULL ? 1 + BENCH_CHUNKS : 1); i++) {
            if (i > 0) o.chunk_bytes = bench_chunks[i - 1];
            const size_t bytes = comm_exchange_staging_bytes(r->nodes, &o);
            if (bytes > most) most = bytes;
        }
    }
    return most;
}

/* One staging serves all exchanges: only one is under way. */
static size_t staging_bytes(const struct bench_run *r)
{
    const unsigned ops = bench_exchange_options(r, 0).ops;
    size_t sum = 0;

    for (int op = 0; op < COMM_OPS; op++)
        if ((ops >> op & 1u) != 0) sum += most_staging(r, (comm_op)op);
    return sum;
}

static void size_up(struct bench_run *r)
{
    const struct bench_options *o = r->o;
    const bool sums = o->op[BENCH_REDUCE] || o->op[BENCH_ALLREDUCE];
    const bool gathers = o->op[BENCH_GATHER] || o->op[BENCH_OVERLAP];
    const bool messages = o->op[BENCH_RING] || o->op[BENCH_PAIRS] || o->op[BENCH_BISECTION] ||
                          o->op[BENCH_INCAST] || o->tune != NULL;
    struct bench_memory *m = &r->memory;
    const size_t bytes = rt_dtype_bytes(o->type), P = (size_t)comm_size(r->group);

    m->slice_max = bench_slice(r, largest(r));
    const size_t n = P * m->slice_max;
    if (gathers) m->unit_bytes = n * bytes;
    if (o->op[BENCH_ALLREDUCE]) m->unit_bytes = n * sizeof(float);
    if (sums) m->grads_bytes = n * bytes;
    if (gathers || sums) m->own_bytes = m->slice_max * sizeof(float);
    if (gathers || sums) m->staging_bytes = staging_bytes(r);
    if (messages) m->message_bytes = largest(r) > 4096 ? largest(r) : 4096;
    if (!o->baseline) return;
    if (sums) m->mpi_in_bytes = n * bytes;
    if (gathers) m->mpi_out_bytes = n * bytes;
    if (sums && m->mpi_out_bytes < m->own_bytes) m->mpi_out_bytes = m->own_bytes;
    if (o->op[BENCH_ALLREDUCE]) m->mpi_out_bytes = n * sizeof(float);
    if (sums && o->type == RT_BF16) m->mpi_cast_bytes = n * sizeof(float);
    if (sums) m->mpi_sums_bytes = m->slice_max * sizeof(float);
}

static size_t shared_bytes(const struct bench_run *r)
{
    return pages(r->memory.unit_bytes) + buffers_of_grads(r) * pages(r->memory.grads_bytes);
}

static uint64_t private_bytes(const struct bench_memory *m)
{
    return m->own_bytes + m->staging_bytes + m->mpi_in_bytes + m->mpi_out_bytes +
           m->mpi_cast_bytes + m->mpi_sums_bytes + 2 * m->message_bytes;
}

/* Collective over world: the ranks of each host together. */
static rt_status check_room(const struct bench_run *r)
{
    const uint64_t room = rt_pages_free("", NULL);
    uint64_t wanted = private_bytes(&r->memory);
    rt_status st = RT_OK;

    if (r->o->flat || r->nodes->local_rank == 0) wanted += shared_bytes(r);
    RT_TRY(comm_sum_u64(r->hosts->local, &wanted, 1));
    if (wanted > room && comm_rank(r->hosts->local) == 0)
        st = RT_FAIL(RT_ENOMEM,
                     "%s: %zu bytes in all want %.3f GB of memory for the %d ranks here, %.3f GB "
                     "are free: give smaller --sizes, fewer operations in --op, or no --baseline",
                     r->host[comm_rank(r->world)].name, largest(r), 1e-9 * (double)wanted,
                     comm_size(r->hosts->local), 1e-9 * (double)room);
    return comm_agree(r->world, st);
}

static rt_status map(const char *what, size_t bytes, void *out)
{
    void **at = out;
    return bytes == 0 ? RT_OK : rt_pages_map(what, bytes, at);
}

static rt_status take_private(struct bench_memory *m)
{
    RT_TRY(map("own slices", m->own_bytes, &m->own));
    RT_TRY(map("staging", m->staging_bytes, &m->staging));
    RT_TRY(map("MPI's input", m->mpi_in_bytes, &m->mpi_in));
    RT_TRY(map("MPI's output", m->mpi_out_bytes, &m->mpi_out));
    RT_TRY(map("casts for MPI", m->mpi_cast_bytes, &m->mpi_cast));
    RT_TRY(map("sums of MPI", m->mpi_sums_bytes, &m->mpi_sums));
    RT_TRY(map("messages sent", m->message_bytes, &m->out));
    return map("messages received", m->message_bytes, &m->in);
}

/* Cut the shared part into the unit and the gradient buffers. */
static rt_status cut_shared(struct bench_run *r)
{
    struct bench_memory *m = &r->memory;
    char *at = m->shared;

    m->grads = calloc(buffers_of_grads(r), sizeof *m->grads);
    if (m->grads == NULL) return RT_FAIL(RT_ENOMEM, "no memory for a table of buffers");
    m->unit = at;
    at += pages(m->unit_bytes);
    for (size_t l = 0; l < buffers_of_grads(r); l++) {
        m->grads[l] = at;
        at += pages(m->grads_bytes);
    }
    return RT_OK;
}

rt_status bench_memory_create(struct bench_run *r)
{
    struct bench_memory *m = &r->memory;

    size_up(r);
    RT_TRY(check_room(r));
    RT_TRY(comm_agree(r->world, take_private(m)));
    if (shared_bytes(r) == 0) return RT_OK;
    if (r->o->flat) {
        RT_TRY(comm_agree(r->world, map("units and gradients", shared_bytes(r), &m->shared)));
    } else {
        RT_TRY(
            comm_agree(r->world, comm_window_create(r->nodes, shared_bytes(r), FLAGS, &r->window)));
        m->shared = comm_window_base(r->window);
    }
    return comm_agree(r->world, cut_shared(r));
}

void bench_memory_destroy(struct bench_run *r)
{
    struct bench_memory *m = &r->memory;

    if (r->nodes == NULL) return; /* nothing was taken yet */
    if (r->window == NULL) rt_pages_unmap(m->shared, shared_bytes(r));
    comm_window_destroy(&r->window);
    rt_pages_unmap(m->own, m->own_bytes);
    rt_pages_unmap(m->staging, m->staging_bytes);
    rt_pages_unmap(m->mpi_in, m->mpi_in_bytes);
    rt_pages_unmap(m->mpi_out, m->mpi_out_bytes);
    rt_pages_unmap(m->mpi_cast, m->mpi_cast_bytes);
    rt_pages_unmap(m->mpi_sums, m->mpi_sums_bytes);
    rt_pages_unmap(m->out, m->message_bytes);
    rt_pages_unmap(m->in, m->message_bytes);
    free(m->grads);
    *m = (struct bench_memory){0};
}
