/* comm/engine.h - runs a schedule with MPI point-to-point calls
 *
 * A run is what one schedule needs while it is under way: requests, where it stands. It is made
 * once and used again and again. Messages are cut at 2^30 bytes; those of one run match by its
 * tag, in order.
 */
#ifndef COMM_ENGINE_H
#define COMM_ENGINE_H

#include "comm/group.h"
#include "comm/schedule.h"
#include "runtime/vector/vector.h"

/* The memory behind the spaces of a schedule. */
struct comm_spaces {
    void *unit;
    const float *const *local;
    float *own, *stage;
    void *wire;
    size_t block; /* elements */
    rt_dtype unit_type, wire_type;
    bool add; /* the reduce into OWN adds to what is there */
};

struct comm_run {
    const struct comm_schedule *schedule; /* lent, as the next two */
    const struct comm *comm;
    const struct rt_vector *vector;
    struct comm_spaces spaces;
    int tag;
    size_t round;          /* the one under way; rounds_count: none */
    MPI_Request *requests; /* owned */
    size_t requests_count, requests_capacity;
    const float **sources; /* owned: of one reduce */
};

/* block_bytes: of the largest block that it will ever send. Not collective. RT_ENOMEM. */
RT_NODISCARD rt_status comm_run_init(struct comm_run *run, const struct comm *comm,
                                     const struct comm_schedule *schedule,
                                     const struct rt_vector *vector, int tag, size_t block_bytes);
void comm_run_clear(struct comm_run *run);

/* Post the first round. / Do the rest and wait. RT_ECOMM. */
RT_NODISCARD rt_status comm_run_begin(struct comm_run *run, const struct comm_spaces *spaces);
RT_NODISCARD rt_status comm_run_end(struct comm_run *run);

#endif
