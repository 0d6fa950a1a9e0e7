/* comm/tuning.c - which algorithm is the fastest: measured rows first, else the cost model
 *
 * Measured  of each algorithm the rows of this operation, ranks and nodes, straight lines between
 *           them in log size and log time; below the smallest its time, above the largest its
 *           bandwidth. Gathers compare by bytes; reductions by elements, since what travels is in
 *           the wire's type whatever the gradients are
 */
#include "comm/tuning.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "runtime/device.h"

static const char *const op_names[COMM_OPS] = {"all-gather", "reduce-scatter", "all-reduce",
                                               "all-reduce-own"};

const char *comm_tuning_op_name(comm_op op) { return op_names[op]; }

void comm_tuning_machine(const char *library, const char *fabric, double rate_gbit, char *out,
                         size_t bytes)
{
    struct rt_host_facts facts;
    char rate[32] = "rate unknown";

    rt_host_facts(&facts);
    if (rate_gbit > 0) snprintf(rate, sizeof rate, "%g Gbit/s", rate_gbit);
    snprintf(out, bytes, "%s, %s, %s, %.48s", facts.cpu, fabric, rate, library);
}

bool comm_algorithm_fits(const struct comm_algorithm *a, comm_op op, const struct comm_layout *l,
                         rt_dtype wire, bool exact)
{
    if (a->two_level && l->window) return false;
    if (op == COMM_GATHER) return true;
    if (a->fp32_only && wire != RT_F32) return false;
    if (exact && !a->exact) return false;
    return op != COMM_ALLREDUCE_OWN || comm_layout_even(l);
}

/* What a row is asked for. */
struct question {
    const struct comm_tuning *t;
    const char *algorithm;
    comm_op op;
    int ranks, nodes;
    rt_dtype type, wire;
    bool any_type;
    double size; /* bytes of a gather, elements of a reduction */
};

static double size_of(const struct comm_tuning_row *row)
{
    const double bytes = (double)row->bytes;
    return row->op == COMM_GATHER ? bytes : bytes / (double)rt_dtype_bytes(row->type);
}

static bool answers(const struct question *q, const struct comm_tuning_row *row)
{
    return row->op == q->op && row->ranks == q->ranks && row->nodes == q->nodes &&
           (q->any_type || row->type == q->type) &&
           (q->op == COMM_GATHER || row->wire == q->wire) &&
           strcmp(row->algorithm, q->algorithm) == 0;
}

/* Seconds, or -1: not measured. */
static double measured(const struct question *q)
{
    const struct comm_tuning_row *below = NULL, *above = NULL;

    for (size_t i = 0; i < q->t->rows_count; i++) {
        const struct comm_tuning_row *row = &q->t->rows[i];
        if (!answers(q, row)) continue;
        if (size_of(row) <= q->size && (below == NULL || size_of(row) > size_of(below)))
            below = row;
        if (size_of(row) >= q->size && (above == NULL || size_of(row) < size_of(above)))
            above = row;
    }
    if (below == NULL && above == NULL) return -1;
    if (below == NULL) return above->time_s;
    if (above == NULL) return below->time_s * q->size / size_of(below);
    if (size_of(above) <= size_of(below)) return below->time_s;
    const double part = log(q->size / size_of(below)) / log(size_of(above) / size_of(below));
    return below->time_s * pow(above->time_s / below->time_s, part);
}

/* Times of the algorithms that were weighed, for the line why. */
struct verdict {
    const struct comm_algorithm *best;
    double best_s;
    char *why;
    size_t bytes;
};

/* Closer than `margin` to the best so far is no better. */
static void weigh(struct verdict *v, const char *source, const struct comm_algorithm *a, double s,
                  double margin)
{
    const size_t used = strlen(v->why);

    snprintf(v->why + used, v->bytes - used, "%s%s %.4g ms", used == 0 ? source : ", ", a->name,
             1e3 * s);
    if (v->best != NULL && s >= v->best_s * (1 - margin)) return;
    v->best = a;
    v->best_s = s;
}

static void by_rows(struct verdict *v, struct question q, const struct comm_layout *l, bool exact)
{
    for (const struct comm_algorithm *a = comm_algorithms; a->name != NULL; a++) {
        if (!comm_algorithm_fits(a, q.op, l, q.wire, exact)) continue;
        q.algorithm = a->name;
        const double s = measured(&q);
        if (s > 0) weigh(v, "measured: ", a, s, 0);
    }
}

/* The model knows no better: between few nodes, of two that are so close the earlier in the table is
 * taken, which has fewer rounds and is the more exact. */
enum { FEW_NODES = 8 };
#define MODEL_MARGIN 0.03

static void by_model(struct verdict *v, const struct comm_costs *costs, const struct question *q,
                     const struct comm_layout *l, const unsigned char *path_of, size_t slice,
                     size_t chunk_bytes, bool exact)
{
    struct comm_layout as = *l;

    if (path_of == NULL) as.rank = 0;
    for (const struct comm_algorithm *a = comm_algorithms; a->name != NULL; a++) {
        double s = 0;
        if (!comm_algorithm_fits(a, q->op, l, q->wire, exact)) continue;
        if (comm_cost(a, q->op, &as, path_of, slice, q->type, q->wire, chunk_bytes, costs, &s) ==
            RT_OK)
            weigh(v, "model: ", a, s, l->nodes <= FEW_NODES ? MODEL_MARGIN : 0);
    }
}

const struct comm_algorithm *
comm_tuning_choose(const struct comm_tuning *t, const struct comm_costs *costs, comm_op op,
                   const struct comm_layout *l, const unsigned char *path_of, size_t slice,
                   rt_dtype unit, rt_dtype wire, bool exact, char *why, size_t why_bytes)
{
    enum { CHUNK_DEFAULT = 1 << 20, WHY = 512 };
    char text[WHY] = "";
    struct verdict v = {.why = text, .bytes = sizeof text};
    const double elements = (double)slice * (double)l->size;
    struct question q = {.t = t,
                         .op = op,
                         .ranks = l->size,
                         .nodes = l->nodes,
                         .type = unit,
                         .wire = wire,
                         .size = op == COMM_GATHER ? elements * (double)rt_dtype_bytes(unit)
                                                   : elements};

    if (t != NULL) by_rows(&v, q, l, exact);
    q.any_type = true;
    if (t != NULL && v.best == NULL) by_rows(&v, q, l, exact);
    if (v.best == NULL)
        by_model(&v, costs != NULL ? costs : &t->costs, &q, l, path_of, slice,
                 t != NULL && t->chunk_bytes > 0 ? t->chunk_bytes : CHUNK_DEFAULT, exact);
    if (v.best == NULL) { /* no memory for a schedule: what always fits */
        snprintf(text, sizeof text, "nothing could be weighed");
        v.best = comm_algorithm_find("direct");
    }
    if (why_bytes > 0) snprintf(why, why_bytes, "%s", text);
    return v.best;
}
