/* bench/simulate/compose.c - the machine of step.h whose collectives take their fitted time */
#include "bench/simulate/compose.h"

#include <math.h>

rt_status simulate_fit_points(double elements_a, double a_s, double elements_b, double b_s,
                              struct simulate_fit *out)
{
    if (!(fabs(elements_a - elements_b) > 0))
        return RT_FAIL(RT_EINVAL, "a line through one size, %g elements: simulate two sizes",
                       elements_a);
    out->beta_s_per_element = (b_s - a_s) / (elements_b - elements_a);
    out->alpha_s = a_s - out->beta_s_per_element * elements_a;
    return RT_OK;
}

double simulate_fit_s(const struct simulate_fit *f, size_t elements)
{
    return fmax(0, f->alpha_s + f->beta_s_per_element * (double)elements);
}

enum { TICKETS = 64 }; /* more than a step ever has under way */

struct network {
    const struct simulate_step *step;
    const struct simulate_fit *gather, *reduce;
    double left_s[TICKETS]; /* of each ticket, had it the network alone; 0: done */
    int next, active;
    double now_s, comm_s;
};

static rt_status post(struct network *n, double seconds, int *ticket)
{
    if (n->left_s[n->next] > 0)
        return RT_FAIL(RT_EINVAL, "more than %d collectives under way", TICKETS);
    *ticket = n->next;
    n->left_s[n->next] = seconds;
    n->next = (n->next + 1) % TICKETS;
    n->active += seconds > 0;
    n->comm_s += seconds;
    return RT_OK;
}

static rt_status gather(void *context, int unit, int *ticket)
{
    struct network *n = context;
    return post(n, simulate_fit_s(n->gather, n->step->units[unit].elements), ticket);
}

static rt_status reduce(void *context, int unit, int *ticket)
{
    struct network *n = context;
    return post(n, simulate_fit_s(n->reduce, n->step->units[unit].elements), ticket);
}

/* Until the next collective ends, or for `most_s`; how long that was. */
static double go_on(struct network *n, double most_s)
{
    double least = INFINITY;

    for (int i = 0; i < TICKETS; i++)
        if (n->left_s[i] > 0) least = fmin(least, n->left_s[i]);
    const double step = fmin(most_s, least * n->active);
    for (int i = 0; i < TICKETS; i++) {
        if (!(n->left_s[i] > 0)) continue;
        if (step >= least * n->active && n->left_s[i] <= least * (1 + 1e-12))
            n->left_s[i] = 0;
        else
            n->left_s[i] -= step / n->active;
    }
    n->active = 0;
    for (int i = 0; i < TICKETS; i++) n->active += n->left_s[i] > 0;
    n->now_s += step;
    return step;
}

static rt_status wait_for(void *context, int ticket)
{
    struct network *n = context;

    while (n->left_s[ticket] > 0) (void)go_on(n, INFINITY);
    return RT_OK;
}

static rt_status compute(void *context, double seconds)
{
    struct network *n = context;

    while (n->active > 0 && seconds > 0) seconds -= go_on(n, seconds);
    n->now_s += fmax(0, seconds);
    return RT_OK;
}

void simulate_result_finish(struct simulate_result *r)
{
    const double exposed = fmax(0, r->step_s - r->compute_s);
    r->hidden = r->comm_s > 0 ? fmax(0, 1 - exposed / r->comm_s) : 1;
}

rt_status simulate_compose(const struct simulate_step *s, const struct simulate_fit *gather_fit,
                           const struct simulate_fit *reduce_fit, struct simulate_result *out)
{
    struct network n = {.step = s, .gather = gather_fit, .reduce = reduce_fit};
    const struct simulate_machine m = {gather, reduce, wait_for, compute, &n};

    RT_TRY(simulate_step_run(s, &m));
    *out = (struct simulate_result){
        .step_s = n.now_s, .compute_s = simulate_step_compute_s(s), .comm_s = n.comm_s};
    simulate_result_finish(out);
    return RT_OK;
}
