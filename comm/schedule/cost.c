/* comm/schedule/cost.c - walks a schedule and adds up what it costs this rank
 *
 * With C chunks a block, messages and local steps are C times as many and as much smaller. While
 * one chunk travels another is added: latencies count once a round, and of wire time and local time
 * the larger counts whole, the other for one chunk: sum alpha + max (X, L) + min (X, L) / C.
 *
 * Contention  on CROSS paths, of messages beyond the neighbouring nodes: all ranks of a leaf send
 *             out of it at once and their flows are hashed onto its uplinks. f flows at once even
 *             out: 1 + (doubling_contention - 1) / sqrt (f). A ring crosses a leaf's edge once
 */
#include "comm/schedule/cost.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One round. Bytes of all chunks. */
struct round_cost {
    double alpha_s;
    double sent[COMM_PATHS], received[COMM_PATHS];
    double far_sent, far_received; /* of CROSS */
    int messages, far_flows;
    double local; /* bytes read and written */
};

struct walk {
    const struct comm_layout *layout;
    const unsigned char *path_of;
    const struct comm_costs *costs;
    double block_bytes[COMM_SPACES];
};

static comm_path path_to(const struct walk *w, int peer)
{
    if (w->path_of != NULL) return (comm_path)w->path_of[peer];
    return comm_layout_node(w->layout, peer) == comm_layout_node(w->layout, w->layout->rank)
               ? COMM_PATH_NODE
               : COMM_PATH_LEAF;
}

/* Neither on this node nor on the one before or behind. */
static bool is_far(const struct walk *w, int peer)
{
    const int nodes = w->layout->nodes;
    const int d =
        (comm_layout_node(w->layout, peer) - comm_layout_node(w->layout, w->layout->rank) + nodes) %
        nodes;
    return d > 1 && d < nodes - 1;
}

static void add_transfer(const struct walk *w, const struct comm_step *step, struct round_cost *r)
{
    const comm_path path = path_to(w, step->peer);
    const double bytes = (double)step->count * w->block_bytes[step->at.space];
    const bool sends = step->kind == COMM_STEP_SEND;

    if (w->costs->alpha_s[path] > r->alpha_s) r->alpha_s = w->costs->alpha_s[path];
    r->messages++;
    *(sends ? &r->sent[path] : &r->received[path]) += bytes;
    if (path != COMM_PATH_CROSS || !is_far(w, step->peer)) return;
    *(sends ? &r->far_sent : &r->far_received) += bytes;
    r->far_flows += sends;
}

static void add_local(const struct walk *w, const struct comm_schedule *s,
                      const struct comm_step *step, struct round_cost *r)
{
    double bytes = w->block_bytes[step->at.space];

    for (int k = 0; k < step->sources; k++)
        bytes += w->block_bytes[s->sources[step->source + (size_t)k].space];
    r->local += (double)step->count * bytes;
}

/* Time on the wire but for latency. */
static double wire_seconds(const struct comm_costs *c, const struct round_cost *r, double chunks)
{
    const double far = fmax(r->far_sent, r->far_received) * c->beta_s_per_byte[COMM_PATH_CROSS];
    double seconds = c->overhead_s * r->messages * chunks, out = 0.0, in = 0.0;

    for (int p = 0; p < COMM_PATHS; p++) { /* a ring may send on its leaf and receive across */
        out += r->sent[p] * c->beta_s_per_byte[p];
        in += r->received[p] * c->beta_s_per_byte[p];
    }
    seconds += fmax(out, in);
    if (far > 0.0)
        seconds += far * (c->doubling_contention - 1.0) / sqrt(r->far_flows > 1 ? r->far_flows : 1);
    return seconds;
}

static double walk_seconds(const struct walk *w, const struct comm_schedule *s, double chunks)
{
    const struct comm_costs *c = w->costs;
    double alpha = 0.0, wire = 0.0, local = 0.0;

    for (size_t round = 0; round < s->rounds_count; round++) {
        struct round_cost r = {0};
        for (size_t i = s->rounds[round]; i < comm_schedule_round_end(s, round); i++) {
            if (s->steps[i].peer >= 0)
                add_transfer(w, &s->steps[i], &r);
            else
                add_local(w, s, &s->steps[i], &r);
        }
        alpha += r.alpha_s;
        wire += wire_seconds(c, &r, chunks);
        local += r.local * c->gamma_s_per_byte;
    }
    return alpha + fmax(wire, local) + fmin(wire, local) / chunks;
}

