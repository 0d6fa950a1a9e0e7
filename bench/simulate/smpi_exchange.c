/* bench/simulate/smpi_exchange.c - an exchange on folded memory, and collectives timed on it */
#include <simgrid/actor.h>
#include <simgrid/engine.h>
#include <smpi/smpi.h>
#include <string.h>

#include "bench/simulate/smpi_impl.h"

enum { GATHERING = 4, REDUCING = 4 }; /* under way at once in a step of prefetch 1: fewer */

double simulate_now_s(void) { return simgrid_get_clock(); }

void simulate_sleep(double seconds) { sg_actor_sleep_for(seconds); }

rt_status simulate_align(const struct simulate_world *w)
{
    double latest = simulate_now_s();

    RT_TRY(comm_max_f64(w->comm, &latest, 1));
    /* Learning the latest time takes a while itself, and not the same on all ranks. */
    double after = simulate_now_s() - latest;
    RT_TRY(comm_max_f64(w->comm, &after, 1));
    const double start = latest + 4 * after + 1e-3;
    if (start > simulate_now_s()) simulate_sleep(start - simulate_now_s());
    return RT_OK;
}

static size_t slice_of(const struct simulate_world *w, size_t elements)
{
    const size_t P = (size_t)comm_size(w->comm);
    return (elements + P - 1) / P;
}

rt_status simulate_exchange_open(struct simulate_world *w, const char *gather, const char *reduce,
                                 size_t elements, struct simulate_exchange *out)
{
    struct comm_exchange_options o = {.gather = gather,
                                      .reduce = reduce,
                                      .flat = true,
                                      .wire = w->wire,
                                      .unit = RT_BF16,
                                      .slice_max = slice_of(w, elements),
                                      .chunk_bytes = w->chunk_bytes,
                                      .fabric = "ib", /* chunks as on RDMA */
                                      .depth = w->depth,
                                      .vector = &simulate_vector,
                                      .ops = (gather != NULL ? 1u << COMM_GATHER : 0) |
                                             (reduce != NULL ? 1u << COMM_REDUCE : 0),
                                      .gathering = GATHERING,
                                      .reducing = REDUCING,
                                      .fold = true};
    const size_t staging = comm_exchange_staging_bytes(&w->nodes, &o);
    const size_t scratch = (elements + (size_t)comm_size(w->comm)) * sizeof(float);

    *out = (struct simulate_exchange){.world = w};
    out->scratch = SMPI_SHARED_MALLOC(scratch);
    out->staging = SMPI_SHARED_MALLOC(staging + 1);
    out->grads[0] = out->scratch;
    if (out->scratch == NULL || out->staging == NULL)
        return RT_FAIL(RT_ENOMEM, "%zu bytes of address space", scratch + staging);
    o.staging = out->staging;
    return comm_exchange_create(&w->nodes, &o, &out->exchange);
}

void simulate_exchange_close(struct simulate_exchange *x)
{
    comm_exchange_destroy(&x->exchange);
    if (x->scratch != NULL) SMPI_SHARED_FREE(x->scratch);
    if (x->staging != NULL) SMPI_SHARED_FREE(x->staging);
    *x = (struct simulate_exchange){0};
}

rt_status simulate_gather_post(struct simulate_exchange *x, size_t elements, comm_ticket *ticket)
{
    const struct comm_gather g = {
        .unit = x->scratch, .slice = slice_of(x->world, elements), .type = RT_BF16, .name = -1};
    return comm_gather_post(x->exchange, &g, ticket);
}

rt_status simulate_reduce_post(struct simulate_exchange *x, size_t elements, comm_ticket *ticket)
{
    const struct comm_reduction r = {.grads = x->grads,
                                     .type = RT_F32,
                                     .own = x->scratch,
                                     .slice = slice_of(x->world, elements),
                                     .name = -1};
    return comm_reduce_post(x->exchange, &r, ticket);
}

rt_status simulate_time_collective(struct simulate_world *w, const char *op, const char *algorithm,
                                   size_t elements, double *seconds)
{
    const bool gather = strcmp(op, "gather") == 0;
    struct simulate_exchange x;
    comm_ticket ticket;
    rt_status st = RT_OK;

    RT_TRY_OUT(simulate_exchange_open(w, gather ? algorithm : NULL, gather ? NULL : algorithm,
                                      elements, &x));
    RT_TRY_OUT(simulate_align(w));
    const double start = simulate_now_s();
    RT_TRY_OUT(gather ? simulate_gather_post(&x, elements, &ticket)
                      : simulate_reduce_post(&x, elements, &ticket));
    RT_TRY_OUT(comm_exchange_wait(x.exchange, ticket));
    *seconds = simulate_now_s() - start;
    RT_TRY_OUT(comm_max_f64(w->comm, seconds, 1));
out:
    simulate_exchange_close(&x);
    return st;
}
