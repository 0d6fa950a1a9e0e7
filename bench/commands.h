/* bench/commands.h - a program that is a list of commands: `PROGRAM COMMAND [OPTION...]`
 *
 * The list only looks for the command's name; every command has its own options.
 */
#ifndef BENCH_COMMANDS_H
#define BENCH_COMMANDS_H

struct bench_command {
    const char *name;
    int (*run)(int argc, char **argv); /* its exit code; NULL: not built yet */
    const char *what;
};

struct bench_program {
    const char *name;
    const char *more;                     /* of --help, behind the list */
    const struct bench_command *commands; /* name NULL last */
};

/* Runs what argv names, --help, --usage or --version; the exit code. argv[1] becomes "PROGRAM
 * COMMAND", which is what its command's messages begin with. */
int bench_program_run(const struct bench_program *p, int argc, char **argv);

#endif
