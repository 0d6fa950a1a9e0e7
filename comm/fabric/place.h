/* comm/fabric/place.h - where a rank is, as its launcher's environment says before MPI starts
 *
 * Open MPI's mpirun, MPICH's mpiexec and srun are known. Not collective.
 */
#ifndef COMM_FABRIC_PLACE_H
#define COMM_FABRIC_PLACE_H

#include "comm/fabric/reader.h"

struct comm_location {
    int rank, ranks; /* -1 and 0 where unknown */
    int local_rank, local_ranks;
    int nodes; /* 1 without a launcher */
};

void comm_location_read(const struct comm_reader *r, struct comm_location *out);

#endif
