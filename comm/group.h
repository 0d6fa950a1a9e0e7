/* comm/group.h - what a group of ranks is inside this folder: an MPI communicator of our own */
#ifndef COMM_GROUP_H
#define COMM_GROUP_H

#include <mpi.h>
#include <stdbool.h>

#include "comm/comm.h"

struct comm_engine;

struct comm {
    MPI_Comm mpi; /* ours alone: nobody else's messages meet ours; errors return */
    int rank, size;
    int *
        leaf; /* owned: (size) equal numbers share a leaf switch, -1 unknown; NULL: none is known */
    struct comm_engine *engine; /* lent: of this rank, the same for all its groups */
};

enum { COMM_CUT_BYTES = 1 << 30 }; /* the largest message: MPI counts are int */

/* RT_OK, or RT_ECOMM with MPI's own words. */
RT_NODISCARD rt_status comm_mpi(int code, const char *call);

/* Run f on the thread that owns MPI, and wait for its status. f makes MPI calls and nothing that
 * waits for another call of this rank. */
RT_NODISCARD rt_status comm_run_on(const struct comm *c, rt_status (*f)(void *), void *arg);

/* The same for an operation of all ranks of c: with a record of it, as waited for. op: static. */
RT_NODISCARD rt_status comm_run_operation(const struct comm *c, const char *op, uint64_t bytes,
                                          rt_status (*f)(void *), void *arg);

/* For such f: wait for *request while everything else that is under way moves on. */
RT_NODISCARD rt_status comm_wait_request(const struct comm *c, MPI_Request *request,
                                         const char *call);

/* comm/launch.c: the environment before MPI starts, and what it says of the launcher after. */
RT_NODISCARD rt_status comm_launch_defaults(void); /* RT_EINVAL: the user named a NIC that is not */
RT_NODISCARD rt_status comm_launch_check(const struct comm *world);
/* What RECUA_COMM says (thread or poll), else what suits: a thread where there are several nodes
 * and a core to spare. RT_EINVAL: it says something else. */
RT_NODISCARD rt_status comm_launch_progress(bool *thread);

/* comm/nodes.c: the first rank (of c) that shares memory with each rank: first (size). */
RT_NODISCARD rt_status comm_shared_with(const struct comm *c, int *first);

/* comm/order.c: the same ranks in an order in which those of a leaf switch and those of a node are
 * neighbours. *world is replaced where the order changes. Collective. */
RT_NODISCARD rt_status comm_order_by_place(struct comm **world);

#endif