/* Where one rank sends for its node it has the NICs to itself. */
static struct comm_costs costs_for(const struct comm_algorithm *a, comm_op op,
                                   const struct comm_layout *l, const struct comm_costs *c)
{
    struct comm_costs costs = *c;

    if (a->for_node && l->window && (op == COMM_GATHER || op == COMM_ALLREDUCE) && c->alone > 0)
        for (int p = COMM_PATH_LEAF; p < COMM_PATHS; p++) costs.beta_s_per_byte[p] /= c->alone;
    return costs;
}

rt_status comm_cost(const struct comm_algorithm *a, comm_op op, const struct comm_layout *l,
                    const unsigned char *path_of, size_t slice_elements, rt_dtype unit,
                    rt_dtype wire, size_t chunk_bytes, const struct comm_costs *c, double *seconds)
{
    const double n = (double)slice_elements, f32 = n * (double)rt_dtype_bytes(RT_F32);
    const struct comm_costs costs = costs_for(a, op, l, c);
    struct walk w = {.layout = l, .path_of = path_of, .costs = &costs};
    struct comm_schedule s = {0};

    for (int space = 0; space < COMM_SPACES; space++) w.block_bytes[space] = f32;
    w.block_bytes[COMM_SPACE_WIRE] = n * (double)rt_dtype_bytes(wire);
    if (op == COMM_GATHER) w.block_bytes[COMM_SPACE_UNIT] = n * (double)rt_dtype_bytes(unit);
    a->build(&s, op, l, wire);
    rt_status st = comm_schedule_check(&s);
    if (st == RT_OK) {
        double chunks =
            chunk_bytes > 0 && f32 > (double)chunk_bytes ? ceil(f32 / (double)chunk_bytes) : 1.0;
        bool meets = l->window && comm_layout_local_size(l, comm_layout_node(l, l->rank)) > 1;
        *seconds = walk_seconds(&w, &s, chunks) + (meets ? c->barrier_s : 0.0);
    }
    comm_schedule_clear(&s);
    return st;
}

/* What a kind of fabric is like where nobody has measured. rate_gbit: where it is not known. */
struct fabric_guess {
    const char *name;
    double leaf_s, cross_s, overhead_s, rate_gbit, contention;
};

static const struct fabric_guess guesses[] = {
    {"ib", 1.5e-6, 2.5e-6, 0.3e-6, 40.0, 1.0},
    {"roce", 2.5e-6, 5.0e-6, 0.3e-6, 25.0, 3.5}, /* 32 flows on 32 uplinks */
    {"tcp", 30e-6, 50e-6, 4e-6, 1.0, 3.5},
    {"shared", 1e-6, 1e-6, 0.3e-6, 40.0, 1.0},
};

void comm_costs_share(struct comm_costs *c, int ranks)
{
    for (int p = COMM_PATH_LEAF; p < COMM_PATHS; p++) c->beta_s_per_byte[p] *= ranks;
}

void comm_costs_default(const char *fabric, double rate_gbit, struct comm_costs *out)
{
    const struct fabric_guess *g = &guesses[2]; /* an unknown fabric is as slow as any */

    for (size_t i = 0; i < sizeof guesses / sizeof *guesses; i++)
        if (strcmp(guesses[i].name, fabric) == 0) g = &guesses[i];
    const double beta = 8e-9 / ((rate_gbit > 0.0 ? rate_gbit : g->rate_gbit) * 0.95);
    *out = (struct comm_costs){
        .alpha_s = {1e-6, g->leaf_s, g->cross_s},
        .beta_s_per_byte = {1.0 / 5e9, beta, beta},
        .overhead_s = g->overhead_s,
        .gamma_s_per_byte = 1.0 / 10e9,
        .barrier_s = 2e-6,
        .doubling_contention = g->contention,
    };
}
