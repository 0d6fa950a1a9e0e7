/* bench/simulate/cmd_table.c - `recua-simulate table`: the table, its CSV and its picture */
#include <argp.h>
#include <errno.h>
#include <string.h>

#include "bench/simulate/commands.h"
#include "bench/simulate/table.h"
#include "jobs/options.h"

enum {
    KEY_RANKS = 'n',
    KEY_FABRIC = 'f',
    KEY_MODEL = 'm',
    KEY_PER_NODE = 'k',
    KEY_WIRE = 'w',
    KEY_ROWS = 'r',
    KEY_CSV = 256,
    KEY_SVG,
    KEY_MFU,
    KEY_PEAK,
    KEY_MEMORY
};

static const struct argp_option options[] = {
    {"fabric", KEY_FABRIC, "NAME=SPEC", 0, "a fabric; again for each (required)", 0},
    {"model", KEY_MODEL, "NAME=RUN.yaml", 0, "a run file; again for each (required)", 0},
    {"ranks", KEY_RANKS, "N", 0, "GPUs; again for each (required)", 0},
    {"rows", KEY_ROWS, "FILE", 0, "simulated collectives; again for each (required)", 0},
    {"per-node", KEY_PER_NODE, "K", 0, "GPUs a node (default 8)", 0},
    {"wire", KEY_WIRE, "TYPE", 0, "of reduced data: fp32 (default) or bf16", 0},
    {"mfu", KEY_MFU, "X", 0, "share of the peak while computing (default 0.55)", 0},
    {"peak", KEY_PEAK, "FLOPS", 0, "of a GPU in flop/s (default 312e12: A100)", 0},
    {"memory", KEY_MEMORY, "GBYTE", 0, "of a GPU (default 80)", 0},
    {"csv", KEY_CSV, "FILE", 0, "write every cell, each algorithm too", 0},
    {"svg", KEY_SVG, "FILE", 0, "draw efficiency over GPUs", 0},
    {0},
};

enum { MOST_FILES = 256 };

struct wish {
    struct simulate_wish table;
    const char *csv, *svg, *rows[MOST_FILES];
    int rows_count;
};

static void add_fabric(struct argp_state *state, struct simulate_wish *t, const char *arg)
{
    const int i = t->fabrics_count;

    if (i == SIMULATE_MOST_FABRICS)
        argp_error(state, "more than %d fabrics", SIMULATE_MOST_FABRICS);
    const char *spec =
        simulate_split(state, "--fabric", arg, t->fabrics[i].name, sizeof t->fabrics[i].name);
    snprintf(t->fabrics[i].spec, sizeof t->fabrics[i].spec, "%s", spec);
    t->fabrics_count++;
}

static void add_model(struct argp_state *state, struct simulate_wish *t, const char *arg)
{
    const int i = t->models_count;

    if (i == SIMULATE_MOST_MODELS) argp_error(state, "more than %d models", SIMULATE_MOST_MODELS);
    t->models[i].path =
        simulate_split(state, "--model", arg, t->models[i].name, sizeof t->models[i].name);
    t->models_count++;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct wish *w = state->input;
    struct simulate_wish *t = &w->table;

    switch (key) {
    case KEY_FABRIC: add_fabric(state, t, arg); return 0;
    case KEY_MODEL: add_model(state, t, arg); return 0;
    case KEY_RANKS:
        if (t->ranks_count == SIMULATE_MOST_RANKS)
            argp_error(state, "more than %d numbers of ranks", SIMULATE_MOST_RANKS);
        t->ranks[t->ranks_count++] = (int)option_integer(state, "--ranks", arg, 1, 65536);
        return 0;
    case KEY_ROWS:
        if (w->rows_count == MOST_FILES)
            argp_error(state, "more than %d files of rows", MOST_FILES);
        w->rows[w->rows_count++] = arg;
        return 0;
    case KEY_PER_NODE:
        t->per_node = (int)option_integer(state, "--per-node", arg, 1, 1024);
        return 0;
    case KEY_WIRE: t->wire = arg; return 0;
    case KEY_MFU: t->gpu.mfu = option_number(state, "--mfu", arg, 1e-6, 1); return 0;
    case KEY_PEAK: t->gpu.peak_flops_per_s = option_number(state, "--peak", arg, 1, 1e21); return 0;
    case KEY_MEMORY:
        t->gpu.memory_bytes = 1e9 * option_number(state, "--memory", arg, 1e-3, 1e6);
        return 0;
    case KEY_CSV: w->csv = arg; return 0;
    case KEY_SVG: w->svg = arg; return 0;
    case ARGP_KEY_ARG: argp_error(state, "'%s' is not expected", arg); return EINVAL;
    case ARGP_KEY_END:
        if (t->fabrics_count * t->models_count * t->ranks_count * w->rows_count == 0)
            argp_error(state, "--fabric, --model, --ranks and --rows are wanted");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse,
    .doc = "Put the training steps of all models together on all clusters, from collectives that "
           "were simulated once, and print how much communication computing hides.",
};

static rt_status write_to(const char *path, const struct simulate_table *t,
                          const struct simulate_wish *w, bool picture)
{
    FILE *out = path == NULL ? NULL : fopen(path, "w");

    if (path == NULL) return RT_OK;
    if (out == NULL) return RT_FAIL(RT_EIO, "%s: %s", path, strerror(errno));
    if (picture)
        simulate_table_svg(t, w, out);
    else
        simulate_table_csv(t, out);
    const bool bad = ferror(out) != 0;
    if (fclose(out) != 0 || bad) return RT_FAIL(RT_EIO, "%s: %s", path, strerror(errno));
    return RT_OK;
}

static rt_status run(const struct wish *w)
{
    struct simulate_rows rows = {0};
    struct simulate_table t = {0};
    rt_status st = RT_OK;

    for (int i = 0; i < w->rows_count; i++) RT_TRY_OUT(simulate_rows_read(w->rows[i], &rows));
    RT_TRY_OUT(simulate_table_create(&w->table, &rows, &t));
    simulate_table_print(&t, &w->table, stdout);
    RT_TRY_OUT(write_to(w->csv, &t, &w->table, false));
    RT_TRY_OUT(write_to(w->svg, &t, &w->table, true));
out:
    simulate_table_clear(&t);
    simulate_rows_clear(&rows);
    return st;
}

int simulate_cmd_table(int argc, char **argv)
{
    struct wish w = {
        .table = {.per_node = 8,
                  .wire = "fp32",
                  .gpu = {.mfu = 0.55, .peak_flops_per_s = 312e12, .memory_bytes = 80e9}}};

    argp_parse(&parser, argc, argv, 0, NULL, &w);
    return rt_status_exit(run(&w));
}
