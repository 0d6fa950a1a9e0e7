/* comm/exchange.c - making an exchange: which schedules, how much memory, which tickets */
#include <stdlib.h>
#include <string.h>

#include "comm/exact.h"
#include "comm/exchange_impl.h"

enum {
    CHUNK_BYTES = 1 << 20,
    CHUNK_TCP_BYTES = 256 << 10,
    DEPTH = 4,
    ALIGN = 64,
    ALL_RANKS = 6,
    LEAF_NODES = 16
};

static const char *const op_names[COMM_OPS] = {"gather", "reduce", "allreduce", "allreduce_own"};

const char *comm_op_name(comm_op op) { return op_names[op]; }

struct comm_exchange_options comm_exchange_options_of(const struct comm_exchange_options *o,
                                                      comm_op op)
{
    struct comm_exchange_options of = *o;

    if (op == COMM_ALLREDUCE_OWN && o->block_max > 0) of.slice_max = o->block_max;
    return of;
}

static bool wanted(const struct comm_exchange_options *o, comm_op op)
{
    const unsigned standard = 1u << COMM_GATHER | 1u << COMM_REDUCE;
    return ((o->ops == 0 ? standard : o->ops) >> op & 1u) != 0;
}

static int tickets_of(const struct comm_exchange_options *o, comm_op op)
{
    if (!wanted(o, op)) return 0;
    if (op == COMM_GATHER) return o->gathering > 0 ? o->gathering : COMM_TICKETS;
    return o->reducing > 0 ? o->reducing : 1;
}

/* The layout that an operation sees: hybrid gathers and reduces inside its node. */
static struct comm_layout layout_of(const struct comm_nodes *n,
                                    const struct comm_exchange_options *o, comm_op op,
                                    int node_first[2])
{
    if (o->hybrid && op != COMM_ALLREDUCE_OWN) {
        node_first[0] = 0;
        node_first[1] = n->local_size;
        return (struct comm_layout){.size = n->local_size,
                                    .rank = n->local_rank,
                                    .nodes = 1,
                                    .first = node_first,
                                    .window = true};
    }
    return (struct comm_layout){.size = n->first[n->nodes],
                                .rank = n->first[n->node] + n->local_rank,
                                .nodes = n->nodes,
                                .first = n->first,
                                .window = !o->flat};
}

/* The class of each rank as rank 0 sees it, so that all ranks choose alike. Where no leaf is known so
 * many nodes in a row count as one. NULL: no memory. */
static unsigned char *paths_from_first(const struct comm_layout *l, const struct comm_nodes *n)
{
    unsigned char *path = calloc((size_t)l->size, sizeof *path);

    for (int r = 0; path != NULL && r < l->size; r++) {
        const int node = comm_layout_node(l, r);
        const bool known = n->leaf != NULL && n->leaf[0] >= 0;
        const bool near = known ? n->leaf[node] == n->leaf[0] : node < LEAF_NODES;
        path[r] = (unsigned char)(node == 0 ? COMM_PATH_NODE
                                  : near    ? COMM_PATH_LEAF
                                            : COMM_PATH_CROSS);
    }
    return path;
}

static bool is_tcp(const struct comm_exchange_options *o)
{
    return o->fabric == NULL || strcmp(o->fabric, "tcp") == 0;
}

/* As one rank sees it while its neighbours send, too: they share the node's NICs. */
static struct comm_costs costs_of(const struct comm_layout *l,
                                  const struct comm_exchange_options *o)
{
    const int ranks = comm_layout_local_size(l, 0);
    struct comm_costs costs;

    if (o->tuning != NULL) {
        costs = o->tuning->costs; /* measured so */
    } else {
        comm_costs_default(o->fabric == NULL ? "tcp" : o->fabric, o->rate_gbit, &costs);
        comm_costs_share(&costs, ranks);
    }
    if (is_tcp(o)) costs.alone = ranks; /* one card */
    return costs;
}

