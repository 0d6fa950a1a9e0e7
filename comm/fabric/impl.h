/* comm/fabric/impl.h - the steps of the probe, in the order in which probe.c takes them
 *
 * Each fills its part of the struct and adds warnings. None fails but comm_fabric_wish.
 */
#ifndef COMM_FABRIC_IMPL_H
#define COMM_FABRIC_IMPL_H

#include "comm/fabric/fabric.h"

/* Add a warning; when there is no room, the last one counts what is left out. */
void comm_fabric_warn(struct comm_fabric *f, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Read one value of the tree and warn where it is there but no value. The message names path and
 * what stood there. out is untouched unless all is well. */
bool comm_fabric_integer(struct comm_fabric *f, const struct comm_reader *r, const char *path,
                         long long least, long long most, int *out);
/* "" where there is none. */
bool comm_fabric_line(struct comm_fabric *f, const struct comm_reader *r, const char *path,
                      char *out, size_t size);

/* Not a name that the kernel gives a device: too long, empty, or with other bytes than letters,
 * digits and _-.:@ in it. */
bool comm_fabric_name_is_odd(const char *name);

void comm_fabric_read_nets(struct comm_fabric *f, const struct comm_reader *r); /* nets.c */
void comm_fabric_read_numa(struct comm_fabric *f, const struct comm_reader *r); /* numa.c */
void comm_fabric_read_nics(struct comm_fabric *f, const struct comm_reader *r); /* nics.c */
void comm_fabric_read_gids(struct comm_fabric *f, const struct comm_reader *r,  /* gids.c */
                           struct comm_nic *nic, bool *v2);
comm_nic_driver comm_fabric_driver(const struct comm_reader *r, const char *device, char *name,
                                   size_t size); /* driver.c */

/* wish.c: which NICs the user allows: allowed (nic_count). */
RT_NODISCARD rt_status comm_fabric_wish(struct comm_fabric *f, const struct comm_reader *r,
                                        bool *allowed);
void comm_fabric_decide(struct comm_fabric *f, const bool *allowed);         /* kind.c */
void comm_fabric_settle(struct comm_fabric *f, const struct comm_reader *r); /* settings.c */
void comm_fabric_judge(struct comm_fabric *f, const struct comm_reader *r);  /* warnings.c */

/* driver.c: what Open MPI's pml/ucx does with the device by itself. */
bool comm_nic_is_mlx(const struct comm_nic *n);    /* NVIDIA's, whatever its name */
bool comm_nic_is_picked(const struct comm_nic *n); /* its name is mlx* */

/* settings.c: is pml/ucx kept out by Open MPI's own file? */
bool comm_fabric_ucx_disabled(const struct comm_reader *r);

#endif
