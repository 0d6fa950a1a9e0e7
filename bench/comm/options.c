/* bench/comm/options.c - see options.h */
#include "bench/comm/options.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/comm/sizes.h"
#include "comm/schedule/schedule.h"
#include "jobs/options.h"

static const char *const op_names[BENCH_OPS] = {"all-gather", "reduce-scatter", "all-reduce",
                                                "ring",       "pairs",          "bisection",
                                                "incast",     "overlap",        "scalars"};

const char *bench_op_name(bench_op op) { return op_names[op]; }

enum {
    KEY_OP = 'o',
    KEY_SIZES = 's',
    KEY_ALGO = 'a',
    KEY_BASELINE = 'b',
    KEY_DTYPE = 'd',
    KEY_WIRE = 'w',
    KEY_REPETITIONS = 'n',
    KEY_JSON = 'j',
    KEY_LAYOUT = 256,
    KEY_PRETEND,
    KEY_SHAPE,
    KEY_SPLIT,
    KEY_MAX_SECONDS,
    KEY_CHECK,
    KEY_COUNTERS,
    KEY_EXPECT,
    KEY_RATE,
    KEY_SEED,
    KEY_TUNE,
    KEY_TUNING,
    KEY_EXPLAIN,
    KEY_CSV,
    KEY_SVG,
    KEY_COMPUTE,
    KEY_INCAST,
    KEY_CHUNK
};

static const struct argp_option options[] = {
    {0, 0, 0, 0, "What is measured:", 1},
    {"op", KEY_OP, "LIST", 0,
     "all-gather, reduce-scatter, all-reduce (these three by default), ring, pairs, bisection, "
     "incast, overlap, scalars; all",
     1},
    {"sizes", KEY_SIZES, "FROM:TO:FACTOR", 0,
     "total bytes as in nccl-tests, or a list (default 1M:64M:4); K = 1024", 1},
    {"shape", KEY_SHAPE, "NAME", 0, "sizes of the units of 7b, 13b, 34b or 70b instead", 1},
    {"algo", KEY_ALGO, "LIST", 0, "of our algorithms: auto (default), all, or names", 1},
    {"baseline", KEY_BASELINE, "mpi", 0,
     "MPI's own collectives beside ours: its choice and each of its algorithms forced", 1},
    {"dtype", KEY_DTYPE, "TYPE", 0, "bf16 (default) or fp32: of units and gradients", 1},
    {"wire", KEY_WIRE, "TYPE", 0, "fp32 (default) or bf16: of sums between nodes", 1},
    {"layout", KEY_LAYOUT, "node|flat", 0,
     "node (default): a shared window inside nodes; flat: everything by messages", 1},
    {"pretend", KEY_PRETEND, "K", 0, "pretend that every K ranks are a node", 1},
    {"split", KEY_SPLIT, 0, 0, "one group a local rank, all at once, as rails see it", 1},
    {"compute-ms", KEY_COMPUTE, "MS", 0, "work behind the exchange of overlap (default 30)", 1},
    {"incast", KEY_INCAST, "K", 0, "senders of incast (default: all others)", 1},
    {"chunk", KEY_CHUNK, "BYTES", 0, "cut blocks of our exchanges into such chunks", 1},
    {0, 0, 0, 0, "How long, and how sure:", 2},
    {"repetitions", KEY_REPETITIONS, "N", 0,
     "at most (default 50); a row ends before, from 6 on, when its interval is within 5 %", 2},
    {"max-seconds", KEY_MAX_SECONDS, "S", 0, "of measuring, for all rows (default 60)", 2},
    {"check", KEY_CHECK, "on|off", 0, "compare every element with its known value (default on)", 2},
    {"seed", KEY_SEED, "N", 0, "of the order in which rows are measured (default 1)", 2},
    {0, 0, 0, 0, "What to hold it against:", 3},
    {"rate", KEY_RATE, "GBIT", 0,
     "rate of a node's link, one way, in Gbit/s (default: what sysfs says of the NICs)", 3},
    {"expect", KEY_EXPECT, "SHARE", 0,
     "end with 70 where the largest size of an operation stays below this share of what the link "
     "or the memory allows",
     3},
    {"counters", KEY_COUNTERS, 0, 0, "print all NIC counters that moved; trouble is printed anyway",
     3},
    {0, 0, 0, 0, "Tuning:", 4},
    {"tune", KEY_TUNE, "FILE", 0,
     "measure this machine and write FILE for training, and FILE.ompi-rules for Open MPI", 4},
    {"tuning", KEY_TUNING, "FILE", 0, "let auto choose by this file", 4},
    {"explain", KEY_EXPLAIN, 0, 0, "say which algorithm auto takes for each size, and why", 4},
    {0, 0, 0, 0, "Output:", 5},
    {"json", KEY_JSON, "FILE", 0, "write the rows as JSON too", 5},
    {"csv", KEY_CSV, "FILE", 0, "write the rows as CSV too", 5},
    {"svg", KEY_SVG, "PREFIX", 0, "draw PREFIX-bandwidth.svg and, of pairs, PREFIX-pairs.svg", 5},
    {0},
};

