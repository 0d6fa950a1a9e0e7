/* bench/simulate/topology.c - the links of a cluster on paper; see topology.h
 *
 * Links are numbered: for every rank out of the node switch's ports [0,R), into them [R,2R), NIC
 * out [2R,3R), NIC in [3R,4R); then for every leaf and spine up, then down.
 */
#include "bench/simulate/topology.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char *const routings[] = {"dmodk", "ecmp", "spray", "ideal"};
enum { ROUTINGS = sizeof routings / sizeof routings[0], MOST_RANKS = 65536, WORD_BYTES = 64 };

/* Key=number of a spec; whole: without a fraction. */
static rt_status take_number(const char *spec, const char *word, double least, double most,
                             bool whole, double *out)
{
    const char *text = strchr(word, '=');
    char *end = NULL;

    *out = text == NULL ? 0 : strtod(text + 1, &end);
    if (text == NULL || end == text + 1 || *end != '\0' || !(*out >= least && *out <= most) ||
        (whole && *out != floor(*out)))
        return RT_FAIL(RT_EINVAL, "fabric '%s': '%s' wants a %snumber from %g to %g behind '='",
                       spec, word, whole ? "whole " : "", least, most);
    return RT_OK;
}

struct numbers {
    double over, ports, paths, seed, nic, node, link;
};

static rt_status take_word(const char *spec, const char *word, struct numbers *n,
                           struct simulate_fabric *f)
{
    const struct {
        const char *key;
        double least, most;
        bool whole;
        double *to;
    } keys[] = {{"over=", 1, 64, true, &n->over},     {"ports=", 1, 1024, true, &n->ports},
                {"paths=", 1, 128, true, &n->paths},  {"seed=", 0, 1e9, true, &n->seed},
                {"nic=", 0.001, 1e4, false, &n->nic}, {"node=", 0.001, 1e5, false, &n->node},
                {"link=", 0, 1e9, false, &n->link}};

    if (strcmp(word, "rail") == 0) {
        f->rails = true;
        return RT_OK;
    }
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strncmp(word, keys[i].key, strlen(keys[i].key)) == 0)
            return take_number(spec, word, keys[i].least, keys[i].most, keys[i].whole, keys[i].to);
    return RT_FAIL(RT_EINVAL,
                   "fabric '%s': no word '%s'; there are rail, over=, ports=, paths=, seed=, nic=, "
                   "node=, link=",
                   spec, word);
}

static rt_status take_routing(const char *spec, const char *word, struct simulate_fabric *f)
{
    for (int i = 0; i < ROUTINGS; i++) {
        if (strcmp(word, routings[i]) != 0) continue;
        f->routing = (simulate_routing)i;
        return RT_OK;
    }
    return RT_FAIL(RT_EINVAL, "fabric '%s': no routing '%s'; there are dmodk, ecmp, spray, ideal",
                   spec, word);
}

static rt_status check(const char *spec, const struct numbers *n, const struct simulate_fabric *f)
{
    if (f->ranks < 1 || f->ranks > MOST_RANKS)
        return RT_FAIL(RT_EINVAL, "%d ranks, must be 1 to %d", f->ranks, MOST_RANKS);
    if (f->per_node < 1 || f->ranks % f->per_node != 0)
        return RT_FAIL(RT_EINVAL, "%d ranks a node, must divide the %d ranks", f->per_node,
                       f->ranks);
    if (!f->rails && f->leaf_ports % f->per_node != 0)
        return RT_FAIL(RT_EINVAL, "fabric '%s': ports is %d, must be a multiple of %d ranks a node",
                       spec, f->leaf_ports, f->per_node);
    if (f->spines < 1 || f->spines * (int)n->over != f->leaf_ports)
        return RT_FAIL(RT_EINVAL, "fabric '%s': over is %g, must divide the %d ports of a leaf",
                       spec, n->over, f->leaf_ports);
    return RT_OK;
}

