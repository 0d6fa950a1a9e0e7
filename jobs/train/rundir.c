/* jobs/train/rundir.c - see rundir.h: the directory, its lock, run.yaml */
#include "jobs/train/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/checkpoint.h"
#include "checkpoint/file.h"
#include "jobs/format.h"
#include "jobs/train/changes.h"
#include "jobs/train/collectives.h"
#include "jobs/train/tree.h"

enum { PATH_BYTES = 4096 };

struct rundir {
    char path[PATH_BYTES - 64], run_yaml[PATH_BYTES], checkpoints[PATH_BYTES];
    int lock;            /* descriptor; -1: not held */
    struct tree *before; /* run.yaml as found, or NULL */
    char *before_text;   /* its text: the tree's messages name it */
    struct changes *changes;
    bool has_checkpoint;
    int attempt;
    char chosen[COLLECTIVES_TEXT];
};

/* Make one directory unless it is there, so that it outlives a loss of power: its entry is in the
 * parent, of whose path `part` is the beginning. */
static rt_status make_directory(const char *part)
{
    char parent[PATH_BYTES];
    size_t n = strlen(part);

    if (mkdir(part, 0777) != 0) {
        if (errno == EEXIST) return RT_OK;
        return RT_FAIL(RT_EIO, "%s: cannot be made: %s; choose another output", part,
                       strerror(errno));
    }
    while (n > 0 && part[n - 1] == '/') n--;
    while (n > 0 && part[n - 1] != '/') n--;
    snprintf(parent, sizeof parent, "%.*s", (int)n, part);
    return file_sync_dir(n > 0 ? parent : ".");
}

static rt_status make_directories(const char *path)
{
    char part[PATH_BYTES];

    snprintf(part, sizeof part, "%s", path);
    for (char *c = part + 1;; c++) {
        if (*c != '/' && *c != '\0') continue;
        const char was = *c;
        *c = '\0';
        RT_TRY(make_directory(part));
        *c = was;
        if (was == '\0') return RT_OK;
    }
}

static rt_status take_lock(struct rundir *d)
{
    char path[PATH_BYTES], text[256] = "", host[128] = "?", utc[32];

    snprintf(path, sizeof path, "%s/LOCK", d->path);
    d->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (d->lock < 0)
        return RT_FAIL(RT_EIO, "%s: cannot be written: %s; choose another output", path,
                       strerror(errno));
    if (flock(d->lock, LOCK_EX | LOCK_NB) != 0) {
        const int cause = errno;
        const ssize_t n = pread(d->lock, text, sizeof text - 1, 0);
        text[n > 0 ? n : 0] = '\0';
        text[strcspn(text, "\n")] = '\0';
        if (cause != EWOULDBLOCK)
            return RT_FAIL(RT_EIO, "%s: cannot be locked: %s", path, strerror(cause));
        return RT_FAIL(RT_EBUSY,
                       "%s: another job owns this run (%s): wait for it, or choose another output",
                       d->path, text);
    }
    (void)gethostname(host, sizeof host - 1);
    const int n = snprintf(text, sizeof text, "process %ld on %s since %s\n", (long)getpid(), host,
                           format_utc(utc, sizeof utc));
    if (ftruncate(d->lock, 0) != 0 || pwrite(d->lock, text, (size_t)n, 0) != n)
        return RT_FAIL(RT_EIO, "%s: cannot be written: %s", path, strerror(errno));
    return RT_OK;
}

