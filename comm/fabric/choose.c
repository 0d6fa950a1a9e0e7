/* comm/fabric/choose.c - which NICs each of a node's ranks uses
 *
 * Every rank works out the choice of all of them in the same way, so that they agree without a
 * word: in order of rank, each takes the nearest rail that still has room, of those the first.
 * With fewer ranks than rails each takes several. A rail has room for ceil(ranks / rails).
 *
 * How ranks lie on NUMA nodes is a guess that a rank can check on itself: in turn (ranks 0 1 2 3 on
 * nodes 0 1 0 1, what mpirun and srun do unasked), or in blocks (0 0 1 1, which is also taken for
 * ranks that may run anywhere). A rank that neither fits takes what is near it.
 */
#include "comm/fabric/impl.h"

enum { MOST_LOCAL = 4096, UNKNOWN_DISTANCE = 255 };

/* The places of the NUMA nodes that have CPUs. */
static int nodes_with_cpus(const struct comm_numa *m, int *places)
{
    int n = 0;

    for (int i = 0; i < m->count; i++)
        if (!m->bare[i]) places[n++] = i;
    return n;
}

static int distance(const struct comm_fabric *f, int place, int nic)
{
    const struct comm_numa *m = &f->numa;

    for (int i = 0; i < m->count && place >= 0; i++)
        if (m->id[i] == f->nics[nic].numa) return m->distance[place][i];
    return UNKNOWN_DISTANCE;
}

/* The nearest rail with room: its place in rails, or -1. */
static int nearest(const struct comm_fabric *f, int place, const int *room)
{
    int best = -1, best_distance = 0;

    for (int i = 0; i < (int)f->rail_count; i++) {
        int d = distance(f, place, f->rails[i]);
        if (room[i] == 0 || (best >= 0 && d >= best_distance)) continue;
        best = i;
        best_distance = d;
    }
    return best;
}

static int in_blocks(int rank, int ranks, int nodes)
{
    return (int)((long long)rank * nodes / ranks);
}

/* Do ranks lie on the NUMA nodes in turn, as far as this rank can see on itself? */
static bool in_turn(const struct comm_fabric *f, const int *places, int nodes)
{
    const int rank = f->place.local_rank, ranks = f->place.local_ranks, mine = f->numa.mine;

    if (nodes < 2 || mine < 0 || rank < 0 || rank >= ranks) return false;
    const int block = in_blocks(rank, ranks, nodes);
    if (places[rank % nodes] != mine) return false;
    if (places[block] != mine) return true;
    /* Both fit: how many ranks of the node come before this one in blocks? */
    const int before = rank - (int)(((long long)block * ranks + nodes - 1) / nodes);
    return f->numa.first != before * f->numa.width;
}

size_t comm_fabric_choose(const struct comm_fabric *f, int local_rank, int local_ranks, int *out)
{
    const int rails = (int)f->rail_count;
    int places[COMM_FABRIC_NUMA], room[COMM_FABRIC_NICS];
    size_t count = 0;

    if (rails == 0 || local_ranks < 1 || local_rank < 0 || local_rank >= local_ranks) return 0;
    if (local_ranks > MOST_LOCAL) { /* more ranks than any node has CPUs */
        out[0] = f->rails[local_rank % rails];
        return 1;
    }
    const int nodes = nodes_with_cpus(&f->numa, places);
    const bool turns = in_turn(f, places, nodes);
    int share = rails / local_ranks > 1 ? rails / local_ranks : 1;
    if (share > COMM_FABRIC_SHARE) share = COMM_FABRIC_SHARE;

    for (int i = 0; i < rails; i++) room[i] = (local_ranks + rails - 1) / rails;
    for (int l = 0; l <= local_rank; l++) {
        int node = nodes == 0 ? -1
                   : turns    ? places[l % nodes]
                              : places[in_blocks(l, local_ranks, nodes)];
        if (l == f->place.local_rank && f->numa.mine >= 0) node = f->numa.mine;
        for (int k = 0; k < share; k++) {
            int at = nearest(f, node, room);
            if (at < 0) break; /* the rails are dealt out */
            room[at]--;
            if (l == local_rank) out[count++] = f->rails[at];
        }
    }
    return count;
}
