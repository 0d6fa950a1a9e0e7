/* bench/simulate/cmd_flows.c - `recua-simulate flows`: collectives by our own flow solver */
#include <argp.h>
#include <errno.h>
#include <string.h>

#include "bench/simulate/commands.h"
#include "bench/simulate/flows.h"
#include "bench/simulate/rows.h"
#include "jobs/options.h"

enum { KEY_RANKS = 'n', KEY_FABRIC = 'f', KEY_PER_NODE = 'k', KEY_WIRE = 'w' };

static const struct argp_option options[] = {
    {"fabric", KEY_FABRIC, "NAME=SPEC", 0,
     "dmodk, ecmp, spray or ideal, then +rail +over=K +paths=N +seed=N ... (required)", 0},
    {"ranks", KEY_RANKS, "N", 0, "GPUs (required)", 0},
    {"per-node", KEY_PER_NODE, "K", 0, "GPUs a node (default 8)", 0},
    {"wire", KEY_WIRE, "TYPE", 0, "of reduced data: fp32 (default) or bf16", 0},
    {0},
};

struct wish {
    char fabric[SIMULATE_NAME_BYTES];
    const char *spec, *wire;
    int ranks, per_node;
    char **collectives; /* the arguments */
    int collectives_count;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct wish *w = state->input;

    switch (key) {
    case KEY_FABRIC:
        w->spec = simulate_split(state, "--fabric", arg, w->fabric, sizeof w->fabric);
        return 0;
    case KEY_RANKS: w->ranks = (int)option_integer(state, "--ranks", arg, 1, 65536); return 0;
    case KEY_PER_NODE:
        w->per_node = (int)option_integer(state, "--per-node", arg, 1, 1024);
        return 0;
    case KEY_WIRE:
        if (strcmp(arg, "fp32") != 0 && strcmp(arg, "bf16") != 0)
            argp_error(state, "--wire is '%s', must be fp32 or bf16", arg);
        w->wire = arg;
        return 0;
    case ARGP_KEY_ARGS:
        w->collectives = state->argv + state->next;
        w->collectives_count = state->argc - state->next;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "a collective is wanted: OP:ALGORITHM:ELEMENTS");
        return EINVAL;
    case ARGP_KEY_END:
        if (w->spec == NULL || w->ranks == 0) argp_error(state, "--fabric and --ranks are wanted");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse,
    .args_doc = "OP:ALGORITHM:ELEMENTS...",
    .doc = "Time collectives on a cluster on paper by max-min fair rates: gather (bf16) or reduce, "
           "units of so many elements. Prints rows of CSV.",
};

static rt_status time_one(const struct wish *w, const struct simulate_fabric *f, const char *spec)
{
    struct simulate_row r = {
        .ranks = w->ranks, .per_node = w->per_node, .seed = f->seed, .solver = "flows"};
    struct simulate_collective c = {.unit = RT_BF16,
                                    .wire = strcmp(w->wire, "bf16") == 0 ? RT_BF16 : RT_F32};

    if (sscanf(spec, "%7[^:]:%47[^:]:%lf", r.op, r.algorithm, &r.elements) != 3 ||
        !(r.elements >= 1) || (strcmp(r.op, "gather") != 0 && strcmp(r.op, "reduce") != 0))
        return RT_FAIL(RT_EINVAL, "'%s' must be OP:ALGORITHM:ELEMENTS, OP gather or reduce", spec);
    c.op = strcmp(r.op, "gather") == 0 ? COMM_GATHER : COMM_REDUCE;
    c.algorithm = comm_algorithm_find(r.algorithm);
    if (c.algorithm == NULL) return RT_FAIL(RT_EINVAL, "no algorithm '%s'", r.algorithm);
    c.slice = ((size_t)r.elements + (size_t)w->ranks - 1) / (size_t)w->ranks;
    snprintf(r.fabric, sizeof r.fabric, "%s", w->fabric);
    snprintf(r.wire, sizeof r.wire, "%s", w->wire);
    RT_TRY(simulate_collective_s(f, &c, &r.seconds));
    simulate_row_write(&r, stdout);
    return RT_OK;
}

static rt_status run(const struct wish *w)
{
    struct simulate_fabric f;

    RT_TRY(simulate_fabric_parse(w->spec, w->ranks, w->per_node, &f));
    printf("%s\n", simulate_rows_header);
    for (int i = 0; i < w->collectives_count; i++) RT_TRY(time_one(w, &f, w->collectives[i]));
    return RT_OK;
}

int simulate_cmd_flows(int argc, char **argv)
{
    struct wish w = {.wire = "fp32", .per_node = 8};

    argp_parse(&parser, argc, argv, 0, NULL, &w);
    return rt_status_exit(run(&w));
}