/* NULL: the name is not known. */
static const struct comm_algorithm *choose(const struct comm_layout *l, const struct comm_nodes *n,
                                           const struct comm_exchange_options *o, comm_op op,
                                           char *why, size_t why_bytes)
{
    const char *name = op == COMM_GATHER ? o->gather : o->reduce;

    if (name != NULL && strcmp(name, "auto") != 0) {
        snprintf(why, why_bytes, "asked for");
        return comm_algorithm_find(name);
    }
    if (l->nodes == 1 && l->window) {
        snprintf(why, why_bytes, "one node: nothing is sent");
        return comm_algorithm_find("direct");
    }
    const struct comm_costs costs = costs_of(l, o);
    unsigned char *path = paths_from_first(l, n);
    struct comm_layout first = *l;
    first.rank = 0;
    const struct comm_algorithm *a =
        comm_tuning_choose(o->tuning, &costs, op, &first, path, o->slice_max, o->unit, o->wire,
                           o->exact, why, why_bytes);
    free(path);
    return a;
}

const char *comm_exchange_choice(const struct comm_nodes *nodes,
                                 const struct comm_exchange_options *o, comm_op op, char *why,
                                 size_t why_bytes)
{
    int node[2];
    const struct comm_layout l = layout_of(nodes, o, op, node);
    const struct comm_algorithm *a = choose(&l, nodes, o, op, why, why_bytes);

    return a == NULL ? "" : a->name;
}

static rt_status refuse(const struct comm_algorithm *a, const struct comm_layout *l,
                        const struct comm_exchange_options *o, comm_op op)
{
    char names[256] = "auto";

    for (const struct comm_algorithm *k = comm_algorithms; a == NULL && k->name != NULL; k++)
        snprintf(names + strlen(names), sizeof names - strlen(names), ", %s", k->name);
    if (a == NULL)
        return RT_FAIL(RT_EINVAL, "the algorithm '%s' is not known: %s",
                       op == COMM_GATHER ? o->gather : o->reduce, names);
    if (a->two_level && l->window)
        return RT_FAIL(RT_EINVAL,
                       "the algorithm '%s' sends inside nodes, whose ranks share a window here: "
                       "take %s, which goes between nodes alone",
                       a->name, strrchr(a->name, '-') + 1);
    if (op == COMM_GATHER) return RT_OK;
    if (o->exact && !a->exact)
        return RT_FAIL(RT_EINVAL,
                       "exact sums want the algorithm direct, '%s' adds in an order of its own: "
                       "take direct or auto",
                       a->name);
    if (a->fp32_only && o->wire != RT_F32 && l->nodes > 1)
        return RT_FAIL(RT_EINVAL,
                       "the algorithm '%s' adds on the way and would round every time in %s: take "
                       "direct, or wire fp32",
                       a->name, rt_dtype_name(o->wire));
    if (op == COMM_ALLREDUCE_OWN && !comm_layout_even(l))
        return RT_FAIL(RT_EINVAL,
                       "hybrid sharding needs as many ranks on every node, here %d ranks on %d "
                       "nodes are not: set shard.mode full",
                       l->size, l->nodes);
    return RT_OK;
}

size_t comm_exchange_chunk(const struct comm_exchange_options *o, comm_op op,
                           const struct comm_schedule *s)
{
    /* On TCP small enough to travel without a handshake (comm/fabric/settings.c), but as few as that
     * allows, since each costs those who compute. */
    const size_t one = is_tcp(o) && op == COMM_GATHER ? rt_dtype_bytes(o->unit) : sizeof(float);
    const size_t usual = is_tcp(o) ? CHUNK_TCP_BYTES : CHUNK_BYTES;
    const size_t tuned =
        o->tuning != NULL && o->tuning->chunk_bytes > 0 ? o->tuning->chunk_bytes : usual;
    const size_t bytes = o->chunk_bytes > 0 ? o->chunk_bytes : tuned;
    const size_t elements = (bytes / one + ALIGN - 1) / ALIGN * ALIGN;

    if (comm_schedule_transfers(s) == 0 || elements >= o->slice_max)
        return o->slice_max == 0 ? 1 : o->slice_max;
    return elements;
}

static int depth_of(const struct comm_exchange_options *o, size_t chunk)
{
    const size_t chunks = (o->slice_max + chunk - 1) / chunk;
    const int depth = o->depth > 0 ? o->depth : DEPTH;

    if (chunks < 1) return 1;
    return chunks < (size_t)depth ? (int)chunks : depth < COMM_SLOTS ? depth : COMM_SLOTS;
}

