/* comm/gather_ring.c - slices go round the nodes, each local rank on its own ring
 *
 * N-1 rounds. In each a rank passes on to its peer on the next node the slice that came last, and
 * receives from its peer on the node before. Nodes are of equal size; peers have the same local
 * rank.
 * Cost     (N-1) (alpha + n beta)   n bytes a slice, N nodes; only neighbours talk
 */
#include "comm/schedule.h"

void comm_gather_ring(struct comm_schedule *s, const struct comm_layout *l)
{
    const int N = l->nodes, here = comm_layout_node(l, l->rank);
    const int lane = l->rank - l->first[here];
    const int next = l->first[(here + 1) % N] + lane, before = l->first[(here + N - 1) % N] + lane;

    for (int t = 0; t < N - 1; t++) {
        int out = l->first[(here + N - t) % N] + lane;
        int in = l->first[(here + 2 * N - 1 - t) % N] + lane;
        comm_schedule_round(s);
        comm_schedule_recv(s, before, comm_at(COMM_SPACE_UNIT, in));
        comm_schedule_send(s, next, comm_at(COMM_SPACE_UNIT, out));
    }
}