rt_status simulate_fabric_parse(const char *spec, int ranks, int per_node,
                                struct simulate_fabric *out)
{
    struct numbers n = {.over = 1, .ports = 32, .paths = 1, .nic = 25, .node = 450, .link = 500};
    struct simulate_fabric f = {.ranks = ranks, .per_node = per_node};
    const char *at = spec;
    char word[WORD_BYTES];

    for (int i = 0;; i++) {
        const size_t length = strcspn(at, "+");
        if (length >= sizeof word)
            return RT_FAIL(RT_EINVAL, "fabric '%s': a word of %zu characters", spec, length);
        memcpy(word, at, length);
        word[length] = '\0';
        RT_TRY(i == 0 ? take_routing(spec, word, &f) : take_word(spec, word, &n, &f));
        if (at[length] == '\0') break;
        at += length + 1;
    }
    f.leaf_ports = (int)n.ports;
    f.spines = (int)(n.ports / n.over);
    f.paths = f.routing == SIMULATE_SPRAY ? f.spines : (int)n.paths;
    f.seed = (unsigned)n.seed;
    f.nic_bytes_per_s = n.nic * 1e9;
    f.node_bytes_per_s = n.node * 1e9;
    f.link_s = n.link * 1e-9;
    RT_TRY(check(spec, &n, &f));
    *out = f;
    return RT_OK;
}

/* Which leaf a rank's NIC is on, and its place there. */
static int leaf_of(const struct simulate_fabric *f, int rank, int *place)
{
    const int node = rank / f->per_node;

    if (!f->rails) {
        *place = rank % f->leaf_ports;
        return rank / f->leaf_ports;
    }
    *place = node % f->leaf_ports;
    return node / f->leaf_ports * f->per_node + rank % f->per_node;
}

int simulate_leaves(const struct simulate_fabric *f)
{
    const int nodes = f->ranks / f->per_node;

    if (f->rails) return (nodes + f->leaf_ports - 1) / f->leaf_ports * f->per_node;
    return (f->ranks + f->leaf_ports - 1) / f->leaf_ports;
}

int simulate_links(const struct simulate_fabric *f)
{
    return 4 * f->ranks + 2 * simulate_leaves(f) * f->spines;
}

double simulate_link_bytes_per_s(const struct simulate_fabric *f, int link)
{
    return link < 2 * f->ranks ? f->node_bytes_per_s : f->nic_bytes_per_s;
}

bool simulate_link_shared(const struct simulate_fabric *f, int link)
{
    return link < 4 * f->ranks || f->routing != SIMULATE_IDEAL;
}

/* Source: Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators" (the mixer) */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static int spine_of(const struct simulate_fabric *f, int from, int to, int place, int path)
{
    const uint64_t spines = (uint64_t)f->spines;

    if (f->routing == SIMULATE_DMODK || f->routing == SIMULATE_IDEAL) return place % f->spines;
    if (f->routing == SIMULATE_SPRAY) return path % f->spines;
    return (int)(mix(mix(mix(f->seed) ^ (uint64_t)from << 32 ^ (uint64_t)to) + (uint64_t)path) %
                 spines);
}

int simulate_route(const struct simulate_fabric *f, int from, int to, int path,
                   int links[SIMULATE_HOPS])
{
    const int R = f->ranks;
    int from_place, to_place, n = 0;

    if (from / f->per_node == to / f->per_node) {
        links[n++] = from;
        links[n++] = R + to;
        return n;
    }
    const int a = leaf_of(f, from, &from_place), b = leaf_of(f, to, &to_place);
    links[n++] = 2 * R + from;
    if (a != b) {
        const int spine = spine_of(f, from, to, to_place, path);
        links[n++] = 4 * R + a * f->spines + spine;
        links[n++] = 4 * R + (simulate_leaves(f) + b) * f->spines + spine;
    }
    links[n++] = 3 * R + to;
    return n;
}
