/* comm/nodes.c - the world as nodes: as the machine is, or pretended for tests */
#include "comm/group.h"

#include <stdlib.h>

struct shared {
    const struct comm *c;
    int lowest;
};

static rt_status find_lowest(void *arg)
{
    struct shared *s = arg;
    MPI_Comm shared = MPI_COMM_NULL;
    rt_status st;

    s->lowest = s->c->rank;
    RT_TRY_OUT(comm_mpi(
        MPI_Comm_split_type(s->c->mpi, MPI_COMM_TYPE_SHARED, s->c->rank, MPI_INFO_NULL, &shared),
        "MPI_Comm_split_type"));
    /* Rank 0 of the shared group is the lowest of c: the key says so. */
    st = comm_mpi(MPI_Bcast(&s->lowest, 1, MPI_INT, 0, shared), "MPI_Bcast");
out:
    if (shared != MPI_COMM_NULL) MPI_Comm_free(&shared);
    return st;
}

rt_status comm_shared_with(const struct comm *c, int *first)
{
    struct shared s = {.c = c};

    RT_TRY(comm_run_on(c, find_lowest, &s));
    return comm_allgather(c, &s.lowest, first, sizeof s.lowest);
}

/* Fill node (size) with the node of each rank. Every rank computes the same from the same. */
static rt_status group(const int *shared, int size, int ranks_per_node, int *node)
{
    int nodes = 0;

    for (int r = 0; r < size; r++) {
        if (ranks_per_node > 0) {
            int start = r - r % ranks_per_node;
            if (shared[r] != shared[start])
                return RT_FAIL(RT_EINVAL,
                               "ranks per node is %d, but ranks %d and %d share no memory: give a "
                               "number that divides the ranks of a machine, or 0",
                               ranks_per_node, start, r);
            node[r] = r / ranks_per_node;
            continue;
        }
        if (r > 0 && shared[r] < shared[r - 1])
            return RT_FAIL(RT_EINVAL, "the ranks of a node are not neighbours in this group");
        if (r == 0 || shared[r] != shared[r - 1]) nodes++;
        node[r] = nodes - 1;
    }
    return RT_OK;
}

static void fill(struct comm_nodes *n, const int *node)
{
    const int size = n->world->size, rank = n->world->rank;

    n->nodes = node[size - 1] + 1;
    n->node = node[rank];
    for (int r = size - 1; r >= 0; r--) n->first[node[r]] = r;
    n->first[n->nodes] = size;
    n->local_rank = rank - n->first[n->node];
    n->local_size = n->first[n->node + 1] - n->first[n->node];
}

/* A node's leaf is that of its first rank. */
static rt_status copy_leaves(struct comm_nodes *n)
{
    if (n->world->leaf == NULL) return RT_OK;
    n->leaf = calloc((size_t)n->nodes, sizeof *n->leaf);
    if (n->leaf == NULL) return RT_FAIL(RT_ENOMEM, "a table of %d nodes", n->nodes);
    for (int i = 0; i < n->nodes; i++) n->leaf[i] = n->world->leaf[n->first[i]];
    return RT_OK;
}

rt_status comm_nodes_create(struct comm *world, int ranks_per_node, struct comm_nodes **out)
{
    const size_t size = (size_t)world->size;
    struct comm_nodes *n = calloc(1, sizeof *n);
    int *shared = calloc(size, sizeof *shared), *node = calloc(size, sizeof *node);
    rt_status st = RT_OK;

    *out = NULL;
    if (n != NULL) n->first = calloc(size + 1, sizeof *n->first);
    if (n == NULL || n->first == NULL || shared == NULL || node == NULL)
        st = RT_FAIL(RT_ENOMEM, "tables of %zu ranks", size);
    else if (ranks_per_node < 0)
        st = RT_FAIL(RT_EINVAL, "ranks per node is %d, must be 0 (as the machine is) or more",
                     ranks_per_node);
    RT_TRY_OUT(comm_agree(world, st));
    n->world = world;
    RT_TRY_OUT(comm_shared_with(world, shared));
    RT_TRY_OUT(group(shared, world->size, ranks_per_node, node));
    fill(n, node);
    RT_TRY_OUT(comm_agree(world, copy_leaves(n)));
    RT_TRY_OUT(comm_split(world, n->node, world->rank, &n->local));
    *out = n;
    n = NULL; /* the caller's now */
out:
    free(shared);
    free(node);
    comm_nodes_destroy(&n);
    return st;
}

void comm_nodes_destroy(struct comm_nodes **n)
{
    if (*n == NULL) return;
    comm_destroy(&(*n)->local);
    free((*n)->first);
    free((*n)->leaf);
    free(*n);
    *n = NULL;
}