/* Staging of one chunk in flight. */
static size_t stage_bytes(const struct comm_schedule *s, const struct comm_exchange_options *o,
                          size_t chunk)
{
    const size_t stage = o->fold ? s->stage_blocks > 0 : s->stage_blocks;
    const size_t wire = o->fold ? s->wire_blocks > 0 : s->wire_blocks;
    const size_t most = o->fold ? comm_schedule_most_count(s) : 1;
    const size_t bytes = most * chunk * (stage * sizeof(float) + wire * rt_dtype_bytes(o->wire));

    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

size_t comm_exchange_staging_bytes(const struct comm_nodes *nodes,
                                   const struct comm_exchange_options *o)
{
    size_t bytes = 0;

    for (int op = 0; op < COMM_OPS; op++) {
        int node[2];
        char why[16];
        const struct comm_layout l = layout_of(nodes, o, (comm_op)op, node);
        struct comm_schedule s = {0};
        if (!wanted(o, (comm_op)op)) continue;
        const struct comm_exchange_options of = comm_exchange_options_of(o, (comm_op)op);
        const struct comm_algorithm *a = choose(&l, nodes, &of, (comm_op)op, why, sizeof why);
        if (a == NULL || (op == COMM_ALLREDUCE_OWN && !comm_layout_even(&l))) continue;
        a->build(&s, (comm_op)op, &l, o->wire);
        const size_t chunk = comm_exchange_chunk(&of, (comm_op)op, &s);
        if (!s.broken)
            bytes += stage_bytes(&s, &of, chunk) * (size_t)depth_of(&of, chunk) *
                     (size_t)tickets_of(&of, (comm_op)op);
        comm_schedule_clear(&s);
    }
    return bytes;
}

/* The tickets of one operation: tasks with their runs and staging. */
static rt_status make_tickets(struct comm_exchange *x, comm_op op, char **staging)
{
    struct comm_operation *p = &x->ops[op];
    const struct comm_exchange_options o = comm_exchange_options_of(&x->options, op);
    const size_t largest = o.slice_max * sizeof(float);

    p->chunk = comm_exchange_chunk(&o, op, &p->schedule);
    p->depth = depth_of(&o, p->chunk);
    p->tasks_count = tickets_of(&o, op);
    p->tasks = calloc((size_t)p->tasks_count, sizeof *p->tasks);
    if (p->tasks == NULL) return RT_FAIL(RT_ENOMEM, "%d tickets", p->tasks_count);
    const size_t bytes = stage_bytes(&p->schedule, &o, p->chunk);
    for (int i = 0; i < p->tasks_count; i++) {
        struct comm_task *t = &p->tasks[i];
        *t = (struct comm_task){.comm = x->comm,
                                .schedule = &p->schedule,
                                .vector = o.vector,
                                .op = op,
                                .depth = p->depth,
                                .stage_bytes = bytes};
        t->runs = calloc((size_t)p->depth, sizeof *t->runs);
        if (t->runs == NULL) return RT_FAIL(RT_ENOMEM, "%d chunks in flight", p->depth);
        for (int s = 0; s < p->depth; s++)
            RT_TRY(comm_run_init(&t->runs[s], x->comm, &p->schedule, o.vector,
                                 p->chunk < o.slice_max ? p->chunk * sizeof(float) : largest));
        if (*staging == NULL || bytes == 0) continue;
        t->stage = *staging;
        *staging += bytes * (size_t)p->depth;
    }
    return RT_OK;
}

/* What can fail on one rank alone. */
static rt_status prepare(struct comm_exchange *x, const struct comm_nodes *nodes)
{
    char *staging = x->options.staging;

    for (int i = 0; i < COMM_OPS; i++) {
        struct comm_operation *p = &x->ops[i];
        const comm_op op = (comm_op)i;
        const struct comm_exchange_options o = comm_exchange_options_of(&x->options, op);
        if (!wanted(&o, op)) continue;
        p->layout = layout_of(nodes, &o, op, p->node);
        p->algorithm = choose(&p->layout, nodes, &o, op, p->why, sizeof p->why);
        RT_TRY(refuse(p->algorithm, &p->layout, &o, op));
        p->algorithm->build(&p->schedule, op, &p->layout, o.wire);
        RT_TRY(comm_schedule_check(&p->schedule));
        RT_TRY(make_tickets(x, op, &staging));
    }
    return RT_OK;
}

/* All ranks must have been given the same. Collective. */
static rt_status agree_on_options(const struct comm_exchange *x)
{
    static const char *const names[ALL_RANKS] = {"largest slice",    "chunk",  "chunks in flight",
                                                 "type on the wire", "gather", "reduce"};
    const struct comm_operation *g = &x->ops[COMM_GATHER], *r = &x->ops[COMM_REDUCE];
    const double mine[ALL_RANKS] = {
        (double)x->options.slice_max,
        (double)x->options.chunk_bytes,
        (double)x->options.depth,
        (double)x->options.wire,
        g->algorithm == NULL ? -1 : (double)(g->algorithm - comm_algorithms),
        r->algorithm == NULL ? -1 : (double)(r->algorithm - comm_algorithms)};
    double values[2 * ALL_RANKS];

    for (int i = 0; i < ALL_RANKS; i++) {
        values[i] = mine[i];
        values[ALL_RANKS + i] = -mine[i];
    }
    RT_TRY(comm_max_f64(x->comm, values, 2 * ALL_RANKS));
    for (int i = 0; i < ALL_RANKS; i++)
        if (values[i] + values[ALL_RANKS + i] > 0)
            return RT_FAIL(RT_EINVAL,
                           "the ranks disagree on an exchange: %s is %.0f on some, %.0f on others, "
                           "%.0f on this one",
                           names[i], -values[ALL_RANKS + i], values[i], mine[i]);
    return RT_OK;
}

rt_status comm_exchange_create(const struct comm_nodes *nodes,
                               const struct comm_exchange_options *o, struct comm_exchange **out)
{
    struct comm_exchange *x = calloc(1, sizeof *x);
    rt_status st = x == NULL ? RT_FAIL(RT_ENOMEM, "an exchange") : RT_OK;

    *out = NULL;
    RT_TRY_OUT(comm_agree(nodes->world, st));
    x->options = *o;
    RT_TRY_OUT(comm_split(nodes->world, 0, comm_rank(nodes->world), &x->comm));
    st = prepare(x, nodes);
    if (st == RT_OK && o->exact) st = comm_exact_check(nodes, o->reduce, o->wire);
    RT_TRY_OUT(comm_agree(nodes->world, st));
    RT_TRY_OUT(agree_on_options(x));
    *out = x;
    x = NULL; /* the caller's now */
out:
    comm_exchange_destroy(&x);
    return st;
}

void comm_exchange_destroy(struct comm_exchange **p)
{
    struct comm_exchange *x = *p;

    if (x == NULL) return;
    for (int op = 0; op < COMM_OPS; op++) {
        struct comm_operation *o = &x->ops[op];
        for (int i = 0; o->tasks != NULL && i < o->tasks_count; i++) {
            for (int s = 0; o->tasks[i].runs != NULL && s < o->depth; s++)
                comm_run_clear(&o->tasks[i].runs[s]);
            free(o->tasks[i].runs);
        }
        free(o->tasks);
        comm_schedule_clear(&o->schedule);
    }
    comm_destroy(&x->comm);
    free(x);
    *p = NULL;
}

const char *comm_exchange_algorithm(const struct comm_exchange *x, comm_op op)
{
    return x->ops[op].algorithm == NULL ? "none" : x->ops[op].algorithm->name;
}

void comm_exchange_explain(const struct comm_exchange *x, comm_op op, size_t slice, rt_dtype type,
                           FILE *out)
{
    const struct comm_operation *p = &x->ops[op];
    const size_t bytes = slice * (size_t)p->layout.size * rt_dtype_bytes(type);

    if (p->algorithm == NULL) return;
    fprintf(out, "%s of %.3f MB: %s, %zu rounds, chunks of %zu elements, %d in flight (%s)\n",
            comm_op_name(op), 1e-6 * (double)bytes, p->algorithm->name, p->schedule.rounds_count,
            p->chunk < slice ? p->chunk : slice, p->depth, p->why);
}
