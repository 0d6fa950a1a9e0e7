/* comm/exact.c - see exact.h */
#include "comm/exact.h"

#include <string.h>

/* The largest power of two that is not above n >= 1. */
static int power_below(int n)
{
    int p = 1;

    while (p <= n / 2) p *= 2;
    return p;
}

static rt_status check_nodes(const struct comm_nodes *nodes)
{
    const int ranks = nodes->first[nodes->nodes], each = nodes->first[1] - nodes->first[0];
    const int fewer = power_below(ranks);

    if (ranks != fewer)
        return RT_FAIL(
            RT_EINVAL,
            "exact sums want 1, 2, 4, 8, ... ranks, here are %d: start %d, or set reduce "
            "to fast",
            ranks, fewer);
    for (int n = 1; n < nodes->nodes; n++) {
        const int here = nodes->first[n + 1] - nodes->first[n];
        if (here != each)
            return RT_FAIL(RT_EINVAL,
                           "exact sums want as many ranks on every node, 1, 2, 4, 8, ...; node 0 "
                           "has %d, node %d has %d: start %d a node, or set reduce to fast",
                           each, n, here, power_below(each));
    }
    return RT_OK; /* equal parts of a power of two are powers of two */
}

rt_status comm_exact_check(const struct comm_nodes *nodes, const char *algorithm, rt_dtype wire)
{
    if (wire != RT_F32)
        return RT_FAIL(RT_EINVAL,
                       "exact sums want fp32 between nodes, wire is %s and rounds: set wire to "
                       "fp32, or reduce to fast",
                       rt_dtype_name(wire));
    if (algorithm != NULL && strcmp(algorithm, "auto") != 0 && strcmp(algorithm, "direct") != 0)
        return RT_FAIL(
            RT_EINVAL,
            "exact sums want the algorithm direct, '%s' adds in an order of its own: set "
            "shard.algorithm to direct or auto, or reduce to fast",
            algorithm);
    return check_nodes(nodes);
}
