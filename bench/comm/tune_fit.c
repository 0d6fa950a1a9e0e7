/* bench/comm/tune_fit.c - the terms of the cost model, measured
 *
 * Paths    messages thrown to and fro between the ranks of two nodes of each class, all lanes at
 *          once: on one node, on one leaf switch, across. Without leaf names all other nodes count
 *          as on one leaf
 * Local    a sum of two vectors by all ranks at once; the ranks of a node meeting in the window
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/comm/tune.h"
#include "comm/traffic.h"
#include "runtime/trace.h"
#include "runtime/vector/vector.h"

enum { SIZES_MAX = 16, REPETITIONS = 7, SMALL = 64 << 10, VECTOR = 1 << 20, MEETS = 500 };
enum { FLAG_TUNE = 3 };

void bench_fit_line(const double *bytes, const double *seconds, int n, double *alpha_s,
                    double *beta_s_per_byte)
{
    double w = 0, x = 0, y = 0, xx = 0, xy = 0;

    for (int i = 0; i < n; i++) {
        const double weight = 1 / (seconds[i] * seconds[i]);
        w += weight;
        x += weight * bytes[i];
        y += weight * seconds[i];
        xx += weight * bytes[i] * bytes[i];
        xy += weight * bytes[i] * seconds[i];
    }
    const double beta = (w * xy - x * y) / (w * xx - x * x);
    const double alpha = (y - beta * x) / w;
    *beta_s_per_byte = fmax(beta, 1e-13);
    *alpha_s = fmax(alpha, 1e-9);
}

static comm_path path_between(const struct bench_run *r, int a, int b)
{
    const struct bench_host *x = &r->host[a], *y = &r->host[b];

    if (comm_layout_node(&r->layout, a) == comm_layout_node(&r->layout, b)) return COMM_PATH_NODE;
    return x->leaf[0] == '\0' || y->leaf[0] == '\0' || strcmp(x->leaf, y->leaf) == 0
               ? COMM_PATH_LEAF
               : COMM_PATH_CROSS;
}

/* Who throws to whom: all pairs of one kind at once, since a cost is of one rank while all of its
 * node send. */
struct pairing {
    int node, other; /* the same: neighbours on one node */
    int peer;        /* of this rank; -1 */
    bool first;
};

/* The first two nodes of this class, or a node with two ranks; false: there is none. */
static bool find_nodes(const struct bench_run *r, comm_path path, struct pairing *p)
{
    const int *first = r->layout.first;

    for (p->node = 0; p->node < r->layout.nodes; p->node++)
        for (p->other = p->node; p->other < r->layout.nodes; p->other++) {
            if (p->other == p->node && path == COMM_PATH_NODE &&
                comm_layout_local_size(&r->layout, p->node) >= 2)
                return true;
            if (p->other != p->node && path != COMM_PATH_NODE &&
                path_between(r, first[p->node], first[p->other]) == path)
                return true;
        }
    return false;
}

static void find_peer(const struct bench_run *r, struct pairing *p)
{
    const int rank = r->layout.rank, mine = comm_layout_node(&r->layout, rank);
    const int here = rank - r->layout.first[mine];
    const int there = mine == p->node ? p->other : p->node;

    p->peer = -1;
    p->first = mine == p->node;
    if (mine != p->node && mine != p->other) return;
    if (p->node == p->other) {
        p->first = here % 2 == 0;
        p->peer =
            (here ^ 1) < comm_layout_local_size(&r->layout, mine) ? rank + (here ^ 1) - here : -1;
    } else if (here < comm_layout_local_size(&r->layout, there)) {
        p->peer = r->layout.first[there] + here;
    }
}

static rt_status median_pingpong(struct bench_run *r, const struct pairing *p, size_t bytes,
                                 double *seconds)
{
    const int each = bytes <= SMALL ? 10 : 1;
    double times[REPETITIONS];
    rt_status st = RT_OK;

    for (int i = -1; i < REPETITIONS; i++) { /* the first warms up */
        double s = 0;
        RT_TRY(comm_traffic_pingpong(r->world, p->peer, p->first, r->memory.out, bytes, each, &s));
        s = bench_rank_max(r, s, &st);
        RT_TRY(st);
        if (i >= 0) times[i] = s;
    }
    *seconds = bench_median(times, REPETITIONS);
    return RT_OK;
}

