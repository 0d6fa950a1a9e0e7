/* bench/commands.c - see commands.h */
#include "bench/commands.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "runtime/status.h"

static void print_usage(const struct bench_program *p, FILE *out)
{
    fprintf(out, "Usage: %s COMMAND [OPTION...]\n\n", p->name);
    for (const struct bench_command *c = p->commands; c->name != NULL; c++)
        fprintf(out, "  %-8s %s%s\n", c->name, c->what, c->run == NULL ? " (not built yet)" : "");
    fprintf(out, "\n`%s COMMAND --help` shows its options%s\n", p->name, p->more);
}

/* "gemm, step, comm" */
static const char *list(const struct bench_program *p, bool built, char *out, size_t bytes)
{
    out[0] = '\0';
    for (const struct bench_command *c = p->commands; c->name != NULL; c++)
        if (!built || c->run != NULL)
            snprintf(out + strlen(out), bytes - strlen(out), "%s%s", out[0] == '\0' ? "" : ", ",
                     c->name);
    return out;
}

static int run_command(const struct bench_program *p, const struct bench_command *c, int argc,
                       char **argv)
{
    static char name[64]; /* argv has it until the end */
    char names[256];

    if (c->run == NULL)
        return rt_status_exit(RT_FAIL(RT_EMISSING, "%s %s is not built yet; there are: %s", p->name,
                                      c->name, list(p, true, names, sizeof names)));
    snprintf(name, sizeof name, "%s %s", p->name, c->name);
    argv[1] = name;
    return c->run(argc - 1, argv + 1);
}

int bench_program_run(const struct bench_program *p, int argc, char **argv)
{
    char names[256];

    if (argc < 2) {
        print_usage(p, stderr);
        return rt_status_exit(RT_EINVAL);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "--usage") == 0) {
        print_usage(p, stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("%s %s\n", p->name, RECUA_VERSION);
        return 0;
    }
    for (const struct bench_command *c = p->commands; c->name != NULL; c++)
        if (strcmp(argv[1], c->name) == 0) return run_command(p, c, argc, argv);
    return rt_status_exit(RT_FAIL(RT_EINVAL, "no command '%s'; there are: %s", argv[1],
                                  list(p, false, names, sizeof names)));
}