static rt_status read_before(struct rundir *d)
{
    FILE *f = fopen(d->run_yaml, "rb");
    size_t bytes = 0;
    FILE *memory = NULL;
    char block[4096];
    rt_status st = RT_OK;

    if (f == NULL) {
        if (errno == ENOENT) return RT_OK;
        return RT_FAIL(RT_EIO, "%s: %s", d->run_yaml, strerror(errno));
    }
    memory = open_memstream(&d->before_text, &bytes);
    for (size_t n; memory != NULL && (n = fread(block, 1, sizeof block, f)) > 0;)
        fwrite(block, 1, n, memory);
    if (memory == NULL || fclose(memory) != 0 || ferror(f))
        st = RT_FAIL(RT_EIO, "%s: cannot be read", d->run_yaml);
    (void)fclose(f);
    if (st == RT_OK) st = tree_parse(d->before_text, bytes, d->run_yaml, &d->before);
    return st;
}

static rt_status find_checkpoint(struct rundir *d)
{
    uint64_t *steps = NULL;
    size_t count = 0;

    RT_TRY(checkpoint_clean(d->checkpoints));
    RT_TRY(checkpoint_list(d->checkpoints, &steps, &count));
    free(steps);
    d->has_checkpoint = count > 0;
    return RT_OK;
}

static rt_status look(struct rundir *d, const struct runfile *r, bool fresh)
{
    struct runfile *before = NULL;
    const struct tree *history;
    rt_status st = RT_OK;

    RT_TRY(make_directories(d->path));
    RT_TRY(take_lock(d));
    RT_TRY(read_before(d));
    RT_TRY(find_checkpoint(d));
    if (fresh && (d->before != NULL || d->has_checkpoint))
        return RT_FAIL(RT_EINVAL,
                       "%s: holds a run already, and --new asks for a fresh directory: choose "
                       "another output, or leave --new away to resume",
                       d->path);
    if (d->before != NULL) {
        history = tree_find(d->before, "history");
        if (history != NULL) d->attempt = (int)history->count + 1;
        st = runfile_parse(d->before_text, strlen(d->before_text), d->run_yaml, NULL, 0, &before);
        if (st == RT_OK) st = changes_find(before, r, d->path, &d->changes);
        if (st == RT_OK) snprintf(d->chosen, sizeof d->chosen, "%s", before->shard.chosen);
        runfile_destroy(&before);
    }
    return st;
}

rt_status rundir_open(const struct runfile *r, bool fresh, struct rundir **out)
{
    struct rundir *d = calloc(1, sizeof *d);
    rt_status st;

    *out = NULL;
    if (d == NULL) return RT_FAIL(RT_ENOMEM, "a run directory");
    d->lock = -1;
    d->attempt = 1;
    if (r->output[0] == '\0' || strlen(r->output) >= sizeof d->path) {
        st = RT_FAIL(RT_EINVAL, "output is '%s', must be the path of the run directory", r->output);
        goto out;
    }
    snprintf(d->path, sizeof d->path, "%s", r->output);
    snprintf(d->run_yaml, sizeof d->run_yaml, "%s/run.yaml", d->path);
    snprintf(d->checkpoints, sizeof d->checkpoints, "%s/checkpoints", d->path);
    RT_TRY_OUT(look(d, r, fresh));
    *out = d;
    d = NULL;
out:
    rundir_close(&d);
    return st;
}

void rundir_close(struct rundir **d)
{
    if (*d == NULL) return;
    if ((*d)->lock >= 0) (void)close((*d)->lock); /* and the kernel unlocks */
    tree_destroy(&(*d)->before);
    changes_destroy(&(*d)->changes);
    free((*d)->before_text);
    free(*d);
    *d = NULL;
}

int rundir_attempt(const struct rundir *d) { return d->attempt; }
const char *rundir_checkpoints(const struct rundir *d) { return d->checkpoints; }
const char *rundir_chosen(const struct rundir *d) { return d->chosen; }
bool rundir_has_checkpoint(const struct rundir *d) { return d->has_checkpoint; }

static rt_status same_digest(const struct rundir *d, const char *what, uint64_t had, uint64_t now)
{
    if (had == now) return RT_OK;
    return RT_FAIL(RT_EINVAL,
                   "%s: the %s of this run has digest %016llx, the one named now %016llx%s%s: name "
                   "the old one, or choose another output",
                   d->path, what, (unsigned long long)had, (unsigned long long)now,
                   d->changes != NULL && changes_data(d->changes)[0] != '\0' ? "; " : "",
                   d->changes != NULL ? changes_data(d->changes) : "");
}

