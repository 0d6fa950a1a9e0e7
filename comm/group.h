/* comm/group.h - what a group of ranks is inside this folder: an MPI communicator of our own */
#ifndef COMM_GROUP_H
#define COMM_GROUP_H

#include <mpi.h>

#include "comm/comm.h"

struct comm {
    MPI_Comm mpi; /* ours alone: nobody else's messages meet ours; errors return */
    int rank, size;
};

enum { COMM_CUT_BYTES = 1 << 30 }; /* the largest message: MPI counts are int */

/* RT_OK, or RT_ECOMM with MPI's own words. */
RT_NODISCARD rt_status comm_mpi(int code, const char *call);

/* comm/launch.c: the environment before MPI starts, and what it says of the launcher after. */
void comm_launch_defaults(void);
RT_NODISCARD rt_status comm_launch_check(int size);

/* comm/nodes.c: the first rank (of c) that shares memory with each rank: first (size). */
RT_NODISCARD rt_status comm_shared_with(const struct comm *c, int *first);

#endif
