/* comm/schedule/cost.h - the third reader: how long a schedule takes on a fabric
 *
 * Units    seconds, bytes, seconds a byte
 * Model    LogGP in short: a round costs the largest alpha of its peers, overhead a message, and
 *          the bytes that this rank sends or receives (the larger) over each path class, times
 *          beta and the contention of the pattern (cost.c says of which); then gamma a byte that
 *          local steps read or write. Chunks in flight overlap the two: the larger counts, plus
 *          one chunk of the other. With a window, one barrier more
 * Limits   of one rank: it asks nobody. Knows neither incast nor what the staging costs, so that
 *          direct never looks slower than a ring where nothing is hashed; measured times tell
 * Source   Alexandrov et al. 1995, "LogGP"; Thakur et al. 2005, "Optimization of Collective
 *          Communication Operations in MPICH"
 */
#ifndef COMM_SCHEDULE_COST_H
#define COMM_SCHEDULE_COST_H

#include "comm/schedule/schedule.h"

typedef enum { COMM_PATH_NODE, COMM_PATH_LEAF, COMM_PATH_CROSS, COMM_PATHS } comm_path;

struct comm_costs {
    double alpha_s[COMM_PATHS];         /* first byte, one way */
    double beta_s_per_byte[COMM_PATHS]; /* of one rank while all ranks of its node send */
    double alone; /* how many times faster it is off the node while they do not; 0: unknown, once */
    double overhead_s;       /* of a message, on this rank's processor */
    double gamma_s_per_byte; /* read or written by copy and reduce */
    double barrier_s;        /* the ranks of a node meet once */
    /* What static hashing makes of beta on CROSS where all ranks of a leaf send out of it: 1 on
     * InfiniBand and adaptive routing; measured or simulated for ECMP. */
    double doubling_contention;
};

/* Figures of a fabric by its kind and rate, where nothing was measured: "ib", "roce", "tcp",
 * "shared"; any other name: as tcp. rate_gbit: of a node's NICs, one way; 0: unknown, an honest small
 * guess. The betas off the node are those of one rank a node: see comm_costs_share. */
void comm_costs_default(const char *fabric, double rate_gbit, struct comm_costs *out);
/* So many ranks of a node send through its NICs at once. */
void comm_costs_share(struct comm_costs *c, int ranks);

/* path_of (size): the class of each world rank as seen from l->rank; NULL: NODE for ranks of the
 * same node, LEAF else. Types of unit and wire as in the engine; LOCAL counts as fp32.
 * chunk_bytes: of a block in fp32; 0: blocks are not cut. Not collective. RT_ENOMEM. */
RT_NODISCARD rt_status comm_cost(const struct comm_algorithm *a, comm_op op,
                                 const struct comm_layout *l, const unsigned char *path_of,
                                 size_t slice_elements, rt_dtype unit, rt_dtype wire,
                                 size_t chunk_bytes, const struct comm_costs *c, double *seconds);

#endif