static rt_status fit_path(struct bench_run *r, comm_path path, struct pairing *p,
                          struct comm_costs *c)
{
    static const char *const names[COMM_PATHS] = {"inside a node", "on one leaf", "across leaves"};
    double bytes[SIZES_MAX], seconds[SIZES_MAX];
    const int a = r->layout.first[p->node];
    const int b = p->node == p->other ? a + 1 : r->layout.first[p->other];
    int n = 0;

    find_peer(r, p);
    for (size_t s = 1024; s <= r->memory.message_bytes && n < SIZES_MAX && s <= 4 << 20; s *= 4) {
        bytes[n] = (double)s;
        RT_TRY(median_pingpong(r, p, s, &seconds[n++]));
    }
    if (n < 2) return RT_OK;
    bench_fit_line(bytes, seconds, n, &c->alpha_s[path], &c->beta_s_per_byte[path]);
    if (comm_rank(r->world) == 0)
        printf("# messages %s: latency %.2f us, %.4f GB/s a rank while all of the node send\n",
               names[path], 1e6 * c->alpha_s[path], 1e-9 / c->beta_s_per_byte[path]);
    return comm_traffic_overhead(r->world, a, b, 10 * REPETITIONS, &c->overhead_s);
}

static rt_status fit_gamma(struct bench_run *r, struct comm_costs *c)
{
    float *x = calloc(VECTOR, sizeof *x), *y = calloc(VECTOR, sizeof *y);
    const void *const both[2] = {x, y};
    static const rt_dtype types[2] = {RT_F32, RT_F32};
    double times[REPETITIONS];
    rt_status st = x == NULL || y == NULL ? RT_FAIL(RT_ENOMEM, "no memory for two vectors") : RT_OK;

    RT_TRY_OUT(comm_agree(r->world, st));
    for (int i = 0; i < REPETITIONS; i++) {
        RT_TRY_OUT(comm_barrier(r->world));
        const double start = rt_now_s();
        RT_TRY_OUT(rt_vector_cpu.reduce(NULL, x, RT_F32, both, types, 2, VECTOR, false, false));
        times[i] = bench_rank_max(r, rt_now_s() - start, &st);
        if (st != RT_OK) goto out;
    }
    c->gamma_s_per_byte = bench_median(times, REPETITIONS) / (3.0 * sizeof(float) * VECTOR);
out:
    free(x);
    free(y);
    return st;
}

static rt_status fit_barrier(struct bench_run *r, struct comm_costs *c)
{
    rt_status st;

    if (r->window == NULL) return RT_OK;
    RT_TRY(comm_barrier(r->world));
    const double start = rt_now_s();
    for (uint64_t i = 1; i <= MEETS; i++) {
        comm_window_signal(r->window, FLAG_TUNE, i);
        comm_window_await(r->window, FLAG_TUNE, i);
    }
    c->barrier_s = bench_rank_max(r, (rt_now_s() - start) / MEETS, &st);
    return st;
}

rt_status bench_fit_costs(struct bench_run *r, struct comm_costs *c)
{
    bool found[COMM_PATHS];

    for (int p = 0; p < COMM_PATHS; p++) {
        struct pairing pairing;
        found[p] = find_nodes(r, (comm_path)p, &pairing);
        if (found[p]) RT_TRY(fit_path(r, (comm_path)p, &pairing, c));
    }
    if (found[COMM_PATH_LEAF] && !found[COMM_PATH_CROSS]) { /* nothing better is known */
        c->alpha_s[COMM_PATH_CROSS] = c->alpha_s[COMM_PATH_LEAF];
        c->beta_s_per_byte[COMM_PATH_CROSS] = c->beta_s_per_byte[COMM_PATH_LEAF];
    }
    RT_TRY(fit_gamma(r, c));
    RT_TRY(fit_barrier(r, c));
    if (comm_rank(r->world) == 0)
        printf("# a message costs %.2f us, sums %.3f GB/s a rank, a node's ranks meet in %.2f us\n",
               1e6 * c->overhead_s, 1e-9 / c->gamma_s_per_byte, 1e6 * c->barrier_s);
    return RT_OK;
}
