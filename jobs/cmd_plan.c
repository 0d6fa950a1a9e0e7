/* jobs/cmd_plan.c - `recua plan RUN.yaml`: memory and time of a job that is not run */
#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "jobs/commands.h"
#include "jobs/options.h"
#include "jobs/train/plan_print.h"
#include "jobs/train/train.h"

enum {
    KEY_SET = 's',
    KEY_RANKS = 'n',
    KEY_PER_NODE = 256,
    KEY_MEMORY,
    KEY_MFU,
    KEY_PEAK,
    KEY_JSON
};

static const struct argp_option table[] = {
    {"ranks", KEY_RANKS, "N", 0, "ranks of the job (required)", 0},
    {"per-node", KEY_PER_NODE, "K", 0, "ranks of a node (default: all on one)", 0},
    {"device-memory", KEY_MEMORY, "BYTES", 0,
     "memory a rank may use, as 80G; exit 70 if the plan does not fit", 0},
    {"mfu", KEY_MFU, "X", 0, "predict the time of a step at this share of the peak", 0},
    {"peak", KEY_PEAK, "FLOPS", 0, "peak of one rank in flop/s, as 312e12; with --mfu", 0},
    {"json", KEY_JSON, NULL, 0, "as JSON, with every buffer", 0},
    {"set", KEY_SET, "KEY=VALUE", 0, "set a key of the run file", 0},
    {0},
};

struct options {
    const char *run_file;
    const char **sets; /* owned: (argc) */
    size_t set_count;
    int ranks, per_node;
    struct plan_wish wish;
    bool json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case KEY_SET: o->sets[o->set_count++] = arg; return 0;
    case KEY_RANKS: o->ranks = (int)option_integer(state, "--ranks", arg, 1, 1 << 20); return 0;
    case KEY_PER_NODE:
        o->per_node = (int)option_integer(state, "--per-node", arg, 1, 1 << 16);
        return 0;
    case KEY_MEMORY:
        o->wish.device_memory_bytes = option_bytes(state, "--device-memory", arg);
        return 0;
    case KEY_MFU: o->wish.mfu = option_number(state, "--mfu", arg, 1e-6, 1); return 0;
    case KEY_PEAK:
        o->wish.peak_flops_per_s = option_number(state, "--peak", arg, 1, 1e21);
        return 0;
    case KEY_JSON: o->json = true; return 0;
    case ARGP_KEY_ARG:
        if (o->run_file != NULL) argp_error(state, "more than one run file: '%s'", arg);
        o->run_file = arg;
        return 0;
    case ARGP_KEY_END:
        if (o->run_file == NULL) argp_error(state, "a run file is wanted");
        if (o->ranks == 0) argp_error(state, "--ranks N is required");
        if ((o->wish.mfu > 0) != (o->wish.peak_flops_per_s > 0))
            argp_error(state, "--mfu and --peak go together: a share, and of what");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = table,
    .parser = parse,
    .args_doc = "RUN.yaml",
    .doc = "Print where the bytes of a training job go, by class, without running it. Needs no "
           "data and no ranks.",
};

static rt_status plan(const struct options *o)
{
    const int local = o->per_node > 0 && o->per_node < o->ranks ? o->per_node : o->ranks;
    const struct shard_shape shape = {
        .size = o->ranks, .nodes = (o->ranks + local - 1) / local, .local_size = local};
    struct runfile *r = NULL;
    struct rt_plan plan = {0};
    struct plan_sums sums = {0};
    rt_status st;

    RT_TRY_OUT(runfile_load(o->run_file, o->sets, o->set_count, &r));
    RT_TRY_OUT(train_plan(r, &shape, &plan));
    plan_add_up(&plan, r, &shape, &o->wish, &sums);
    if (o->json)
        plan_print_json(stdout, &plan, &sums, &shape, &o->wish);
    else
        plan_print(stdout, &sums, r, &shape, &o->wish);
    if (!sums.fits) st = RT_EEXPECT;
out:
    rt_plan_clear(&plan);
    runfile_destroy(&r);
    return st;
}

int cmd_plan(int argc, char **argv)
{
    struct options o = {0};
    rt_status st;

    o.sets = calloc((size_t)argc + 1, sizeof *o.sets);
    if (o.sets == NULL) return rt_status_exit(RT_FAIL(RT_ENOMEM, "the command line"));
    argp_parse(&parser, argc, argv, 0, NULL, &o);
    st = plan(&o);
    free(o.sets);
    return rt_status_exit(st);
}
