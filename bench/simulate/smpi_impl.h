/* bench/simulate/smpi_impl.h - the program that SimGrid runs: Recua's engine on a simulated cluster
 *
 * All ranks run in one thread of one process, so nothing here keeps state outside of `world`.
 * Memory is folded: every block of every buffer is one scratch area, whose contents mean nothing.
 */
#ifndef BENCH_SIMULATE_SMPI_IMPL_H
#define BENCH_SIMULATE_SMPI_IMPL_H

#include "bench/simulate/rows.h"
#include "comm/exchange.h"

struct simulate_world {
    struct comm *comm;
    struct comm_nodes nodes; /* made by hand: simulated hosts share no memory */
    int per_node;
    const char *fabric; /* its name, for rows */
    unsigned seed;
    rt_dtype wire;
    size_t chunk_bytes; /* 0: the engine's */
    int depth;          /* 0: the engine's */
};

/* An exchange whose largest unit has so many elements, and its memory. */
struct simulate_exchange {
    struct simulate_world *world;
    struct comm_exchange *exchange;
    void *scratch, *staging; /* shared by all ranks */
    const void *grads[1];
};
RT_NODISCARD rt_status simulate_exchange_open(struct simulate_world *w, const char *gather,
                                              const char *reduce, size_t elements,
                                              struct simulate_exchange *out);
void simulate_exchange_close(struct simulate_exchange *x);
/* Post a collective of a unit of so many elements. */
RT_NODISCARD rt_status simulate_gather_post(struct simulate_exchange *x, size_t elements,
                                            comm_ticket *ticket);
RT_NODISCARD rt_status simulate_reduce_post(struct simulate_exchange *x, size_t elements,
                                            comm_ticket *ticket);

double simulate_now_s(void);         /* simulated */
void simulate_sleep(double seconds); /* simulated */
/* All ranks go on at the same simulated time. Collective over the world. */
RT_NODISCARD rt_status simulate_align(const struct simulate_world *w);

/* One collective, timed on the slowest rank. Collective. */
RT_NODISCARD rt_status simulate_time_collective(struct simulate_world *w, const char *op,
                                                const char *algorithm, size_t elements,
                                                double *seconds);
/* One whole step with its computing, timed on the slowest rank. Collective. */
RT_NODISCARD rt_status simulate_time_step(struct simulate_world *w, const struct simulate_step *s,
                                          const char *gather, const char *reduce, double *seconds);

/* No arithmetic: contents mean nothing. */
extern const struct rt_vector simulate_vector;

#endif
