/* comm/tuning.h - what was measured of this machine, and which algorithm it makes the fastest
 *
 * A tuning file is JSON written by `recua-bench comm --tune FILE`: the machine it is of, latency
 * and bandwidth a path class, reduction speed, and measured times of algorithms by operation and
 * size. A file of another machine, of another version, or damaged is ignored with a warning, and
 * the cost model decides with the defaults of the fabric.
 */
#ifndef COMM_TUNING_H
#define COMM_TUNING_H

#include <stdbool.h>
#include <stddef.h>

#include "comm/schedule/cost.h"
#include "runtime/status.h"

enum { COMM_TUNING_VERSION = 1 };

/* Measured: an operation of so many total bytes on this layout took so long. */
struct comm_tuning_row {
    comm_op op;
    char algorithm[48]; /* or "mpi:COLLECTIVE:ID": an algorithm of the MPI library */
    int ranks, nodes;
    size_t bytes;        /* of the whole unit, in `type` */
    rt_dtype type, wire; /* of what is gathered or summed; of what travels between nodes */
    double time_s;       /* median */
};

struct comm_tuning {
    char machine[192]; /* comm_tuning_machine */
    struct comm_costs costs;
    struct comm_tuning_row *rows; /* owned */
    size_t rows_count;
    size_t chunk_bytes; /* best; 0: not measured */
};

/* Name of this kind of machine: processor, fabric and rate, MPI library; no host name. */
void comm_tuning_machine(const char *library, const char *fabric, double rate_gbit, char *out,
                         size_t bytes);

const char *comm_tuning_op_name(comm_op op); /* all-gather, ... as in the file */

/* Read path. *out is NULL and RT_OK where the file is ignored (the warning says why): not there,
 * not readable, damaged, another version or machine. RT_ENOMEM. Not collective: rank 0 reads and
 * comm_tuning_text / _parse carry it to the others. */
RT_NODISCARD rt_status comm_tuning_read(const char *path, const char *machine,
                                        struct comm_tuning **out);
RT_NODISCARD rt_status comm_tuning_parse(const char *text, size_t bytes, const char *path,
                                         const char *machine, struct comm_tuning **out);
RT_NODISCARD rt_status comm_tuning_text(const struct comm_tuning *t, char **out); /* malloc'ed */
/* Whole or not at all: beside it first, then renamed. RT_EIO. */
RT_NODISCARD rt_status comm_tuning_write(const struct comm_tuning *t, const char *path);
void comm_tuning_destroy(struct comm_tuning **t);

/* The algorithm for one operation, and a line why, for --explain: from measured rows (interpolated
 * in log bytes between sizes) where there are any for this op, ranks and nodes; else by the cost
 * model over all that fit. exact and bf16 wire leave only those that are fit. Never NULL. Either t
 * or costs may be NULL: the model takes `costs`, or else t's. Not collective. With path_of NULL all ranks choose alike:
 * the model times rank 0; else it times l->rank, as seen from which path_of is, and where that
 * may differ one rank chooses and tells the others. */
const struct comm_algorithm *
comm_tuning_choose(const struct comm_tuning *t, const struct comm_costs *costs, comm_op op,
                   const struct comm_layout *l, const unsigned char *path_of, size_t slice,
                   rt_dtype unit, rt_dtype wire, bool exact, char *why, size_t why_bytes);

/* May this algorithm run this operation here? */
bool comm_algorithm_fits(const struct comm_algorithm *a, comm_op op, const struct comm_layout *l,
                         rt_dtype wire, bool exact);

/* An Open MPI rules file (coll_tuned_dynamic_rules_filename) from measured times of its own
 * algorithms: rows whose algorithm is "mpi:COLLECTIVE:ID". RT_EMISSING: there is no such row. */
RT_NODISCARD rt_status comm_tuning_write_rules(const struct comm_tuning *t, const char *path);

#endif
