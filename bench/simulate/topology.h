/* bench/simulate/topology.h - a cluster on paper: ranks, switches, and the links a message crosses
 *
 *     rank -node- rank                                    inside a node
 *     rank -nic- leaf -nic- rank                          two NICs on one leaf switch
 *     rank -nic- leaf -core- spine -core- leaf -nic- rank
 *
 * Every rank is a GPU with a NIC of its own. Links have one direction; each adds `link_s`.
 * Wiring   node: a leaf carries all NICs of leaf_ports / per_node nodes. rails: the NICs of equal
 *          local rank of leaf_ports nodes share a leaf, so that lanes of equal local ranks meet on
 *          the same switch.
 * Routing  dmodk  the spine is the destination's place on its leaf, modulo the spines: the static
 *                 tables of an InfiniBand subnet manager; shifts never collide
 *          ecmp   the spine is a hash of (seed, source, destination, path): RoCE
 *          spray  a message is spread evenly over all spines: packet spraying; flows.h alone
 *          ideal  a core without contention: what any adaptive routing can reach at best
 * Source   Zahavi 2012, "Fat-tree routing and node ordering providing contention free traffic for
 *          MPI global collectives" (D-mod-K)
 */
#ifndef BENCH_SIMULATE_TOPOLOGY_H
#define BENCH_SIMULATE_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { SIMULATE_DMODK, SIMULATE_ECMP, SIMULATE_SPRAY, SIMULATE_IDEAL } simulate_routing;

struct simulate_fabric {
    int ranks, per_node;
    int leaf_ports; /* NICs of a leaf switch: 32 */
    int spines;     /* up-links of a leaf: leaf_ports / oversubscription */
    int paths;      /* queue pairs a message is split over: 1 */
    unsigned seed;  /* of the hash */
    bool rails;
    simulate_routing routing;
    double node_bytes_per_s, nic_bytes_per_s, link_s;
};

enum { SIMULATE_HOPS = 4 }; /* links of the longest route */

/* spec: a routing, then any of rail, over=K, ports=N, paths=N, seed=N, nic=GBYTE_PER_S,
 * node=GBYTE_PER_S, link=NANOSECONDS, joined by "+": "ecmp+rail+over=2+seed=3". Without them
 * a 200 Gb/s NIC, 450 GB/s inside a node and 500 ns a link. RT_EINVAL. */
RT_NODISCARD rt_status simulate_fabric_parse(const char *spec, int ranks, int per_node,
                                             struct simulate_fabric *out);

int simulate_leaves(const struct simulate_fabric *f);
int simulate_links(const struct simulate_fabric *f); /* how many there are; numbered from 0 */
double simulate_link_bytes_per_s(const struct simulate_fabric *f, int link);
bool simulate_link_shared(const struct simulate_fabric *f, int link); /* false: never contended */

/* The links from one rank to another, in order; how many. path: 0..paths-1 (spray: the spine). */
int simulate_route(const struct simulate_fabric *f, int from, int to, int path,
                   int links[SIMULATE_HOPS]);

#ifdef __cplusplus
}
#endif
#endif