/* Options, and what can only be known when all of them are. */
struct parsing {
    struct bench_options *o;
    const char *shape;
    bool op_given, sizes_given, algo_given, baseline_given;
};

/* The same name, whatever the hyphens: allgather is all-gather. */
static bool same_name(const char *a, const char *b)
{
    while (*a != '\0' || *b != '\0') {
        while (*a == '-') a++;
        while (*b == '-') b++;
        if (*a != *b) return false;
        if (*a != '\0') a++, b++;
    }
    return true;
}

static void parse_ops(struct argp_state *state, struct bench_options *o, const char *text)
{
    char copy[256], *rest = copy;

    memset(o->op, 0, sizeof o->op);
    snprintf(copy, sizeof copy, "%s", text);
    while (rest != NULL) {
        const char *name = strsep(&rest, ",");
        bool found = false;
        for (int op = 0; op < BENCH_OPS; op++) {
            if (strcmp(name, "all") != 0 && !same_name(name, op_names[op])) continue;
            o->op[op] = found = true;
        }
        if (!found)
            argp_error(state,
                       "--op has '%s'; there are: all-gather, reduce-scatter, all-reduce, ring, "
                       "pairs, bisection, incast, overlap, scalars, all",
                       name);
    }
}

static rt_dtype parse_type(struct argp_state *state, const char *option, const char *text)
{
    if (strcmp(text, "fp32") == 0) return RT_F32;
    if (strcmp(text, "bf16") != 0)
        argp_error(state, "%s is '%s', must be bf16 or fp32", option, text);
    return RT_BF16;
}

/* Is it `yes`? Else it must be `no`. */
static bool parse_word(struct argp_state *state, const char *option, const char *text,
                       const char *yes, const char *no)
{
    if (strcmp(text, yes) == 0) return true;
    if (strcmp(text, no) != 0)
        argp_error(state, "%s is '%s', must be %s or %s", option, text, yes, no);
    return false;
}

