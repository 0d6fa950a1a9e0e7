/* jobs/train/collectives.c - see collectives.h */
#include "jobs/train/collectives.h"

#include <stdio.h>
#include <string.h>

void collectives_print(const char *gather, const char *reduce, int ranks, int nodes, bool replicas,
                       char out[COLLECTIVES_TEXT])
{
    snprintf(out, COLLECTIVES_TEXT, "gather %s, reduce %s on %d ranks of %d nodes%s", gather,
             reduce, ranks, nodes, replicas ? ", replicas" : "");
}

bool collectives_read(const char *text, int ranks, int nodes, bool replicas,
                      char gather[COLLECTIVES_NAME], char reduce[COLLECTIVES_NAME])
{
    char again[COLLECTIVES_TEXT], g[COLLECTIVES_NAME], r[COLLECTIVES_NAME];

    if (sscanf(text, "gather %31[a-z-], reduce %31[a-z-]", g, r) != 2) return false;
    collectives_print(g, r, ranks, nodes, replicas, again);
    if (strcmp(again, text) != 0) return false;
    if (comm_algorithm_find(g) == NULL || comm_algorithm_find(r) == NULL) return false;
    memcpy(gather, g, sizeof g);
    memcpy(reduce, r, sizeof r);
    return true;
}

/* The run may have changed its wire or its kind of sums since. */
static bool still_fits(const struct runfile *r, const char *reduce)
{
    const struct comm_algorithm *a = comm_algorithm_find(reduce);

    if (r->reduce == RUNFILE_REDUCE_EXACT && !a->exact) return false;
    return r->wire == RT_F32 || !a->fp32_only;
}

rt_status collectives_open(const struct runfile *r, const struct comm_nodes *nodes,
                           struct collectives *out)
{
    struct comm *world = nodes->world;
    const bool automatic = strcmp(r->shard.algorithm, "auto") == 0;

    *out = (struct collectives){.tuning = NULL};
    if (automatic &&
        collectives_read(r->shard.chosen, comm_size(world), nodes->nodes,
                         r->shard.mode == SHARD_HYBRID, out->gather, out->reduce) &&
        still_fits(r, out->reduce))
        return RT_OK;
    snprintf(out->gather, sizeof out->gather, "%s", r->shard.algorithm);
    snprintf(out->reduce, sizeof out->reduce, "%s", r->shard.algorithm);
    if (nodes->nodes == 1) return RT_OK; /* nothing is sent: nothing to choose */
    RT_TRY(comm_network_share(world, &out->network));
    return comm_network_tuning(world, &out->network, r->shard.tuning, &out->tuning);
}

void collectives_clear(struct collectives *c) { comm_tuning_destroy(&c->tuning); }

void collectives_set(const struct collectives *c, struct shard_options *o)
{
    o->gather = c->gather;
    o->reduce = c->reduce;
    o->tuning = c->tuning;
    o->fabric = c->network.kind[0] == '\0' ? NULL : c->network.kind;
    o->rate_gbit = c->network.gbit_per_s;
}
