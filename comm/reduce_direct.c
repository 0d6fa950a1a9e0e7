/* comm/reduce_direct.c - every node sums its part of a slice and sends it straight to the owner
 *
 *   round 0   sum the local buffers of every foreign slice that falls to this rank
 *   round 1   send these sums to their owners, receive the other nodes' sums of the own slice;
 *             meanwhile sum the local buffers of the own slice
 *   round 2   add the node sums in node order
 *
 * Numbers  fp32: the sums travel as they are. bf16: each is rounded once when sent, the own node's
 *          is not; added in fp32, one after the other, which gives the same order.
 * Staging  fp32: S + N blocks; bf16: 3 of fp32, S + N of bf16; S slices fall to this rank
 * Cost     alpha + (N-1) n beta + (G + 1) (N-1) n gamma   n bytes a slice, N nodes of G ranks
 */
#include "comm/schedule.h"

/* STAGE of the bf16 form. */
enum { STAGE_NODE, STAGE_CAST, STAGE_SUM };

/* Is the slice of `owner`, on another node, summed here by this rank? */
static bool falls_to_us(const struct comm_layout *l, int here, int owner)
{
    return comm_layout_node(l, owner) != here && comm_layout_deputy(l, here, owner) == l->rank;
}

/* The others' sums of the own slice lie behind the sums sent; the own node's has its block too. */
static void exchange(struct comm_schedule *s, const struct comm_layout *l, comm_space space,
                     int sent)
{
    const int here = comm_layout_node(l, l->rank);
    int block = 0;

    comm_schedule_round(s);
    for (int n = 0; n < l->nodes; n++)
        if (n != here)
            comm_schedule_recv(s, comm_layout_deputy(l, n, l->rank), comm_at(space, sent + n));
    for (int d = 0; d < l->size; d++) {
        int owner = (l->first[here + 1] + d) % l->size;
        if (falls_to_us(l, here, owner)) comm_schedule_send(s, owner, comm_at(space, block++));
    }
}

static void reduce_fp32(struct comm_schedule *s, const struct comm_layout *l)
{
    const int here = comm_layout_node(l, l->rank);
    int sent = 0;

    comm_schedule_round(s);
    for (int d = 0; d < l->size; d++) {
        int owner = (l->first[here + 1] + d) % l->size;
        if (falls_to_us(l, here, owner))
            comm_schedule_node_sum(s, l, comm_at(COMM_SPACE_STAGE, sent++), owner);
    }
    exchange(s, l, COMM_SPACE_STAGE, sent);
    comm_schedule_node_sum(s, l, comm_at(COMM_SPACE_STAGE, sent + here), l->rank);
    comm_schedule_round(s);
    comm_schedule_reduce(s, comm_at(COMM_SPACE_OWN, 0));
    for (int n = 0; n < l->nodes; n++) comm_schedule_source(s, comm_at(COMM_SPACE_STAGE, sent + n));
}

/* The sum of nodes 0..N-1, one cast block at a time. */
static void add_cast(struct comm_schedule *s, const struct comm_layout *l, int sent)
{
    const int here = comm_layout_node(l, l->rank);
    const struct comm_place sum = comm_at(COMM_SPACE_STAGE, STAGE_SUM);

    comm_schedule_round(s);
    for (int n = 0; n < l->nodes; n++) {
        struct comm_place node = comm_at(COMM_SPACE_STAGE, n == here ? STAGE_NODE : STAGE_CAST);
        if (n == 0 && n != here) node = sum;
        if (n != here) comm_schedule_copy(s, node, comm_at(COMM_SPACE_WIRE, sent + n));
        if (n == 0) continue;
        comm_schedule_reduce(s, n == l->nodes - 1 ? comm_at(COMM_SPACE_OWN, 0) : sum);
        comm_schedule_source(s, n == 1 && here == 0 ? comm_at(COMM_SPACE_STAGE, STAGE_NODE) : sum);
        comm_schedule_source(s, node);
    }
}

static void reduce_bf16(struct comm_schedule *s, const struct comm_layout *l)
{
    const int here = comm_layout_node(l, l->rank);
    const struct comm_place cast = comm_at(COMM_SPACE_STAGE, STAGE_CAST);
    int sent = 0;

    comm_schedule_round(s);
    for (int d = 0; d < l->size; d++) {
        int owner = (l->first[here + 1] + d) % l->size;
        if (!falls_to_us(l, here, owner)) continue;
        comm_schedule_node_sum(s, l, cast, owner);
        comm_schedule_copy(s, comm_at(COMM_SPACE_WIRE, sent++), cast);
    }
    exchange(s, l, COMM_SPACE_WIRE, sent);
    comm_schedule_node_sum(s, l, comm_at(COMM_SPACE_STAGE, STAGE_NODE), l->rank);
    add_cast(s, l, sent);
}

void comm_reduce_direct(struct comm_schedule *s, const struct comm_layout *l, rt_dtype wire)
{
    if (l->nodes == 1) {
        comm_schedule_round(s);
        comm_schedule_node_sum(s, l, comm_at(COMM_SPACE_OWN, 0), l->rank);
    } else if (wire == RT_F32) {
        reduce_fp32(s, l);
    } else {
        reduce_bf16(s, l);
    }
}
