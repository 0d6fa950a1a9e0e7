/* bench/cmd_step.c - `recua-bench step RUN.yaml`: its options, and the order of things
 *
 * Tokens are made from the seed, so no data need stand. What is measured: step.h.
 */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/step.h"
#include "jobs/options.h"

enum { KEY_SET = 's', KEY_STEPS = 'n', KEY_WARMUP = 'w', KEY_JSON = 'j' };

static const struct argp_option options[] = {
    {"set", KEY_SET, "KEY=VALUE", 0, "set a key of the run file, as in recua pretrain", 0},
    {"steps", KEY_STEPS, "N", 0, "steps that are measured (default 5)", 0},
    {"warmup", KEY_WARMUP, "N", 0, "steps before them, at least 1 (default 2)", 0},
    {"json", KEY_JSON, "FILE", 0, "write the figures as JSON too", 0},
    {0},
};

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct step_options *o = state->input;

    switch (key) {
    case KEY_SET: o->sets[o->set_count++] = text; return 0;
    case KEY_STEPS: o->steps = (int)option_integer(state, "--steps", text, 1, 1000000); return 0;
    case KEY_WARMUP: o->warmup = (int)option_integer(state, "--warmup", text, 1, 1000000); return 0;
    case KEY_JSON: o->json = text; return 0;
    case ARGP_KEY_ARG:
        if (o->run_file != NULL) argp_error(state, "more than one run file: '%s'", text);
        o->run_file = text;
        return 0;
    case ARGP_KEY_END:
        if (o->run_file == NULL) argp_error(state, "a run file is wanted");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .args_doc = "RUN.yaml",
    .doc = "Measure training steps of this run file on made-up tokens: tokens/s, MFU against the "
           "matmul peak measured in the same run, time by phase, memory against the plan. Start "
           "several ranks with mpirun or srun --mpi=pmix.",
};

/* Rank 0 reads the run file; the others get its resolved text. Collective. */
static rt_status load_run_file(const struct step_options *o, struct comm *world,
                               struct runfile **out)
{
    struct runfile *r = NULL;
    char *text = NULL;
    size_t bytes = 0;
    rt_status st = RT_OK;

    *out = NULL;
    if (comm_rank(world) == 0) st = runfile_load(o->run_file, o->sets, o->set_count, &r);
    if (st == RT_OK && r != NULL) st = runfile_print(r, &text);
    RT_TRY_OUT(comm_agree(world, st));
    if (text != NULL) bytes = strlen(text);
    RT_TRY_OUT(comm_bcast(world, 0, &bytes, sizeof bytes));
    if (text == NULL) text = malloc(bytes + 1);
    RT_TRY_OUT(comm_agree(world, text == NULL ? RT_ENOMEM : RT_OK));
    RT_TRY_OUT(comm_bcast(world, 0, text, bytes));
    if (r == NULL) st = runfile_parse(text, bytes, o->run_file, NULL, 0, &r);
    RT_TRY_OUT(comm_agree(world, st));
    *out = r;
    r = NULL;
out:
    free(text);
    runfile_destroy(&r);
    return st;
}

/* A file that cannot be written is refused before the work, not after it. */
static rt_status check_json(const struct step_options *o, struct comm *world)
{
    rt_status st = RT_OK;

    if (o->json != NULL && comm_rank(world) == 0) {
        FILE *f = fopen(o->json, "a");
        if (f == NULL)
            st = RT_FAIL(RT_EIO, "%s: cannot be written: %s; choose another --json FILE", o->json,
                         strerror(errno));
        else
            fclose(f);
    }
    return comm_agree(world, st);
}

static rt_status measure_and_report(const struct step_options *o, struct comm *world)
{
    struct step_figures figures = {0};
    struct runfile *r = NULL;
    rt_status st = load_run_file(o, world, &r);

    if (st == RT_OK) st = check_json(o, world);
    if (st == RT_OK) st = step_measure(o, r, world, &figures);
    if (st == RT_OK && comm_rank(world) == 0) {
        step_print(r, &figures);
        if (o->json != NULL) st = step_write_json(o->json, o->run_file, r, &figures);
    }
    step_figures_clear(&figures);
    runfile_destroy(&r);
    return comm_agree(world, st);
}

int bench_step(int argc, char **argv)
{
    struct step_options o = {.steps = 5, .warmup = 2};
    struct comm *world = NULL;
    rt_status st;

    argp_err_exit_status = rt_status_exit(RT_EINVAL);
    o.sets = calloc((size_t)argc, sizeof *o.sets);
    if (o.sets == NULL) return rt_status_exit(RT_ENOMEM);
    argp_parse(&parser, argc, argv, 0, NULL, &o);
    st = comm_init(&argc, &argv, &world);
    if (st == RT_OK) st = measure_and_report(&o, world);
    comm_finish(&world);
    free(o.sets);
    return rt_status_exit(st);
}
