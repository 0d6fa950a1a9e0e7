/* comm/baseline_force.h - which algorithm Open MPI's next communicators use, through MPI_T
 *
 * Called on the thread that owns MPI.
 */
#ifndef COMM_BASELINE_FORCE_H
#define COMM_BASELINE_FORCE_H

#include <stdbool.h>

#include "comm/baseline_mpi.h"

/* Are the variables there, and do new communicators read them? */
bool comm_force_possible(void);

/* Communicators made from now on use this algorithm; id 0: the library's choice again. RT_EMISSING
 * where there is no such variable. */
RT_NODISCARD rt_status comm_force(comm_mpi_collective c, int id);

#endif
