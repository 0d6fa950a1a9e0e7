/* checkpoint/open.c - find a checkpoint, parse its manifest, hand out what it says */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "checkpoint/checkpoint.h"
#include "checkpoint/file.h"
#include "checkpoint/opened.h"
#include "checkpoint/steps.h"
#include "runtime/log.h"

struct checkpoint {
    struct manifest *manifest;
    char path[PATH_MAX]; /* the step directory */
};

/* A manifest takes about 40 bytes a MiB of state: this one would be of 25 TB. */
static const uint64_t manifest_limit = UINT64_C(1) << 30;

const struct checkpoint_meta *checkpoint_meta(const struct checkpoint *c)
{
    return &c->manifest->meta;
}

const char *checkpoint_path(const struct checkpoint *c) { return c->path; }
const struct manifest *opened_manifest(const struct checkpoint *c) { return c->manifest; }

void checkpoint_close(struct checkpoint **c)
{
    if (*c == NULL) return;
    manifest_destroy(&(*c)->manifest);
    free(*c);
    *c = NULL;
}

static rt_status check_size(const char *dir, const char *name, uint64_t bytes)
{
    char path[PATH_MAX];
    struct stat s;

    RT_TRY(file_path(path, dir, name));
    if (stat(path, &s) != 0)
        return RT_FAIL(errno == ENOENT ? RT_EDATA : RT_EIO, "%s: %s", path, strerror(errno));
    if ((uint64_t)s.st_size != bytes)
        return RT_FAIL(RT_EDATA, "%s has %jd bytes, its manifest says %" PRIu64 ": truncated?",
                       path, (intmax_t)s.st_size, bytes);
    return RT_OK;
}

rt_status opened_step(const char *step_dir, struct checkpoint **out)
{
    char path[PATH_MAX];
    struct checkpoint *c = NULL;
    void *text = NULL;
    size_t bytes;
    rt_status st;

    *out = NULL;
    RT_TRY(file_path(path, step_dir, MANIFEST_FILE));
    RT_TRY(file_load(path, manifest_limit, &text, &bytes));
    c = calloc(1, sizeof *c);
    if (c == NULL) {
        st = RT_FAIL(RT_ENOMEM, "%s", path);
        goto out;
    }
    size_t n = strlen(step_dir); /* shorter than path, so it fits */
    while (n > 1 && step_dir[n - 1] == '/') n--;
    memcpy(c->path, step_dir, n);
    RT_TRY_OUT(manifest_parse(text, bytes, path, &c->manifest));
    RT_TRY_OUT(check_size(c->path, MANIFEST_STATE, c->manifest->state_bytes));
    for (int i = 0; i < MANIFEST_FILES; i++)
        RT_TRY_OUT(check_size(c->path, manifest_file_names[i], c->manifest->files[i].bytes));
    *out = c;
    c = NULL;
out:
    checkpoint_close(&c);
    free(text);
    return st;
}

/* The newest step of dir that opens. RT_EMISSING: there is no step at all (nothing is said). */
static rt_status open_newest(const char *dir, struct checkpoint **out)
{
    char path[PATH_MAX];
    uint64_t *steps = NULL;
    size_t count = 0;
    rt_status st;

    RT_TRY(steps_list(dir, &steps, &count));
    st = RT_EMISSING;
    for (size_t i = 0; i < count; i++) {
        RT_TRY_OUT(steps_path(path, dir, "", steps[i]));
        st = opened_step(path, out);
        if (st != RT_EDATA && st != RT_EMISSING) break; /* opened, or not its fault */
        if (st == RT_EMISSING) rt_log(RT_LOG_WARN, "%s has no " MANIFEST_FILE, path);
        rt_log(RT_LOG_WARN, "%s is damaged and left alone; trying the next older", path);
        st = RT_EDATA;
    }
    if (st == RT_EDATA)
        st = RT_FAIL(RT_EDATA, "none of the %zu checkpoints in %s can be opened", count, dir);
out:
    free(steps);
    return st;
}

rt_status checkpoint_open(const char *path, struct checkpoint **out)
{
    char below[PATH_MAX];
    rt_status st;

    *out = NULL;
    st = opened_step(path, out); /* a step directory? */
    if (st == RT_EMISSING) st = open_newest(path, out);
    if (st == RT_EMISSING) { /* a run directory? */
        RT_TRY(file_path(below, path, "checkpoints"));
        st = open_newest(below, out);
    }
    if (st == RT_EMISSING)
        return RT_FAIL(RT_EMISSING, "no checkpoint in %s, nor in %s/checkpoints", path, path);
    return st;
}

rt_status checkpoint_open_all(struct comm *world, const char *path, struct checkpoint **out)
{
    char chosen[PATH_MAX] = "";
    struct checkpoint *c = NULL;
    rt_status st = RT_OK;

    *out = NULL;
    if (comm_rank(world) == 0) {
        st = checkpoint_open(path, &c);
        if (st == RT_OK) memcpy(chosen, c->path, sizeof chosen);
    }
    RT_TRY_OUT(comm_agree(world, st));
    RT_TRY_OUT(comm_bcast(world, 0, chosen, sizeof chosen));
    if (c == NULL) st = opened_step(chosen, &c);
    if (st == RT_EMISSING)
        st = RT_FAIL(RT_EMISSING,
                     "%s: rank 0 sees this checkpoint, this rank does not: is it on a "
                     "shared file system?",
                     chosen);
    RT_TRY_OUT(comm_agree(world, st));
    *out = c;
    c = NULL;
out:
    checkpoint_close(&c);
    return st;
}

rt_status checkpoint_file(const struct checkpoint *c, const char *name, void **bytes, size_t *count)
{
    char path[PATH_MAX];
    int i = 0;

    *bytes = NULL;
    *count = 0;
    while (i < MANIFEST_FILES && strcmp(manifest_file_names[i], name) != 0) i++;
    if (i == MANIFEST_FILES)
        return RT_FAIL(RT_EINVAL, "%s: a checkpoint has no file %s", c->path, name);
    const struct manifest_file *f = &c->manifest->files[i];
    RT_TRY(file_path(path, c->path, name));
    const rt_status st = file_load(path, f->bytes, bytes, count);
    if (st == RT_EMISSING) return RT_FAIL(RT_EDATA, "%s is missing", path);
    if (st != RT_OK) return st;
    const XXH128_hash_t hash = XXH3_128bits(*bytes, *count);
    if (*count == f->bytes && hash.low64 == f->low && hash.high64 == f->high) return RT_OK;
    free(*bytes);
    *bytes = NULL;
    *count = 0;
    return RT_FAIL(RT_EDATA, "%s is damaged: it is not the file that was saved", path);
}
