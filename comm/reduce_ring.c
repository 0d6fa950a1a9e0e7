/* comm/reduce_ring.c - a partial sum per slice goes round the nodes and ends at its owner
 *
 * N-1 rounds, each local rank on its own ring. The partial sum of a slice starts as the node sum
 * of the node after the owner's; every node adds its own behind, the owner's node last:
 * ((S[m+1] + S[m+2]) + ...) + S[m] for an owner on node m. Two blocks take turns on the wire; the
 * node sum that is added next is made while they travel.
 *
 * Numbers  fp32 on the wire only: a rounded partial sum would be rounded N-1 times
 * Staging  3 blocks
 * Cost     (N-1) (alpha + n beta + 2 n gamma) + N G n gamma   n bytes a slice, N nodes of G ranks
 */
#include "comm/schedule.h"

void comm_reduce_ring(struct comm_schedule *s, const struct comm_layout *l, rt_dtype wire)
{
    const int N = l->nodes, here = comm_layout_node(l, l->rank);
    const int lane = l->rank - l->first[here];
    const int next = l->first[(here + 1) % N] + lane, before = l->first[(here + N - 1) % N] + lane;
    const struct comm_place mine = comm_at(COMM_SPACE_STAGE, 2);

    (void)wire;
    comm_schedule_round(s);
    if (N == 1) {
        comm_schedule_node_sum(s, l, comm_at(COMM_SPACE_OWN, 0), l->rank);
        return;
    }
    comm_schedule_node_sum(s, l, comm_at(COMM_SPACE_STAGE, 0), before);
    for (int t = 0; t < N - 1; t++) {
        struct comm_place out = comm_at(COMM_SPACE_STAGE, t % 2);
        struct comm_place in = comm_at(COMM_SPACE_STAGE, (t + 1) % 2);
        int slice = l->first[(here + 2 * N - 2 - t) % N] + lane; /* of what comes in */
        comm_schedule_round(s);
        comm_schedule_recv(s, before, in);
        comm_schedule_send(s, next, out);
        comm_schedule_node_sum(s, l, mine, slice);
        comm_schedule_round(s);
        comm_schedule_reduce(s, t == N - 2 ? comm_at(COMM_SPACE_OWN, 0) : in);
        comm_schedule_source(s, in);
        comm_schedule_source(s, mine);
    }
}
