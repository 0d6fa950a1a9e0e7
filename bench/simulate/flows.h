/* bench/simulate/flows.h - how long a collective takes when its messages share links max-min fairly
 *
 * A flow solver beside SimGrid: it splits a message over several paths, which SimGrid cannot, and
 * needs seconds where that needs minutes. It reads the schedules of all ranks, round by round.
 *
 * Model    all ranks begin a round together and wait for the slowest (step-synchronous); a message
 *          takes the latency of its links and then its bytes at the rate that it gets; rates are
 *          max-min fair, anew whenever flows end. Bytes are split evenly over the fabric's paths.
 *          One pass over the blocks: nothing is cut into chunks, local steps take no time
 * Limits   no loss, no pause frames, no congestion control; where messages collide, ranks that
 *          are ahead would start their next round early: then this is an upper bound
 * Source   Bertsekas and Gallager 1992, "Data Networks", section 6.5.2 (max-min fairness)
 */
#ifndef BENCH_SIMULATE_FLOWS_H
#define BENCH_SIMULATE_FLOWS_H

#include <stddef.h>

#include "bench/simulate/topology.h"
#include "comm/schedule/schedule.h"

struct simulate_message {
    int from, to;
    double bytes;
};

/* Until the last of these messages has arrived, all of them sent at 0. RT_ENOMEM. */
RT_NODISCARD rt_status simulate_messages_s(const struct simulate_fabric *f,
                                           const struct simulate_message *messages, size_t count,
                                           double *seconds);

struct simulate_collective {
    const struct comm_algorithm *algorithm;
    comm_op op;
    size_t slice; /* elements of a rank's slice */
    rt_dtype unit, wire;
};

/* One collective over all ranks of the fabric, its nodes the fabric's, everything sent by messages
 * (no window). RT_ENOMEM; RT_EINVAL: more messages than SIMULATE_MOST_MESSAGES. */
enum { SIMULATE_MOST_MESSAGES = 1 << 24 };
RT_NODISCARD rt_status simulate_collective_s(const struct simulate_fabric *f,
                                             const struct simulate_collective *c, double *seconds);

#endif
