/* comm/fabric_pml.h - what MPI sends with, once it has started: did it quietly fall back to TCP?
 *
 * Open MPI has no question for this. What it has is MPI_T: a component that is not used is closed,
 * and its control variables go with it. So the pml_* and btl_* variables that are left name what
 * is in use (seen with Open MPI 4.1, whose pml/ucx alone may leave its own behind when pml/ob1 is
 * chosen; where pml/ob1 has some, it is ob1).
 *
 * It sees     pml/ob1 without a btl for RDMA: TCP between nodes; pml/ucx; pml/cm
 * It cannot   see which transport UCX took inside. With UCX_NET_DEVICES naming RDMA ports, as the
 *             probe sets it, UCX has no TCP to fall back to. Other MPIs say nothing here: compare
 *             counters around a message instead (comm/fabric/counters.h, comm_counters_carried).
 */
#ifndef COMM_FABRIC_PML_H
#define COMM_FABRIC_PML_H

#include <stdbool.h>

#include "comm/fabric/fabric.h"
#include "runtime/status.h"

typedef enum { COMM_PML_UNKNOWN, COMM_PML_TCP, COMM_PML_RDMA, COMM_PML_UCX, COMM_PML_CM } comm_pml;

/* After MPI_Init, on the thread that owns MPI. Not collective. */
comm_pml comm_pml_read(void);

/* True where the node's fabric and settings promise RDMA and MPI is on TCP. */
bool comm_pml_fell_back(const struct comm_fabric *f, comm_pml used);

/* For comm_init: on several nodes, probe again and warn on the first rank if MPI fell back. */
void comm_pml_check(void);

#endif
