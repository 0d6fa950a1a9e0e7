/* jobs/cmd_pretrain.c - `recua pretrain RUN.yaml`: its options; the job is jobs/train/pretrain.c */
#include <argp.h>
#include <stdlib.h>

#include "comm/comm.h"
#include "jobs/commands.h"
#include "jobs/train/pretrain.h"
#include "jobs/train/stop.h"
#include "runtime/log.h"

enum { KEY_SET = 's', KEY_NEW = 256, KEY_EXPLAIN, KEY_NO_PEAK };

static const struct argp_option table[] = {
    {"set", KEY_SET, "KEY=VALUE", 0, "set a key of the run file, e.g. optimizer.clip=0.5", 0},
    {"new", KEY_NEW, NULL, 0, "refuse to resume: the run directory must be fresh", 0},
    {"explain", KEY_EXPLAIN, NULL, 0,
     "print who computes what and the schedule of gathers and reductions, and leave", 0},
    {"no-peak", KEY_NO_PEAK, NULL, 0,
     "do not measure the matmul peak at the start (mfu is unknown then)", 0},
    {0},
};

struct options {
    struct pretrain_options pretrain;
    const char **sets; /* owned: (argc) */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case KEY_SET: o->sets[o->pretrain.set_count++] = arg; return 0;
    case KEY_NEW: o->pretrain.fresh = true; return 0;
    case KEY_EXPLAIN: o->pretrain.explain = true; return 0;
    case KEY_NO_PEAK: o->pretrain.no_peak = true; return 0;
    case ARGP_KEY_ARG:
        if (o->pretrain.run_file != NULL) argp_error(state, "more than one run file: '%s'", arg);
        o->pretrain.run_file = arg;
        return 0;
    case ARGP_KEY_END:
        if (o->pretrain.run_file == NULL) argp_error(state, "a run file is wanted");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = table,
    .parser = parse,
    .args_doc = "RUN.yaml",
    .doc = "Train a model from scratch, alone or under mpirun or srun --mpi=pmix. A run directory "
           "that holds a checkpoint is resumed, on any number of ranks."
           "\vUSR1 and TERM: finish the step, write a checkpoint, exit 75. docs/runfile.md has the "
           "keys of the run file.",
};

int cmd_pretrain(int argc, char **argv)
{
    struct options o = {0};
    struct comm *world = NULL;
    rt_status st = RT_OK;

    o.sets = calloc((size_t)argc + 1, sizeof *o.sets);
    if (o.sets == NULL) return rt_status_exit(RT_FAIL(RT_ENOMEM, "the command line"));
    o.pretrain.sets = o.sets;
    argp_parse(&parser, argc, argv, 0, NULL, &o);
    (void)stop_watch(); /* before MPI starts, which may take long: an early USR1 counts */
    st = comm_init(&argc, &argv, &world);
    if (st == RT_OK) st = pretrain(&o.pretrain, world);
    comm_finish(&world);
    free(o.sets);
    return rt_status_exit(st);
}
