/* jobs/cmd_fabric.c - `recua fabric`: what network a node has and how jobs would set it up */
#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "comm/fabric/fabric.h"
#include "jobs/commands.h"
#include "jobs/options.h"

enum { KEY_ROOT = 256, KEY_JSON, KEY_PER_NODE, KEY_RANKS = 'n', MOST_LOCAL = 4096 };

static const struct argp_option table[] = {
    {"sysfs-root", KEY_ROOT, "DIR", 0,
     "look at the machine whose sys/ (and etc/, proc/) lie in DIR, not at this one", 0},
    {"json", KEY_JSON, NULL, 0, "as JSON; unknown is null", 0},
    {"ranks", KEY_RANKS, "N", 0, "ranks of the job that the settings are for", 0},
    {"per-node", KEY_PER_NODE, "K", 0, "ranks of a node (default: N, at most a rank a CPU)", 0},
    {0},
};

struct options {
    const char *root;
    int ranks, per_node;
    bool json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case KEY_ROOT: o->root = arg; return 0;
    case KEY_JSON: o->json = true; return 0;
    case KEY_RANKS: o->ranks = (int)option_integer(state, "--ranks", arg, 1, 1 << 24); return 0;
    case KEY_PER_NODE:
        o->per_node = (int)option_integer(state, "--per-node", arg, 1, MOST_LOCAL);
        return 0;
    case ARGP_KEY_ARG: argp_error(state, "no argument is wanted, got '%s'", arg); return 0;
    case ARGP_KEY_END:
        if (o->per_node > 0 && o->ranks > 0 && o->per_node > o->ranks)
            argp_error(state, "--per-node is %d, more than the %d of --ranks", o->per_node,
                       o->ranks);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = table,
    .parser = parse,
    .doc = "Print this node's network (InfiniBand, RoCE, iWARP, TCP), the settings that jobs of "
           "several nodes get for it and why, and what would slow them. Starts no MPI and changes "
           "nothing.",
};

/* A folder without sys/ is a slip of the pen, not a machine without a network. */
static rt_status check_root(const char *root)
{
    char sys[4096];
    int n = snprintf(sys, sizeof sys, "%s/sys", root);

    if (n < 0 || (size_t)n >= sizeof sys || access(sys, R_OK | X_OK) != 0)
        return RT_FAIL(RT_EINVAL,
                       "--sysfs-root is '%s', but there is no folder sys in it that can "
                       "be read",
                       root);
    return RT_OK;
}

static rt_status show(const struct options *o)
{
    const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    int per_node = o->per_node > 0 ? o->per_node : o->ranks;
    struct comm_fabric *f = NULL;
    rt_status st = RT_OK;

    if (o->per_node == 0 && cpus > 0 && per_node > cpus) per_node = (int)cpus;
    const struct comm_fabric_options options = {.ranks = o->ranks, .local_ranks = per_node};
    if (o->root[0] != '\0') RT_TRY(check_root(o->root));
    RT_TRY_OUT(comm_fabric_probe(o->root, &options, &f));
    if (o->json)
        RT_TRY_OUT(comm_fabric_print_json(stdout, f));
    else
        comm_fabric_print(stdout, f);
    if (fflush(stdout) != 0 || ferror(stdout))
        st = RT_FAIL(RT_EIO, "writing to standard output failed");
out:
    comm_fabric_destroy(&f);
    return st;
}

int cmd_fabric(int argc, char **argv)
{
    struct options o = {.root = ""};

    argp_parse(&parser, argc, argv, 0, NULL, &o);
    return rt_status_exit(show(&o));
}
