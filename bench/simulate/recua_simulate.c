/* bench/simulate/recua_simulate.c - the program recua-simulate: clusters that we do not have
 *
 * Needs neither MPI nor SimGrid: bench/simulate/run brings the two together.
 */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "bench/simulate/commands.h"
#include "runtime/status.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what;
} commands[] = {
    {"units", simulate_cmd_units, "units, computing time and micro-steps of a run file"},
    {"flows", simulate_cmd_flows, "collectives by the flow solver, as rows"},
    {"compose", simulate_cmd_compose, "one step put together from rows"},
    {"table", simulate_cmd_table, "the table of all models and clusters, out of rows"},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void print_usage(FILE *out)
{
    fprintf(out, "Usage: recua-simulate COMMAND [OPTION...]\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].what);
    fprintf(out,
            "\n`recua-simulate COMMAND --help` shows its options; bench/simulate/run makes the "
            "rows.\n");
}

const char *simulate_split(struct argp_state *state, const char *option, const char *text,
                           char *name, unsigned long bytes)
{
    const char *rest = strchr(text, '=');

    if (rest == NULL || rest == text || (unsigned long)(rest - text) >= bytes)
        argp_error(state, "%s '%s' must be NAME=VALUE, the name below %lu characters", option, text,
                   bytes);
    memcpy(name, text, (size_t)(rest - text));
    name[rest - text] = '\0';
    return rest + 1;
}

int main(int argc, char **argv)
{
    char name[64];

    argp_err_exit_status = rt_status_exit(RT_EINVAL);
    if (argc < 2) {
        print_usage(stderr);
        return rt_status_exit(RT_EINVAL);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "--usage") == 0) {
        print_usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("recua-simulate %s\n", RECUA_VERSION);
        return 0;
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) != 0) continue;
        snprintf(name, sizeof name, "recua-simulate %s", argv[1]);
        argv[1] = name;
        return commands[i].run(argc - 1, argv + 1);
    }
    return rt_status_exit(
        RT_FAIL(RT_EINVAL, "no command '%s'; there are: units, flows, compose, table", argv[1]));
}
