/* jobs/subcommand.h - commands whose first word names the work: `recua data prepare ...` */
#ifndef JOBS_SUBCOMMAND_H
#define JOBS_SUBCOMMAND_H

#include "runtime/status.h"

struct subcommand {
    const char *name;                        /* NULL ends a table */
    rt_status (*run)(int argc, char **argv); /* argv[0] is "recua data prepare" */
};

/* Runs the one that the first word names; an unknown one is RT_EINVAL and lists those there are.
 * args_doc and doc as argp has them. What was printed must have reached standard output (else
 * RT_EIO). The result is the exit code. */
int subcommand_run(int argc, char **argv, const struct subcommand *table, const char *args_doc,
                   const char *doc);

#endif