rt_status rundir_check_data(const struct rundir *d, uint64_t data_digest, uint64_t tokenizer_digest)
{
    struct checkpoint *c = NULL;
    rt_status st;

    if (!d->has_checkpoint) {
        if (d->changes == NULL || changes_data(d->changes)[0] == '\0') return RT_OK;
        return RT_FAIL(RT_EINVAL,
                       "%s: the data of a run may not change: %s; choose another output, or remove "
                       "this run, which has no checkpoint",
                       d->path, changes_data(d->changes));
    }
    RT_TRY(checkpoint_open(d->checkpoints, &c));
    st = same_digest(d, "data", checkpoint_meta(c)->data_digest, data_digest);
    if (st == RT_OK)
        st = same_digest(d, "tokenizer", checkpoint_meta(c)->tokenizer_digest, tokenizer_digest);
    checkpoint_close(&c);
    return st;
}

/* The whole text or the old one: never half, and the new one outlives a loss of power. */
static rt_status replace_file(const char *directory, const char *path, const char *text)
{
    char fresh[PATH_BYTES + 8];
    rt_status st;
    int fd;

    snprintf(fresh, sizeof fresh, "%s.new", path);
    RT_TRY(file_open(fresh, O_WRONLY | O_CREAT | O_TRUNC, &fd));
    RT_TRY_OUT(file_write(fd, fresh, text, strlen(text), 0));
    RT_TRY_OUT(file_sync(fd, fresh));
    RT_TRY_OUT(file_close(&fd, fresh));
    RT_TRY_OUT(file_rename(fresh, path));
    return file_sync_dir(directory);
out:
    if (fd >= 0) (void)close(fd);
    (void)unlink(fresh);
    return st;
}

/* run.yaml's tree: the keys of r, then the old history and a line for this attempt. */
static rt_status add_history(struct rundir *d, struct tree *root, const char *line)
{
    const struct tree *old = d->before != NULL ? tree_find(d->before, "history") : NULL;
    struct tree *list, *item;

    RT_TRY(tree_new(TREE_LIST, NULL, "", 1, &list));
    RT_TRY(tree_put(root, "history", list));
    for (size_t i = 0; old != NULL && i < old->count; i++) {
        RT_TRY(tree_new(TREE_SCALAR, old->items[i]->text != NULL ? old->items[i]->text : "", "", 1,
                        &item));
        RT_TRY(tree_append(list, item));
    }
    RT_TRY(tree_new(TREE_SCALAR, line, "", 1, &item));
    return tree_append(list, item);
}

rt_status rundir_begin(struct rundir *d, const struct runfile *r, int ranks, uint64_t from_step)
{
    const char *changed = d->changes != NULL ? changes_text(d->changes) : "";
    char line[8192], utc[32];
    struct tree *root = NULL;
    char *text = NULL, *whole = NULL;
    rt_status st;

    if (changed[0] != '\0') printf("changed since the last attempt: %s\n", changed);
    snprintf(line, sizeof line, "attempt %d, %s, %d rank%s, from step %llu%s%s", d->attempt,
             format_utc(utc, sizeof utc), ranks, ranks == 1 ? "" : "s",
             (unsigned long long)from_step, changed[0] != '\0' ? ": " : "", changed);
    RT_TRY_OUT(runfile_print(r, &text));
    RT_TRY_OUT(tree_parse(text, strlen(text), d->run_yaml, &root));
    RT_TRY_OUT(add_history(d, root, line));
    RT_TRY_OUT(tree_print(root, &whole));
    st = replace_file(d->path, d->run_yaml, whole);
out:
    free(text);
    free(whole);
    tree_destroy(&root);
    return st;
}
