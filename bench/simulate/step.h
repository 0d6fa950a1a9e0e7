/* bench/simulate/step.h - one training step as a static order of gathers, computing and reductions
 *
 * The order is that of shard/order.h: fills begin and reductions end where shard/lend.c has them,
 * once a micro-step. Two machines run it: SimGrid with the engine (smpi_step.c), and the
 * composition of measured collectives (compose.h). So what is compared differs in nothing else.
 */
#ifndef BENCH_SIMULATE_STEP_H
#define BENCH_SIMULATE_STEP_H

#include <stddef.h>
#include <stdio.h>

#include "runtime/status.h"

struct simulate_unit {
    size_t elements;
    double forward_s, backward_s; /* computing of one micro-step on one GPU */
};

struct simulate_step {
    struct simulate_unit *units; /* owned */
    int units_count;
    int micro_steps;
    int prefetch;
};

/* As text: "step MICRO_STEPS PREFETCH", then a line "unit ELEMENTS FORWARD_S BACKWARD_S" each.
 * RT_EIO, RT_EDATA (file and line). */
void simulate_step_write(const struct simulate_step *s, FILE *out);
RT_NODISCARD rt_status simulate_step_read(const char *path, struct simulate_step *out);
void simulate_step_clear(struct simulate_step *s);
double simulate_step_compute_s(const struct simulate_step *s); /* of all micro-steps */

/* What runs a step. Tickets are whatever the machine likes. */
struct simulate_machine {
    RT_NODISCARD rt_status (*gather)(void *context, int unit, int *ticket);
    RT_NODISCARD rt_status (*reduce)(void *context, int unit, int *ticket);
    RT_NODISCARD rt_status (*wait)(void *context, int ticket);
    RT_NODISCARD rt_status (*compute)(void *context, double seconds);
    void *context;
};

/* RT_ENOMEM, or the machine's. */
RT_NODISCARD rt_status simulate_step_run(const struct simulate_step *s,
                                         const struct simulate_machine *m);

#endif
