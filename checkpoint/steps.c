/* checkpoint/steps.c - commit by rename, then forget the oldest
 *
 * Order    the files of a step are synced, then its directory, then comes the rename, then the
 *          parent is synced: at no moment can a name last whose contents do not. Removal goes
 *          the other way: renamed away, parent synced, only then are files unlinked.
 * Source   Pillai et al. 2014, "All file systems are not created equal" (what may be reordered)
 */
#include "checkpoint/steps.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/checkpoint.h"
#include "checkpoint/file.h"
#include "checkpoint/opened.h"
#include "runtime/log.h"

enum { NAME_ROOM = 64 };

rt_status steps_path(char *out, const char *dir, const char *prefix, uint64_t step)
{
    char name[NAME_ROOM];
    snprintf(name, sizeof name, "%sstep-%08" PRIu64, prefix, step);
    return file_path(out, dir, name);
}

/* Is `name` prefix + "step-" + at least 8 digits as steps_path writes them? */
static bool step_of(const char *name, const char *prefix, uint64_t *step)
{
    char again[NAME_ROOM];
    const size_t n = strlen(prefix);

    if (strncmp(name, prefix, n) != 0 || strncmp(name + n, "step-", 5) != 0) return false;
    *step = strtoull(name + n + 5, NULL, 10);
    snprintf(again, sizeof again, "%sstep-%08" PRIu64, prefix, *step);
    return strcmp(again, name) == 0;
}

static int newest_first(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x > y ? -1 : x < y;
}

rt_status steps_list(const char *dir, uint64_t **steps, size_t *count)
{
    DIR *d = opendir(dir);
    uint64_t *list = NULL, step;
    size_t n = 0, room = 0;

    *steps = NULL;
    *count = 0;
    if (d == NULL && errno == ENOENT) return RT_OK;
    if (d == NULL) return RT_FAIL(RT_EIO, "open directory %s: %s", dir, strerror(errno));
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (!step_of(e->d_name, "", &step)) continue;
        if (n == room) {
            room = room ? 2 * room : 16;
            uint64_t *moved = realloc(list, room * sizeof *list);
            if (moved == NULL) {
                closedir(d);
                free(list);
                return RT_FAIL(RT_ENOMEM, "%s: list of %zu steps", dir, room);
            }
            list = moved;
        }
        list[n++] = step;
    }
    closedir(d);
    if (n > 0) qsort(list, n, sizeof *list, newest_first);
    *steps = list;
    *count = n;
    return RT_OK;
}

static bool exists(const char *path)
{
    struct stat s;
    return lstat(path, &s) == 0;
}

/* Undo what `publish` did when the parent could not be synced: a rename that may not last is no
 * commit. Best effort; the caller's error has been said. */
static void take_back(const char *tmp, const char *step, bool exchanged, const char *aside)
{
    int bad =
        exchanged ? renameat2(AT_FDCWD, tmp, AT_FDCWD, step, RENAME_EXCHANGE) : rename(step, tmp);
    if (aside != NULL) bad |= rename(aside, step);
    if (bad) rt_log(RT_LOG_WARN, "%s could not be taken back: %s", step, strerror(errno));
}

/* The file system cannot exchange names: the former step steps aside first. */
static rt_status replace_slowly(const char *tmp, const char *step, const char *aside)
{
    RT_TRY(file_remove(aside));
    RT_TRY(file_rename(step, aside));
    const rt_status st = file_rename(tmp, step);
    if (st != RT_OK && rename(aside, step) != 0)
        rt_log(RT_LOG_WARN, "%s stands aside as %s until the next start: %s", step, aside,
               strerror(errno));
    return st;
}

