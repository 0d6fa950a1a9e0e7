/* jobs/train/collectives.h - which algorithms a run's collectives take, and that they stay
 *
 * `shard.algorithm: auto` is decided once: by the tuning file `shard.tuning`, else by the cost
 * model with what the probe says of the network. What was taken stands in run.yaml as
 * `shard.chosen`, with the ranks and nodes that it is for; a resumed run on as many of both takes
 * it again, so that its sums keep their order, unless `wire` or `reduce` now forbid it. Replicas
 * (hybrid sharding) exchange other things between nodes than one shard over all of them does, so
 * what is chosen for the one is not the other's.
 */
#ifndef JOBS_TRAIN_COLLECTIVES_H
#define JOBS_TRAIN_COLLECTIVES_H

#include "comm/network.h"
#include "jobs/train/runfile.h"

enum { COLLECTIVES_NAME = 32, COLLECTIVES_TEXT = 160 };

struct collectives {
    struct comm_network network;
    struct comm_tuning *tuning;                              /* owned; NULL: none */
    char gather[COLLECTIVES_NAME], reduce[COLLECTIVES_NAME]; /* names, or auto */
};

/* Collective over world. RT_EINVAL: RECUA_NIC names what is not there. */
RT_NODISCARD rt_status collectives_open(const struct runfile *r, const struct comm_nodes *nodes,
                                        struct collectives *out);
void collectives_clear(struct collectives *c);
/* Lent to o: c must outlive it. */
void collectives_set(const struct collectives *c, struct shard_options *o);

/* "gather ring, reduce direct on 8 ranks of 4 nodes", and ", replicas" where the nodes are; read is
 * false where the text is for others, or none. */
void collectives_print(const char *gather, const char *reduce, int ranks, int nodes, bool replicas,
                       char out[COLLECTIVES_TEXT]);
bool collectives_read(const char *text, int ranks, int nodes, bool replicas,
                      char gather[COLLECTIVES_NAME], char reduce[COLLECTIVES_NAME]);

#endif
