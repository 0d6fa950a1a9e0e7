/* bench/simulate/smpi_step.c - the machine of step.h that is the engine on a simulated cluster
 *
 * Computing is simulated time in which the engine is polled, as the communication thread would: at
 * once while something is under way, else not at all.
 */
#include <math.h>

#include "bench/simulate/smpi_impl.h"

static const double POLL_S = 5e-6;

enum { UNDER_WAY = 64 };

struct engine {
    struct simulate_exchange *x;
    const struct simulate_step *step;
    comm_ticket tickets[UNDER_WAY]; /* -1: waited for */
    int next;
};

static rt_status keep(struct engine *e, rt_status posted, comm_ticket t, int *ticket)
{
    if (posted != RT_OK) return posted;
    if (e->tickets[e->next] >= 0)
        return RT_FAIL(RT_EINVAL, "more than %d collectives under way", UNDER_WAY);
    *ticket = e->next;
    e->tickets[e->next] = t;
    e->next = (e->next + 1) % UNDER_WAY;
    return RT_OK;
}

static rt_status gather(void *context, int unit, int *ticket)
{
    struct engine *e = context;
    comm_ticket t = -1;
    const rt_status st = simulate_gather_post(e->x, e->step->units[unit].elements, &t);
    return keep(e, st, t, ticket);
}

static rt_status reduce(void *context, int unit, int *ticket)
{
    struct engine *e = context;
    comm_ticket t = -1;
    const rt_status st = simulate_reduce_post(e->x, e->step->units[unit].elements, &t);
    return keep(e, st, t, ticket);
}

static rt_status wait_for(void *context, int ticket)
{
    struct engine *e = context;
    const comm_ticket t = e->tickets[ticket];

    e->tickets[ticket] = -1;
    return t < 0 ? RT_OK : comm_exchange_wait(e->x->exchange, t);
}

static bool something_under_way(const struct engine *e)
{
    for (int i = 0; i < UNDER_WAY; i++)
        if (e->tickets[i] >= 0 && !comm_exchange_finished(e->x->exchange, e->tickets[i]))
            return true;
    return false;
}

static rt_status compute(void *context, double seconds)
{
    struct engine *e = context;
    const double end = simulate_now_s() + seconds;

    while (simulate_now_s() < end && something_under_way(e))
        simulate_sleep(fmin(POLL_S, end - simulate_now_s()));
    if (simulate_now_s() < end) simulate_sleep(end - simulate_now_s());
    return RT_OK;
}

static size_t largest(const struct simulate_step *s)
{
    size_t most = 0;

    for (int u = 0; u < s->units_count; u++)
        if (s->units[u].elements > most) most = s->units[u].elements;
    return most;
}

rt_status simulate_time_step(struct simulate_world *w, const struct simulate_step *s,
                             const char *gather_by, const char *reduce_by, double *seconds)
{
    struct simulate_exchange x;
    struct engine e = {.x = &x, .step = s};
    const struct simulate_machine m = {gather, reduce, wait_for, compute, &e};
    rt_status st = RT_OK;

    for (int i = 0; i < UNDER_WAY; i++) e.tickets[i] = -1;
    RT_TRY_OUT(simulate_exchange_open(w, gather_by, reduce_by, largest(s), &x));
    RT_TRY_OUT(simulate_align(w));
    const double start = simulate_now_s();
    RT_TRY_OUT(simulate_step_run(s, &m));
    *seconds = simulate_now_s() - start;
    RT_TRY_OUT(comm_max_f64(w->comm, seconds, 1));
out:
    simulate_exchange_close(&x);
    return st;
}
