/* comm/order.c - the order of the ranks: by leaf switch, then by node, as the ring goes
 *
 * Source   a ring over hosts in any order was several times slower on a simulated fat tree than one
 *          that leaves each leaf once
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/fabric/topology.h"
#include "comm/group.h"

/* What one rank says of its place. A node is the ranks that share memory: its name is the first. */
struct standing {
    char node[16], leaf[COMM_READER_NAME];
};

/* leaf (size), in the new order: the place of the first rank on the same leaf; -1 unknown. */
static void number_leaves(const struct standing *all, const int *order, int size, int *leaf)
{
    for (int i = 0; i < size; i++) {
        const char *name = all[order[i]].leaf;
        const bool same = i > 0 && strcmp(name, all[order[i - 1]].leaf) == 0;
        leaf[i] = name[0] == '\0' ? -1 : same ? leaf[i - 1] : i; /* a leaf's ranks are neighbours */
    }
}

/* place (size): where each rank comes in the order. leaf: see number_leaves. */
static rt_status find_order(const struct comm *w, int *place, int *leaf, bool *same)
{
    const size_t P = (size_t)w->size;
    const struct comm_reader here = comm_reader_at("");
    struct comm_topology_place *places = calloc(P, sizeof *places);
    struct standing *all = calloc(P, sizeof *all), mine = {.leaf = ""};
    int *first = calloc(P, sizeof *first), *order = calloc(P, sizeof *order);
    char host[COMM_READER_NAME] = "";
    rt_status st = RT_OK;

    if (places == NULL || all == NULL || first == NULL || order == NULL)
        st = RT_FAIL(RT_ENOMEM, "tables of %zu ranks", P);
    RT_TRY_OUT(comm_agree(w, st));
    RT_TRY_OUT(comm_shared_with(w, first));
    (void)gethostname(host, sizeof host - 1);
    comm_topology_leaf(&here, host, 0, mine.leaf, sizeof mine.leaf);
    snprintf(mine.node, sizeof mine.node, "%d", first[w->rank]);
    RT_TRY_OUT(comm_allgather(w, &mine, all, sizeof mine));
    for (size_t r = 0; r < P; r++)
        places[r] = (struct comm_topology_place){all[r].node, all[r].leaf, (int)r};
    RT_TRY_OUT(comm_agree(w, comm_topology_order(places, P, order)));
    *same = true;
    for (int i = 0; i < w->size; i++) {
        place[order[i]] = i;
        *same &= order[i] == i;
    }
    number_leaves(all, order, w->size, leaf);
out:
    free(places);
    free(all);
    free(first);
    free(order);
    return st;
}

rt_status comm_order_by_place(struct comm **world)
{
    struct comm *w = *world, *ordered = NULL;
    int *place = calloc((size_t)w->size, sizeof *place);
    int *leaf = calloc((size_t)w->size, sizeof *leaf);
    bool same = true;
    rt_status st =
        place == NULL || leaf == NULL ? RT_FAIL(RT_ENOMEM, "a table of %d ranks", w->size) : RT_OK;

    RT_TRY_OUT(comm_agree(w, st));
    RT_TRY_OUT(find_order(w, place, leaf, &same));
    if (!same) {
        RT_TRY_OUT(comm_split(w, 0, place[w->rank], &ordered));
        comm_destroy(world);
        *world = ordered;
    }
    (*world)->leaf = leaf;
    leaf = NULL; /* the group's now */
out:
    free(leaf);
    free(place);
    return st;
}
