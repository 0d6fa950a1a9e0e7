/* bench/comm/place.c - who is where: groups, nodes, host names, leaf switches */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/comm/run.h"
#include "comm/fabric/topology.h"

static rt_status find_hosts(struct bench_run *r)
{
    const size_t ranks = (size_t)comm_size(r->world);
    const struct comm_reader reader = comm_reader_at("");
    struct bench_host mine = {{0}, {0}};

    if (gethostname(mine.name, sizeof mine.name - 1) != 0) mine.name[0] = '?';
    comm_topology_leaf(&reader, mine.name, 0, mine.leaf, sizeof mine.leaf);
    r->host = calloc(ranks, sizeof *r->host);
    RT_TRY(comm_agree(r->world, r->host == NULL
                                    ? RT_FAIL(RT_ENOMEM, "no memory for %zu host names", ranks)
                                    : RT_OK));
    return comm_allgather(r->world, &mine, r->host, sizeof mine);
}

/* Group i has local rank i of every node: its ranks are one a node. */
static rt_status split(struct bench_run *r)
{
    struct comm_nodes *nodes = NULL;
    rt_status st = RT_OK;

    RT_TRY_OUT(comm_nodes_create(r->world, r->o->pretend, &nodes));
    for (int n = 0; n < nodes->nodes; n++)
        if (nodes->first[n + 1] - nodes->first[n] != nodes->first[1]) st = RT_EINVAL;
    if (st != RT_OK && comm_rank(r->world) == 0)
        st = RT_FAIL(RT_EINVAL,
                     "--split wants as many ranks on every node, here %d ranks on %d "
                     "nodes are not: start the same number everywhere",
                     comm_size(r->world), nodes->nodes);
    RT_TRY_OUT(comm_agree(r->world, st));
    r->groups = nodes->first[1];
    RT_TRY_OUT(comm_split(r->world, nodes->local_rank, nodes->node, &r->lane));
    r->group = r->lane;
out:
    comm_nodes_destroy(&nodes);
    return st;
}

/* Kind as training takes it; rate of the slowest node's link. On one host no link is crossed. */
static rt_status find_network(struct bench_run *r)
{
    struct comm_network mine;
    double slowest = 0; /* minus the rate, so that the largest is the slowest; 0: not known */

    RT_TRY(comm_network_share(r->world, &r->network));
    r->fabric = r->nodes->nodes == 1 && !r->o->flat ? "shared" : r->network.kind;
    if (r->hosts->nodes > 1) {
        RT_TRY(comm_agree(r->world, comm_network_probe(&mine)));
        slowest = -mine.gbit_per_s;
        RT_TRY(comm_max_f64(r->world, &slowest, 1));
    }
    r->node_rate = (r->o->rate_gbit > 0 ? r->o->rate_gbit : -slowest) * 1e9 / 8;
    return RT_OK;
}

static bool damage_here(const char *text, int rank)
{
    return text != NULL && *text != '\0' && atoi(text) == rank;
}

rt_status bench_place_create(struct bench_run *r)
{
    r->group = r->world;
    r->groups = 1;
    if (r->o->split) RT_TRY(split(r));
    RT_TRY(comm_nodes_create(r->world, 0, &r->hosts));
    RT_TRY(comm_nodes_create(r->group, r->o->split ? 1 : r->o->pretend, &r->nodes));
    RT_TRY(find_hosts(r));
    r->layout = (struct comm_layout){.size = comm_size(r->group),
                                     .rank = comm_rank(r->group),
                                     .nodes = r->nodes->nodes,
                                     .first = r->nodes->first,
                                     .window = !r->o->flat};
    r->flip_rank =
        damage_here(getenv("RECUA_BENCH_FLIP"), comm_rank(r->world)) ? comm_rank(r->world) : -1;
    bench_values_init(&r->values, comm_size(r->group));
    return find_network(r);
}

const struct bench_host *bench_host_of(const struct bench_run *r, int group_rank)
{
    return &r->host[group_rank * r->groups]; /* a lane has one rank of each node, all alike */
}

void bench_place_destroy(struct bench_run *r)
{
    comm_nodes_destroy(&r->nodes);
    comm_nodes_destroy(&r->hosts);
    comm_destroy(&r->lane);
    free(r->host);
    r->host = NULL;
}
