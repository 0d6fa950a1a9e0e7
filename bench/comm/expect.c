/* bench/comm/expect.c - the least time of an operation: from the rate of a node's link, one way
 *
 * All-gather      a node of G of P ranks must be given (1 - G/P) of the unit
 * Reduce-scatter  and must give as much away, in the type that travels
 * All-reduce      both, one after the other
 * Messages        the bytes that cross the busiest node's link, in or out
 * Lanes           with --split all groups share the links
 * On one node no link is crossed: there a bound row says what its memory allows (bound.c).
 */
#include "bench/comm/expect.h"

double bench_algbw(const struct bench_cell *c, double seconds)
{
    return seconds > 0 ? 1e-9 * (double)c->bytes / seconds : 0;
}

double bench_busbw(const struct bench_cell *c, double seconds)
{
    return bench_algbw(c, seconds) * c->factor;
}

/* The largest share of a unit that some node has to be given. */
static double foreign_share(const struct bench_run *r)
{
    double most = 0;

    for (int n = 0; n < r->layout.nodes; n++) {
        const double own = comm_layout_local_size(&r->layout, n);
        const double share = 1 - own / (double)r->layout.size;
        if (share > most) most = share;
    }
    return most;
}

static double collective_seconds(const struct bench_run *r, const struct bench_cell *c)
{
    const double elements = (double)c->slice * (double)r->layout.size;
    const double wire = (double)rt_dtype_bytes(c->wire);
    double bytes = elements * wire;

    if (c->op == BENCH_ALLREDUCE) bytes += elements * (c->ours ? sizeof(float) : wire);
    return bytes * foreign_share(r) * r->groups / r->node_rate;
}

double bench_flow_seconds(const struct bench_run *r, const int *to, size_t bytes)
{
    int most = 0;

    if (r->node_rate <= 0) return 0;
    for (int n = 0; n < r->layout.nodes; n++) {
        int out = 0, in = 0;
        for (int rank = 0; rank < r->layout.size; rank++) {
            if (to[rank] < 0) continue;
            const bool from_here = comm_layout_node(&r->layout, rank) == n;
            const bool to_here = comm_layout_node(&r->layout, to[rank]) == n;
            out += from_here && !to_here;
            in += to_here && !from_here;
        }
        if (out > most) most = out;
        if (in > most) most = in;
    }
    return (double)most * (double)bytes * r->groups / r->node_rate;
}

void bench_expect(struct bench_run *r)
{
    if (r->node_rate <= 0 || r->layout.nodes == 1) return;
    for (size_t i = 0; i < r->cells_count; i++)
        if (r->cells[i].op <= BENCH_ALLREDUCE)
            r->cells[i].expected_s = collective_seconds(r, &r->cells[i]);
}

void bench_expect_bounds(struct bench_run *r)
{
    for (size_t b = 0; b < r->cells_count; b++) {
        const struct bench_cell *bound = &r->cells[b];
        if (!bound->bound || bound->side[0].count == 0) continue;
        for (size_t i = 0; i < r->cells_count; i++) {
            struct bench_cell *c = &r->cells[i];
            if (c->op == bound->op && c->bytes == bound->bytes && !c->bound)
                c->expected_s = bound->side[0].time.median;
        }
    }
}

rt_status bench_expect_refuse(const struct bench_run *r)
{
    const bool links = r->layout.nodes > 1;

    if (r->o->expect <= 0) return RT_OK;
    if (links && r->node_rate <= 0)
        return RT_FAIL(RT_EINVAL,
                       "--expect %g: the rate of a node's link is not known here; give "
                       "it with --rate GBIT",
                       r->o->expect);
    for (int op = 0; op < BENCH_OVERLAP && !links; op++)
        if (r->o->op[op] && (op > BENCH_ALLREDUCE || r->o->flat))
            return RT_FAIL(RT_EINVAL,
                           "--expect %g: no link is crossed by %s on one node, so no rate is known "
                           "to hold it against; use several nodes and --rate GBIT, or the "
                           "collectives in --layout node",
                           r->o->expect, bench_op_name((bench_op)op));
    return RT_OK;
}

/* The best share of the expectation that ours reaches at the operation's largest size; -1: none. */
static double share_of(const struct bench_run *r, bench_op op, size_t *bytes)
{
    double best = -1;

    *bytes = 0;
    for (size_t i = 0; i < r->cells_count; i++) {
        const struct bench_cell *c = &r->cells[i];
        if (c->op != op || !c->ours || c->expected_s <= 0 || c->side[0].count == 0) continue;
        const double share = c->expected_s / c->side[0].time.median;
        if (c->bytes > *bytes) best = -1;
        if (c->bytes >= *bytes && share > best) best = share;
        if (c->bytes > *bytes) *bytes = c->bytes;
    }
    return best;
}

rt_status bench_expect_judge(const struct bench_run *r)
{
    rt_status st = RT_OK;

    for (int op = 0; r->o->expect > 0 && op < BENCH_OVERLAP; op++) {
        size_t bytes;
        const double share = share_of(r, (bench_op)op, &bytes);
        if (share < 0 || share >= r->o->expect) continue;
        st =
            RT_FAIL(RT_EEXPECT, "%s of %zu bytes reaches %.4f of what %s allows, below --expect %g",
                    bench_op_name((bench_op)op), bytes, share,
                    r->layout.nodes > 1 ? "the link" : "the node's memory", r->o->expect);
    }
    return st;
}