rt_status steps_publish(const char *dir, uint64_t step)
{
    char tmp[PATH_MAX], to[PATH_MAX], aside[PATH_MAX];
    bool exchanged = false, moved = false;

    RT_TRY(steps_path(tmp, dir, ".tmp-", step));
    RT_TRY(steps_path(to, dir, "", step));
    RT_TRY(steps_path(aside, dir, ".aside-", step));
    if (!exists(to)) {
        RT_TRY(file_rename(tmp, to));
    } else if (renameat2(AT_FDCWD, tmp, AT_FDCWD, to, RENAME_EXCHANGE) == 0) {
        exchanged = true;
    } else if (errno == EINVAL || errno == ENOSYS) {
        RT_TRY(replace_slowly(tmp, to, aside));
        moved = true;
    } else {
        return RT_FAIL(RT_EIO, "exchange %s and %s: %s", tmp, to, strerror(errno));
    }

    const rt_status st = file_sync_dir(dir);
    if (st != RT_OK) {
        take_back(tmp, to, exchanged, moved ? aside : NULL);
        return st;
    }
    if ((exchanged && file_remove(tmp) != RT_OK) || (moved && file_remove(aside) != RT_OK))
        rt_log(RT_LOG_WARN, "the former %s was not removed; the next start will", to);
    return RT_OK;
}

rt_status steps_set_latest(const char *dir, uint64_t step)
{
    char from[PATH_MAX], to[PATH_MAX], line[NAME_ROOM];
    rt_status st;

    RT_TRY(file_path(from, dir, ".tmp-" STEPS_LATEST));
    RT_TRY(file_path(to, dir, STEPS_LATEST));
    const int n = snprintf(line, sizeof line, "step-%08" PRIu64 "\n", step);
    RT_TRY_OUT(file_create(dir, ".tmp-" STEPS_LATEST, line, (size_t)n));
    RT_TRY_OUT(file_rename(from, to));
    return file_sync_dir(dir);
out:
    (void)unlink(from);
    return st;
}

/* Rename away, sync, unlink. */
static rt_status discard(const char *dir, uint64_t step)
{
    char from[PATH_MAX], trash[PATH_MAX];

    RT_TRY(steps_path(from, dir, "", step));
    RT_TRY(steps_path(trash, dir, ".trash-", step));
    RT_TRY(file_remove(trash));
    RT_TRY(file_rename(from, trash));
    RT_TRY(file_sync_dir(dir));
    return file_remove(trash);
}

static bool good(const char *dir, uint64_t step)
{
    char path[PATH_MAX];
    struct checkpoint *c = NULL;

    if (steps_path(path, dir, "", step) != RT_OK || opened_step(path, &c) != RT_OK) return false;
    const bool is = !opened_manifest(c)->tainted;
    checkpoint_close(&c);
    return is;
}

rt_status steps_collect(const char *dir, int keep, uint64_t saved)
{
    uint64_t *steps = NULL;
    size_t count = 0;
    int kept = 0;
    rt_status st;

    RT_TRY(steps_list(dir, &steps, &count));
    st = RT_OK;
    for (size_t i = 0; i < count && st == RT_OK; i++) {
        if (kept >= keep && steps[i] != saved)
            st = discard(dir, steps[i]);
        else
            kept += steps[i] <= saved && good(dir, steps[i]);
    }
    free(steps);
    return st;
}

/* A former step goes back to its name unless a new one took it. */
static rt_status restore_aside(const char *dir, const char *aside, uint64_t step)
{
    char to[PATH_MAX];

    RT_TRY(steps_path(to, dir, "", step));
    if (exists(to)) return file_remove(aside);
    RT_TRY(file_rename(aside, to));
    return file_sync_dir(dir);
}

rt_status checkpoint_clean(const char *dir)
{
    DIR *d = opendir(dir);
    rt_status st = RT_OK;

    if (d == NULL && errno == ENOENT) return RT_OK;
    if (d == NULL) return RT_FAIL(RT_EIO, "open directory %s: %s", dir, strerror(errno));
    for (struct dirent *e; st == RT_OK && (e = readdir(d)) != NULL;) {
        char path[PATH_MAX];
        uint64_t step;
        st = file_path(path, dir, e->d_name);
        if (st != RT_OK) break;
        if (step_of(e->d_name, ".aside-", &step))
            st = restore_aside(dir, path, step);
        else if (strncmp(e->d_name, ".tmp-", 5) == 0 || strncmp(e->d_name, ".trash-", 7) == 0)
            st = file_remove(path);
    }
    closedir(d);
    return st;
}

rt_status checkpoint_list(const char *dir, uint64_t **steps, size_t *count)
{
    return steps_list(dir, steps, count);
}
