/* bench/simulate/compose.h - a step put together from collectives that were simulated once
 *
 * Fit      every (fabric, ranks, operation, algorithm) is simulated at two sizes; its time is
 *          alpha + beta * bytes between and beyond them
 * Model    the collectives of a step go through one engine: those under way share the network
 *          evenly (each slows the others by their number), computing goes on meanwhile
 */
#ifndef BENCH_SIMULATE_COMPOSE_H
#define BENCH_SIMULATE_COMPOSE_H

#include "bench/simulate/step.h"

struct simulate_fit {
    double alpha_s, beta_s_per_element; /* of the whole unit's elements */
};

/* Through two points. RT_EINVAL: the same size twice. */
RT_NODISCARD rt_status simulate_fit_points(double elements_a, double a_s, double elements_b,
                                           double b_s, struct simulate_fit *out);
double simulate_fit_s(const struct simulate_fit *f, size_t elements);

struct simulate_result {
    double step_s, compute_s;
    double comm_s; /* all collectives, one after the other */
    double hidden; /* share of comm_s that computing covers, 0..1; 1 where nothing is sent */
};

/* RT_ENOMEM. */
RT_NODISCARD rt_status simulate_compose(const struct simulate_step *s,
                                        const struct simulate_fit *gather,
                                        const struct simulate_fit *reduce,
                                        struct simulate_result *out);

/* hidden out of the other three. */
void simulate_result_finish(struct simulate_result *r);

#endif
