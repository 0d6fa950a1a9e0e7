/* bench/recua_bench.c - the program recua-bench: one command a figure
 *
 * The dispatcher only looks for the command's name; every command has its own options.
 */
#include <stdio.h>
#include <string.h>

#include "bench/bench.h"
#include "runtime/status.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv); /* NULL: not built yet */
    const char *what;
};

static const struct command commands[] = {
    {"gemm", bench_gemm, "the matmul peak of this machine in fp32 and bf16"},
    {"step", bench_step,
     "one training step: tokens/s, MFU, time by phase, memory against the plan"},
    {"comm", bench_comm, "collectives, links and pairs between ranks, beside MPI's own"},
    {"io", NULL, "checkpoint files (not built yet)"},
    {"power", NULL, "energy sensors (not built yet)"},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void print_usage(FILE *out)
{
    fprintf(out, "Usage: recua-bench COMMAND [OPTION...]\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].what);
    fprintf(out,
            "\n`recua-bench COMMAND --help` shows its options. Start several ranks with mpirun or\n"
            "srun --mpi=pmix; without a launcher it is one rank.\n");
}

static int run_command(const struct command *c, int argc, char **argv)
{
    char name[64];

    if (c->run == NULL)
        return rt_status_exit(RT_FAIL(
            RT_EMISSING, "recua-bench %s is not built yet; there are: gemm, step, comm", c->name));
    snprintf(name, sizeof name, "recua-bench %s", c->name);
    argv[1] = name;
    return c->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return rt_status_exit(RT_EINVAL);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "--usage") == 0) {
        print_usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("recua-bench %s\n", RECUA_VERSION);
        return 0;
    }
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0) return run_command(&commands[i], argc, argv);
    return rt_status_exit(
        RT_FAIL(RT_EINVAL, "no command '%s'; there are: gemm, step, comm, io, power", argv[1]));
}
