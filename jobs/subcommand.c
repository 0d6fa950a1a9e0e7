/* jobs/subcommand.c - see subcommand.h */
#include "jobs/subcommand.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The first word that is no option names the work. */
static error_t parse_word(int key, char *arg, struct argp_state *state)
{
    int *at = state->input;

    (void)arg;
    if (key == ARGP_KEY_NO_ARGS) argp_usage(state);
    if (key != ARGP_KEY_ARG) return ARGP_ERR_UNKNOWN;
    *at = state->next - 1;
    state->next = state->argc;
    return 0;
}

static rt_status unknown(const char *command, const char *word, const struct subcommand *table)
{
    char list[256] = "";
    size_t used = 0;

    for (const struct subcommand *s = table; s->name != NULL && used < sizeof list; s++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", s == table ? "" : ", ",
                                 s->name);
    return RT_FAIL(RT_EINVAL, "%s: '%s' is unknown, must be one of: %s", command, word, list);
}

int subcommand_run(int argc, char **argv, const struct subcommand *table, const char *args_doc,
                   const char *doc)
{
    const struct argp argp = {NULL, parse_word, args_doc, doc, NULL, NULL, NULL};
    const struct subcommand *s = table;
    int at = 1;
    char name[64];
    rt_status st;

    argp_err_exit_status = rt_status_exit(RT_EINVAL);
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &at);
    char *const word = argv[at];
    while (s->name != NULL && strcmp(s->name, word) != 0) s++;
    if (s->name == NULL) return rt_status_exit(unknown(argv[0], word, table));
    snprintf(name, sizeof name, "%s %s", argv[0], word);
    argv[at] = name;
    st = s->run(argc - at, argv + at);
    argv[at] = word;
    if (fflush(stdout) != 0 && st == RT_OK)
        st = RT_FAIL(RT_EIO, "standard output cannot be written: %s", strerror(errno));
    return rt_status_exit(st);
}
