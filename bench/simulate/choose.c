/* bench/simulate/choose.c - what the cost model would pick on a fabric, among what was simulated */
#include <stdlib.h>
#include <string.h>

#include "bench/simulate/flows.h"
#include "bench/simulate/table.h"
#include "comm/schedule/cost.h"

enum { CHUNK_BYTES = 1 << 20 }; /* the engine's own */

/* How much longer a step of doubling takes than without contention: every rank sends to the one
 * half the cluster away. */
static rt_status contention(const struct simulate_fabric *f, double *out)
{
    const double bytes = 1 << 24;
    struct simulate_message *m = calloc((size_t)f->ranks, sizeof *m);
    double seconds = 0;

    *out = 1;
    if (m == NULL) return RT_FAIL(RT_ENOMEM, "%d messages", f->ranks);
    for (int r = 0; r < f->ranks; r++)
        m[r] = (struct simulate_message){r, (r + f->ranks / 2) % f->ranks, bytes};
    const rt_status st = simulate_messages_s(f, m, (size_t)f->ranks, &seconds);
    free(m);
    if (st == RT_OK && f->ranks > f->per_node) *out = seconds / (bytes / f->nic_bytes_per_s);
    return st;
}

static rt_status set_costs(const struct simulate_fabric *f, struct comm_costs *c)
{
    *c = (struct comm_costs){.alpha_s = {2 * f->link_s, 2 * f->link_s, 4 * f->link_s},
                             .beta_s_per_byte = {1 / f->node_bytes_per_s, 1 / f->nic_bytes_per_s,
                                                 1 / f->nic_bytes_per_s}};
    return contention(f, &c->doubling_contention);
}

/* The path class of every rank, seen from rank 0. */
static void set_paths(const struct simulate_fabric *f, unsigned char *path_of)
{
    int links[SIMULATE_HOPS];

    for (int r = 0; r < f->ranks; r++) {
        const int hops = r == 0 ? 0 : simulate_route(f, 0, r, 0, links);
        path_of[r] = r < f->per_node ? COMM_PATH_NODE
                     : hops == 2     ? COMM_PATH_LEAF
                                     : COMM_PATH_CROSS;
    }
}

struct question {
    const struct simulate_fabric *fabric;
    const struct comm_costs *costs;
    const unsigned char *path_of;
    const struct comm_layout *layout;
    comm_op op;
    size_t slice;
    rt_dtype wire;
};

static rt_status cheapest(const struct question *q, const char *fabric, const char *op,
                          const struct simulate_rows *rows, const char **algorithm)
{
    double least = 0;
    struct simulate_fit f;

    *algorithm = NULL;
    for (const struct comm_algorithm *a = comm_algorithms; a->name != NULL; a++) {
        double seconds = 0;
        if (!simulate_rows_fit(rows, fabric, q->layout->size, op, a->name, rt_dtype_name(q->wire),
                               &f))
            continue;
        RT_TRY(comm_cost(a, q->op, q->layout, q->path_of, q->slice, RT_BF16, q->wire, CHUNK_BYTES,
                         q->costs, &seconds));
        if (*algorithm != NULL && seconds >= least) continue;
        *algorithm = a->name;
        least = seconds;
    }
    if (*algorithm != NULL) return RT_OK;
    return RT_FAIL(RT_EDATA, "fabric %s, %d ranks: no %s of ours was simulated at two sizes",
                   fabric, q->layout->size, op);
}

rt_status simulate_choose(const struct simulate_wish *w, int fabric, int ranks, const char *op,
                          size_t elements, const struct simulate_rows *rows, const char **algorithm)
{
    const int nodes = ranks / w->per_node;
    struct simulate_fabric f;
    struct comm_costs costs;
    int *first = calloc((size_t)nodes + 1, sizeof *first);
    unsigned char *path_of = calloc((size_t)ranks, 1);
    rt_status st =
        first == NULL || path_of == NULL ? RT_FAIL(RT_ENOMEM, "tables of %d ranks", ranks) : RT_OK;

    *algorithm = NULL;
    if (st != RT_OK) goto out;
    RT_TRY_OUT(simulate_fabric_parse(w->fabrics[fabric].spec, ranks, w->per_node, &f));
    RT_TRY_OUT(set_costs(&f, &costs));
    set_paths(&f, path_of);
    for (int n = 0; n <= nodes; n++) first[n] = n * w->per_node;
    const struct comm_layout layout = {.size = ranks, .nodes = nodes, .first = first};
    const struct question q = {.fabric = &f,
                               .costs = &costs,
                               .path_of = path_of,
                               .layout = &layout,
                               .op = strcmp(op, "gather") == 0 ? COMM_GATHER : COMM_REDUCE,
                               .slice = (elements + (size_t)ranks - 1) / (size_t)ranks,
                               .wire = strcmp(w->wire, "bf16") == 0 ? RT_BF16 : RT_F32};
    RT_TRY_OUT(cheapest(&q, w->fabrics[fabric].name, op, rows, algorithm));
out:
    free(first);
    free(path_of);
    return st;
}
