/* comm/gather_direct.c - every pair of nodes exchanges its slices at once
 *
 * One round. The owner sends its slice to its deputy on every other node; a deputy receives the
 * slices that fall to it into their places in the unit. Node sizes may differ.
 * Order    sends start at the next node, so that no node is everybody's first target
 * Cost     alpha + (N-1) n beta   for nodes of equal size, n bytes a slice, N nodes
 */
#include "comm/schedule.h"

void comm_gather_direct(struct comm_schedule *s, const struct comm_layout *l)
{
    const int here = comm_layout_node(l, l->rank);

    if (l->nodes == 1) return;
    comm_schedule_round(s);
    for (int d = 1; d < l->nodes; d++) {
        int node = (here + l->nodes - d) % l->nodes;
        for (int owner = l->first[node]; owner < l->first[node + 1]; owner++)
            if (comm_layout_deputy(l, here, owner) == l->rank)
                comm_schedule_recv(s, owner, comm_at(COMM_SPACE_UNIT, owner));
    }
    for (int d = 1; d < l->nodes; d++) {
        int node = (here + d) % l->nodes;
        comm_schedule_send(s, comm_layout_deputy(l, node, l->rank),
                           comm_at(COMM_SPACE_UNIT, l->rank));
    }
}
