/* comm/traffic.h - plain messages between ranks, timed: what a benchmark of links needs
 *
 * All of it runs on the thread that owns MPI, so that no handover is timed. Messages above 2^30
 * bytes are cut. The barrier is our own (dissemination, point to point): a library's may let some
 * ranks out much earlier than others.
 * Source   Hensgen, Finkel, Manber 1988, "Two algorithms for barrier synchronization"
 */
#ifndef COMM_TRAFFIC_H
#define COMM_TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>

#include "comm/comm.h"

struct comm_message {
    int peer; /* rank of the group */
    bool send;
    void *at; /* lent; nothing is written where send */
    size_t bytes;
};

/* Collective over c. RT_ECOMM, as everything here. */
RT_NODISCARD rt_status comm_traffic_barrier(const struct comm *c);
/* The same, called on the thread that owns MPI. */
RT_NODISCARD rt_status comm_traffic_meet(const struct comm *c);

/* A barrier over `all`, then the messages of this rank: receives are posted, then sends, then all
 * are waited for. *seconds: of this rank, barrier not included. Collective over all; the messages
 * of a group c match in their order between two ranks. */
RT_NODISCARD rt_status comm_traffic_time(const struct comm *all, const struct comm *c,
                                         const struct comm_message *messages, int count,
                                         double *seconds);

/* Half of a round trip between this rank and its peer (-1: it has none), the mean of `times` in a
 * row; all pairs at once, each with one rank that throws first. at (bytes) is sent and written.
 * *seconds of this rank, 0 without a peer. Collective over c. */
RT_NODISCARD rt_status comm_traffic_pingpong(const struct comm *c, int peer, bool first, void *at,
                                             size_t bytes, int times, double *seconds);

/* What one of many small messages in a row from a to b costs the sender, *seconds on all ranks. */
RT_NODISCARD rt_status comm_traffic_overhead(const struct comm *c, int a, int b, int times,
                                             double *seconds);

#endif
