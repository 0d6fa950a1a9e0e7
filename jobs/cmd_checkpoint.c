/* jobs/cmd_checkpoint.c - `recua checkpoint list|info|verify DIR` */
#include <argp.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "checkpoint/checkpoint.h"
#include "jobs/commands.h"
#include "runtime/log.h"

struct options {
    const char *what, *dir;
};

static bool not_built(const char *what)
{
    return strcmp(what, "prune") == 0 || strcmp(what, "merge") == 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        if (o->what == NULL)
            o->what = arg;
        else if (o->dir == NULL)
            o->dir = arg;
        else
            argp_error(state, "'%s' is one argument too many", arg);
        return 0;
    case ARGP_KEY_END:
        if (o->what == NULL || (o->dir == NULL && !not_built(o->what)))
            argp_error(state, "what to do and a directory are required");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    NULL,
    parse,
    "list|info|verify DIR",
    "Look at checkpoints.\v"
    "DIR is a run directory, its checkpoints directory or one checkpoint.\n\n"
    "  list    the checkpoints of DIR, newest first\n"
    "  info    what is in the checkpoint, or in the newest of DIR\n"
    "  verify  read and check every byte of the checkpoint, or of all in DIR\n\n"
    "Exit code 4 if a checkpoint is damaged, 3 if there is none.",
    NULL,
    NULL,
    NULL};

/* The steps that DIR means, as paths (PATH_MAX each), newest first. */
struct found {
    char (*paths)[PATH_MAX];
    size_t count;
};

static bool is_file(const char *dir, const char *name)
{
    char path[PATH_MAX];
    struct stat s;
    const int n = snprintf(path, sizeof path, "%s/%s", dir, name);

    return n > 0 && n < PATH_MAX && stat(path, &s) == 0 && S_ISREG(s.st_mode);
}

static rt_status steps_in(const char *dir, struct found *out)
{
    uint64_t *steps = NULL;
    rt_status st;

    RT_TRY(checkpoint_list(dir, &steps, &out->count));
    st = RT_OK;
    if (out->count > 0) {
        out->paths = calloc(out->count, sizeof *out->paths);
        if (out->paths == NULL) st = RT_FAIL(RT_ENOMEM, "%zu paths", out->count);
    }
    for (size_t i = 0; st == RT_OK && i < out->count; i++) {
        const int n = snprintf(out->paths[i], PATH_MAX, "%s/step-%08" PRIu64, dir, steps[i]);
        if (n >= PATH_MAX) st = RT_FAIL(RT_EINVAL, "path %.60s... is too long", dir);
    }
    free(steps);
    return st;
}

static rt_status find(const char *dir, struct found *out)
{
    char below[PATH_MAX];
    struct stat s;

    if (stat(dir, &s) != 0 || !S_ISDIR(s.st_mode))
        return RT_FAIL(RT_EMISSING, "%s is not a directory", dir);
    if (is_file(dir, "MANIFEST")) { /* one checkpoint */
        out->paths = calloc(1, sizeof *out->paths);
        if (out->paths == NULL) return RT_FAIL(RT_ENOMEM, "a path");
        out->count = 1;
        const int n = snprintf(out->paths[0], PATH_MAX, "%s", dir);
        return n < PATH_MAX ? RT_OK : RT_FAIL(RT_EINVAL, "path %.60s... is too long", dir);
    }
    RT_TRY(steps_in(dir, out));
    if (out->count > 0) return RT_OK;
    if (snprintf(below, sizeof below, "%s/checkpoints", dir) < PATH_MAX)
        RT_TRY(steps_in(below, out));
    if (out->count > 0) return RT_OK;
    return RT_FAIL(RT_EMISSING, "no checkpoint in %s, nor in %s/checkpoints", dir, dir);
}

/* A damaged one is listed as such; what is wrong goes to stderr. */
static rt_status list(const struct found *f)
{
    rt_status worst = RT_OK;

    printf("%12s %16s %7s  %s\n", "step", "tokens", "ranks", "directory");
    for (size_t i = 0; i < f->count; i++) {
        struct checkpoint *c = NULL;
        const rt_status st = checkpoint_open(f->paths[i], &c);
        if (st == RT_OK) {
            const struct checkpoint_meta *m = checkpoint_meta(c);
            printf("%12" PRIu64 " %16" PRIu64 " %7d  %s\n", m->step, m->tokens_total, m->ranks,
                   f->paths[i]);
        } else {
            printf("%12s %16s %7s  %s\n", "damaged", "-", "-", f->paths[i]);
            if (st < worst) worst = RT_EDATA;
        }
        checkpoint_close(&c);
    }
    return worst;
}

static rt_status info(const char *dir)
{
    struct checkpoint *c = NULL;

    RT_TRY(checkpoint_open(dir, &c));
    const rt_status st = checkpoint_print(c, stdout);
    checkpoint_close(&c);
    return st;
}

static rt_status verify(const struct found *f)
{
    rt_status worst = RT_OK;

    for (size_t i = 0; i < f->count; i++) {
        struct checkpoint_report r = {0};
        const rt_status st = checkpoint_verify(f->paths[i], &r);
        if (st == RT_OK)
            printf("%s: good, %" PRIu64 " bytes in %.1f s\n", f->paths[i], r.bytes, r.seconds);
        else
            printf("%s: damaged\n", f->paths[i]);
        (void)fflush(stdout);
        if (st < worst) worst = st;
    }
    return worst;
}

static rt_status run(const struct options *o)
{
    struct found f = {0};
    rt_status st;

    if (not_built(o->what))
        return RT_FAIL(RT_EMISSING, "recua checkpoint %s is not built yet", o->what);
    if (strcmp(o->what, "info") == 0) return info(o->dir);
    const bool wants_list = strcmp(o->what, "list") == 0;
    if (!wants_list && strcmp(o->what, "verify") != 0)
        return RT_FAIL(RT_EINVAL, "recua checkpoint has no '%s'; it has list, info and verify",
                       o->what);
    st = find(o->dir, &f);
    if (st == RT_OK) st = wants_list ? list(&f) : verify(&f);
    free(f.paths);
    return st;
}

int cmd_checkpoint(int argc, char **argv)
{
    struct options o = {0};

    if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0) return rt_status_exit(RT_EINVAL);
    return rt_status_exit(run(&o));
}