static error_t parse_what(int key, char *text, struct argp_state *state)
{
    struct parsing *p = state->input;
    struct bench_options *o = p->o;

    switch (key) {
    case KEY_OP: parse_ops(state, o, text), p->op_given = true; return 0;
    case KEY_SIZES:
        bench_sizes_parse(state, text, &o->sizes, &o->sizes_count);
        p->sizes_given = true;
        return 0;
    case KEY_SHAPE:
        if (bench_shape_find(text) == NULL)
            argp_error(state, "--shape is '%s', must be 7b, 13b, 34b or 70b", text);
        p->shape = text;
        return 0;
    case KEY_ALGO: o->algorithms = text, p->algo_given = true; return 0;
    case KEY_BASELINE:
        if (strcmp(text, "mpi") != 0) argp_error(state, "--baseline is '%s', must be mpi", text);
        o->baseline = true;
        return 0;
    case KEY_DTYPE: o->type = parse_type(state, "--dtype", text); return 0;
    case KEY_WIRE: o->wire = parse_type(state, "--wire", text); return 0;
    case KEY_LAYOUT: o->flat = parse_word(state, "--layout", text, "flat", "node"); return 0;
    case KEY_PRETEND:
        o->pretend = (int)option_integer(state, "--pretend", text, 1, 1000000);
        return 0;
    case KEY_SPLIT: o->split = true; return 0;
    case KEY_COMPUTE:
        o->compute_s = 1e-3 * option_number(state, "--compute-ms", text, 0.1, 1e5);
        return 0;
    case KEY_INCAST: o->incast = (int)option_integer(state, "--incast", text, 1, 1000000); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_how(int key, char *text, struct argp_state *state)
{
    struct bench_options *o = ((struct parsing *)state->input)->o;

    switch (key) {
    case KEY_CHUNK:
        o->chunk_bytes = (size_t)option_bytes(state, "--chunk", text);
        if (o->chunk_bytes < 4096 || o->chunk_bytes > 1 << 30)
            argp_error(state, "--chunk is '%s', must be from 4K to 1G", text);
        return 0;
    case KEY_REPETITIONS:
        o->repetitions = (int)option_integer(state, "--repetitions", text, 1, 100000);
        return 0;
    case KEY_MAX_SECONDS:
        o->max_seconds = option_number(state, "--max-seconds", text, 0.01, 1e6);
        return 0;
    case KEY_CHECK: o->check = parse_word(state, "--check", text, "on", "off"); return 0;
    case KEY_SEED:
        o->seed = (uint64_t)option_integer(state, "--seed", text, 0, INT64_MAX);
        return 0;
    case KEY_RATE: o->rate_gbit = option_number(state, "--rate", text, 1e-6, 1e6); return 0;
    case KEY_EXPECT: o->expect = option_number(state, "--expect", text, 1e-6, 10); return 0;
    case KEY_COUNTERS: o->counters = true; return 0;
    case KEY_TUNE: o->tune = text; return 0;
    case KEY_TUNING: o->tuning = text; return 0;
    case KEY_EXPLAIN: o->explain = true; return 0;
    case KEY_JSON: o->json = text; return 0;
    case KEY_CSV: o->csv = text; return 0;
    case KEY_SVG: o->svg = text; return 0;
    case ARGP_KEY_ARG: argp_error(state, "'%s' is not expected", text); return EINVAL;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static void check_algorithms(struct argp_state *state, const char *text)
{
    char copy[512], *rest = copy, names[512] = "auto, all";

    for (const struct comm_algorithm *a = comm_algorithms; a->name != NULL; a++)
        snprintf(names + strlen(names), sizeof names - strlen(names), ", %s", a->name);
    snprintf(copy, sizeof copy, "%s", text);
    while (rest != NULL) {
        const char *name = strsep(&rest, ",");
        if (strcmp(name, "auto") != 0 && strcmp(text, "all") != 0 &&
            comm_algorithm_find(name) == NULL)
            argp_error(state, "--algo has '%s'; there are: %s", name, names);
    }
}

/* What follows from the whole of the command line. */
static void complete(struct argp_state *state)
{
    struct parsing *p = state->input;
    struct bench_options *o = p->o;

    check_algorithms(state, o->algorithms);
    if (p->shape != NULL && p->sizes_given)
        argp_error(state, "--shape and --sizes are two ways to give sizes: take one");
    if (o->tune != NULL && o->split)
        argp_error(state, "--tune measures the layout that training has: take --split away");
    if (!p->op_given) o->op[BENCH_GATHER] = o->op[BENCH_REDUCE] = o->op[BENCH_ALLREDUCE] = true;
    if (o->tune != NULL && !p->algo_given) o->algorithms = "all";
    if (o->tune != NULL) o->baseline = true;
    if (p->shape != NULL &&
        bench_shape_sizes(p->shape, o->type, &o->sizes, &o->sizes_count) != RT_OK)
        argp_failure(state, 1, 0, "no memory for the sizes of %s", p->shape);
    if (o->sizes == NULL)
        bench_sizes_parse(state, o->tune != NULL ? "4K:64M:4" : "1M:64M:4", &o->sizes,
                          &o->sizes_count);
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    if (key == ARGP_KEY_END) {
        complete(state);
        return 0;
    }
    const error_t e = parse_what(key, text, state);
    return e == ARGP_ERR_UNKNOWN ? parse_how(key, text, state) : e;
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .doc = "Measure the interconnect: our collectives, MPI's own beside them, single links and "
           "pairs, and how much of an exchange computing hides. Start the ranks with mpirun or "
           "srun --mpi=pmix.",
};

void bench_options_parse(int argc, char **argv, struct bench_options *o)
{
    struct parsing p = {.o = o};

    *o = (struct bench_options){.algorithms = "auto",
                                .type = RT_BF16,
                                .wire = RT_F32,
                                .check = true,
                                .repetitions = 50,
                                .max_seconds = 60,
                                .compute_s = 0.03,
                                .seed = 1};
    argp_parse(&parser, argc, argv, 0, NULL, &p);
}

void bench_options_clear(struct bench_options *o)
{
    free(o->sizes);
    *o = (struct bench_options){0};
}
