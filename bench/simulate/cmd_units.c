/* bench/simulate/cmd_units.c - `recua-simulate units` and `compose`: one step, as text, put together
 */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/simulate/commands.h"
#include "bench/simulate/rows.h"
#include "bench/simulate/units.h"
#include "jobs/options.h"

enum { KEY_RANKS = 'n', KEY_SET = 's', KEY_MFU = 256, KEY_PEAK };

static const struct argp_option units_options[] = {
    {"ranks", KEY_RANKS, "N", 0, "GPUs (required)", 0},
    {"mfu", KEY_MFU, "X", 0, "share of the peak while computing (default 0.55)", 0},
    {"peak", KEY_PEAK, "FLOPS", 0, "of a GPU in flop/s (default 312e12: A100)", 0},
    {"set", KEY_SET, "KEY=VALUE", 0, "set a key of the run file", 0},
    {0},
};

struct units_wish {
    const char *run_file;
    const char **sets; /* owned: (argc) */
    size_t sets_count;
    int ranks;
    struct simulate_gpu gpu;
};

static error_t parse_units(int key, char *arg, struct argp_state *state)
{
    struct units_wish *w = state->input;

    switch (key) {
    case KEY_RANKS: w->ranks = (int)option_integer(state, "--ranks", arg, 1, 65536); return 0;
    case KEY_MFU: w->gpu.mfu = option_number(state, "--mfu", arg, 1e-6, 1); return 0;
    case KEY_PEAK: w->gpu.peak_flops_per_s = option_number(state, "--peak", arg, 1, 1e21); return 0;
    case KEY_SET: w->sets[w->sets_count++] = arg; return 0;
    case ARGP_KEY_ARG:
        if (w->run_file != NULL) argp_error(state, "more than one run file: '%s'", arg);
        w->run_file = arg;
        return 0;
    case ARGP_KEY_END:
        if (w->run_file == NULL) argp_error(state, "a run file is wanted");
        if (w->ranks == 0) argp_error(state, "--ranks N is required");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp units_parser = {
    .options = units_options,
    .parser = parse_units,
    .args_doc = "RUN.yaml",
    .doc = "Print the step of a run file on so many GPUs: 'step MICRO_STEPS PREFETCH', then 'unit "
           "ELEMENTS FORWARD_S BACKWARD_S' each.",
};

static rt_status units(const struct units_wish *w)
{
    struct runfile *r = NULL;
    struct simulate_units u = {0};
    rt_status st = RT_OK;

    RT_TRY_OUT(runfile_load(w->run_file, w->sets, w->sets_count, &r));
    RT_TRY_OUT(simulate_units_create(r, w->ranks, &w->gpu, &u));
    simulate_step_write(&u.step, stdout);
out:
    simulate_units_clear(&u);
    runfile_destroy(&r);
    return st;
}

int simulate_cmd_units(int argc, char **argv)
{
    struct units_wish w = {.gpu = {.mfu = 0.55, .peak_flops_per_s = 312e12, .memory_bytes = 80e9}};

    w.sets = calloc((size_t)argc + 1, sizeof *w.sets);
    if (w.sets == NULL) return rt_status_exit(RT_FAIL(RT_ENOMEM, "the command line"));
    argp_parse(&units_parser, argc, argv, 0, NULL, &w);
    const rt_status st = units(&w);
    free(w.sets);
    return rt_status_exit(st);
}

enum { STEP_FILE, ROWS_FILE, FABRIC, GPUS, GATHER, REDUCE, WIRE, COMPOSE_ARGS };

static error_t parse_compose(int key, char *arg, struct argp_state *state)
{
    const char **args = state->input;

    if (key == ARGP_KEY_ARG && state->arg_num < COMPOSE_ARGS) {
        args[state->arg_num] = arg;
        return 0;
    }
    if (key == ARGP_KEY_ARG) argp_error(state, "'%s' is one too many", arg);
    if (key == ARGP_KEY_END && state->arg_num < COMPOSE_ARGS)
        argp_error(state, "%d arguments are wanted", (int)COMPOSE_ARGS);
    return ARGP_ERR_UNKNOWN;
}

static const struct argp compose_parser = {
    .parser = parse_compose,
    .args_doc = "STEP_FILE ROWS_FILE FABRIC RANKS GATHER REDUCE WIRE",
    .doc = "Put one step together from simulated collectives and print its times.",
};

static rt_status compose(const char *const *args)
{
    const int ranks = atoi(args[GPUS]);
    struct simulate_step s = {0};
    struct simulate_rows rows = {0};
    struct simulate_fit g, r;
    struct simulate_result result;
    rt_status st = RT_OK;

    RT_TRY_OUT(simulate_step_read(args[STEP_FILE], &s));
    RT_TRY_OUT(simulate_rows_read(args[ROWS_FILE], &rows));
    if (!simulate_rows_fit(&rows, args[FABRIC], ranks, "gather", args[GATHER], args[WIRE], &g) ||
        !simulate_rows_fit(&rows, args[FABRIC], ranks, "reduce", args[REDUCE], args[WIRE], &r)) {
        st = RT_FAIL(RT_EDATA, "%s: lacks two sizes of gather by %s or reduce by %s on %s ranks",
                     args[ROWS_FILE], args[GATHER], args[REDUCE], args[GPUS]);
        goto out;
    }
    RT_TRY_OUT(simulate_compose(&s, &g, &r, &result));
    printf("step_s %.9g compute_s %.9g comm_s %.9g hidden %.6f\n", result.step_s, result.compute_s,
           result.comm_s, result.hidden);
out:
    simulate_step_clear(&s);
    simulate_rows_clear(&rows);
    return st;
}

int simulate_cmd_compose(int argc, char **argv)
{
    const char *args[COMPOSE_ARGS] = {0};

    argp_parse(&compose_parser, argc, argv, 0, NULL, args);
    return rt_status_exit(compose(args));
}
