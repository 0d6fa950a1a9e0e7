/* bench/simulate/recua_simulate.c - the program recua-simulate: clusters that we do not have
 *
 * Needs neither MPI nor SimGrid: bench/simulate/run brings the two together.
 */
#include <argp.h>
#include <string.h>

#include "bench/commands.h"
#include "bench/simulate/commands.h"
#include "runtime/status.h"

static const struct bench_command commands[] = {
    {"units", simulate_cmd_units, "units, computing time and micro-steps of a run file"},
    {"flows", simulate_cmd_flows, "collectives by the flow solver, as rows"},
    {"compose", simulate_cmd_compose, "one step put together from rows"},
    {"table", simulate_cmd_table, "the table of all models and clusters, out of rows"},
    {NULL, NULL, NULL},
};

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
    const struct bench_program program = {
        .name = "recua-simulate",
        .more = "; bench/simulate/run makes the rows.",
        .commands = commands,
    };

    argp_err_exit_status = rt_status_exit(RT_EINVAL);
    return bench_program_run(&program, argc, argv);
}
