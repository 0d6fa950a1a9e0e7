/* comm/exchange.h - one unit gathered into, and reduced out of, the windows of all nodes
 *
 * A unit is P equal slices of `slice` elements; world rank r owns slice r. Inside a node nothing
 * is sent: slices are written in place in the shared window. Between nodes each slice is carried
 * by the local ranks' own lanes, little data by one rank a node (comm/schedule/schedule.h). Without
 * a window (a simulator, a device) everything is sent, and unit and gradient buffers are the rank's
 * own.
 *
 *   post    hands a ticket to the engine and returns; the engine waits until its start flag is
 *           reached, casts the own slice into place, runs the schedule chunk by chunk, and
 *           signals its done flag
 *   wait    until this rank's share is done
 * Every rank posts the same operations in the same order. World size 1 takes the same path.
 *
 * Numbers  reduce: sums in fp32 in the algorithm's stated order, fixed, so a run repeats bit for
 *          bit. wire bf16: partial sums are rounded to bf16 when sent, added in fp32. exact: by
 *          binary trees, of which comm/exact.h says where they are one tree over all ranks
 */
#ifndef COMM_EXCHANGE_H
#define COMM_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "comm/comm.h"
#include "comm/schedule/schedule.h"
#include "comm/tuning.h"
#include "comm/window.h"
#include "runtime/dtype.h"
#include "runtime/vector/vector.h"

struct comm_exchange;

enum { COMM_TICKETS = 16 }; /* operations of a kind that may be under way on one exchange */

struct comm_exchange_options {
    const char *gather, *reduce; /* algorithms by name, or "auto" */
    bool hybrid;        /* OWN is a slice of the node's shard; comm_allreduce_own joins replicas */
    bool flat;          /* no window: `nodes` says who is near, but all is sent */
    bool exact;         /* tree sums; wire fp32, algorithm direct */
    rt_dtype wire;      /* of reduced data between nodes */
    rt_dtype unit;      /* of gathered units: what the choice of an algorithm reckons with */
    size_t slice_max;   /* elements of the largest slice */
    size_t block_max;   /* of the largest block of comm_allreduce_own; 0: slice_max */
    size_t chunk_bytes; /* of a block in fp32, on TCP of a gather as it travels; 0: as tuned, or
                           1 MiB, on TCP 256 KiB */
    int depth;          /* chunks in flight a ticket; 0: 4 */
    const struct comm_tuning *tuning; /* lent; NULL: the cost model of the fabric decides */
    const char *fabric;               /* "ib", "roce", "tcp"; NULL: tcp */
    double rate_gbit;                 /* of a node's NICs that jobs use, one way; 0: unknown */
    const struct rt_vector *vector;
    void *staging; /* comm_exchange_staging_bytes(), lent, private; NULL: nothing is reduced */
    unsigned ops;  /* which are wanted: bits 1u << COMM_GATHER ...; 0: gather and reduce */
    int gathering; /* gathers that may be under way at once: 0 means COMM_TICKETS */
    int reducing;  /* sums of each kind that may be: 0 means 1; staging is for each */
    bool fold;     /* simulators: all blocks of a unit lie at one place, contents mean nothing */
};

/* Not collective, and needs no MPI: only node, nodes, local_rank and first of `nodes` are read.
 * 0 also where an algorithm is not known or does not fit: create says so. */
size_t comm_exchange_staging_bytes(const struct comm_nodes *nodes,
                                   const struct comm_exchange_options *o);

/* The algorithm that such an exchange would take, by name, and why; "" where it is not known. Not
 * collective, and needs no MPI: as above, and leaf. */
const char *comm_exchange_choice(const struct comm_nodes *nodes,
                                 const struct comm_exchange_options *o, comm_op op, char *why,
                                 size_t why_bytes);

/* Collective over world. */
RT_NODISCARD rt_status comm_exchange_create(const struct comm_nodes *nodes,
                                            const struct comm_exchange_options *o,
                                            struct comm_exchange **out);
void comm_exchange_destroy(struct comm_exchange **x); /* all tickets have been waited for */

/* What auto chose, and a line why ("model: 1.2 ms, ring 1.9, direct 2.4"). */
const char *comm_exchange_algorithm(const struct comm_exchange *x, comm_op op);
void comm_exchange_explain(const struct comm_exchange *x, comm_op op, size_t slice, rt_dtype type,
                           FILE *out);

/* A counter in a window; window NULL: none. */
struct comm_flag {
    struct comm_window *window;
    int flag;
    uint64_t value;
};

struct comm_gather {
    void *unit; /* (P*slice of type) in this node's window, or the rank's own where flat */
    size_t slice;
    rt_dtype type;
    const float *own;       /* (slice) cast into place by the engine; NULL: it is in place */
    struct comm_flag start; /* of every local rank; before it `unit` is not touched */
    struct comm_flag done; /* signalled for this rank when its share has arrived; whole wants one */
    int name;              /* unit number, for records; -1 none */
};

struct comm_reduction {
    /* (local ranks, 1 where flat) of P*slice: the unit gradient buffers, complete at `start`. */
    const void *const *grads;
    rt_dtype type; /* of grads */
    float *own;    /* (slice) private: becomes, or with add gets added, the sum over all ranks */
    size_t slice;
    bool add;
    struct comm_flag start, done; /* done: this rank has read grads */
    int name;
};

/* fp32 sums of grads over all ranks, all of them, into unit (P*slice) as in comm_gather. */
struct comm_allreduction {
    const void *const *grads;
    rt_dtype type;
    float *unit;
    size_t slice;
    struct comm_flag start, done;
    int name;
};

/* A ticket: an index, valid until it has been waited for. */
typedef int comm_ticket;

/* Collective over world in the sense above; they return at once. RT_EINVAL: no ticket is free, a
 * slice is larger than announced, staging or a done flag is missing. What fails later, comm_exchange_wait returns. */
RT_NODISCARD rt_status comm_gather_post(struct comm_exchange *x, const struct comm_gather *g,
                                        comm_ticket *out);
RT_NODISCARD rt_status comm_reduce_post(struct comm_exchange *x, const struct comm_reduction *r,
                                        comm_ticket *out);
RT_NODISCARD rt_status comm_allreduce_post(struct comm_exchange *x,
                                           const struct comm_allreduction *r, comm_ticket *out);
/* hybrid: own (nodes*block) is summed in place over the ranks with this local rank of all nodes, not
 * before `start` is reached. */
RT_NODISCARD rt_status comm_allreduce_own_post(struct comm_exchange *x, float *own, size_t block,
                                               struct comm_flag start, int name, comm_ticket *out);

RT_NODISCARD rt_status comm_exchange_wait(struct comm_exchange *x, comm_ticket t);
bool comm_exchange_finished(struct comm_exchange *x, comm_ticket t); /* does not wait; polls */

/* Seconds that the operations waited for since the last call were under way, from their start flag
 * on, added up though some overlap. */
double comm_exchange_take_seconds(struct comm_exchange *x, comm_op op);

#endif
