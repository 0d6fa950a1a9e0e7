/* tests/jobs/test_rundir.c - a run directory outlives a loss of power and failing files
 *
 * Run under tests/checkpoint/faultfs.c (LD_PRELOAD): the order of makes, syncs and renames, and
 * run.yaml when each operation fails.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jobs/train/rundir.h"
#include "tests/check.h"

static struct {
    void (*arm)(const char *dir, long at, const char *kind);
    long (*disarm)(void);
    const char *(*trace)(void);
} faultfs;

static char directory[64], output[96];

static struct runfile *runfile_of(void)
{
    static const char text[] = "model: {layers: 1, dim: 8, heads: 2, ffn_dim: 8, vocabulary: 16, "
                               "context: 8}\nbatch: {global_sequences: 2}\nsteps: 4\n";
    char set[128];
    const char *sets[] = {set};
    struct runfile *r = NULL;

    snprintf(set, sizeof set, "output=%s", output);
    CHECK_OK(runfile_parse(text, strlen(text), "test", sets, 1, &r));
    return r;
}

/* Does run.yaml hold so many lines of history? */
static bool attempts(int wanted)
{
    char path[128], line[256];
    int found = 0;

    snprintf(path, sizeof path, "%s/run.yaml", output);
    FILE *f = fopen(path, "r");
    if (f == NULL) return wanted == 0;
    while (fgets(line, sizeof line, f) != NULL) found += strstr(line, "attempt ") != NULL;
    (void)fclose(f);
    return found == wanted;
}

static rt_status attempt(const struct runfile *r)
{
    struct rundir *d = NULL;
    rt_status st;

    RT_TRY(rundir_open(r, false, &d));
    st = rundir_begin(d, r, 1, 0);
    rundir_close(&d);
    return st;
}

static void what_is_made_is_synced(const struct runfile *r)
{
    faultfs.arm(directory, 0, "count");
    CHECK_OK(attempt(r));
    const long first = faultfs.disarm();
    const char *t = faultfs.trace();
    CHECK(strstr(t, "mkdir /a\nopen /\nfsync /\n") != NULL);
    CHECK(strstr(t, "mkdir /a/b\nopen /a/\nfsync /a/\n") != NULL);
    const char *synced = strstr(t, "fsync /a/b/run.yaml.new\n");
    const char *renamed = synced != NULL ? strstr(synced, "rename /a/b/run.yaml\n") : NULL;
    CHECK(renamed != NULL && strstr(renamed, "fsync /a/b\n") != NULL);
    CHECK(attempts(1));

    faultfs.arm(directory, 0, "count");
    CHECK_OK(attempt(r));
    CHECK(faultfs.disarm() < first);
    CHECK(strstr(faultfs.trace(), "fsync /a/\n") == NULL); /* nothing was made: nothing to sync */
    CHECK(attempts(2));
}

static void run_yaml_is_the_old_one_or_the_new_one(const struct runfile *r)
{
    int done = 2;
    bool failed = false;

    faultfs.arm(directory, 0, "count");
    CHECK_OK(attempt(r));
    const long operations = faultfs.disarm();
    CHECK(attempts(++done));
    for (long at = 1; at <= operations; at++) {
        faultfs.arm(directory, at, "enospc");
        const rt_status st = attempt(r);
        (void)faultfs.disarm();
        CHECK(st == RT_OK || st == RT_EIO);
        failed |= st != RT_OK;
        if (attempts(done + 1))
            done++;
        else
            CHECK(st != RT_OK && attempts(done));
    }
    CHECK(failed);
    CHECK_OK(attempt(r));
    CHECK(attempts(done + 1));
}

static void remove_all(void)
{
    static const char *const names[] = {"a/b/LOCK", "a/b/run.yaml", "a/b/run.yaml.new"};
    static const char *const directories[] = {"a/b/checkpoints", "a/b", "a", "."};
    char path[128];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        (void)unlink(path);
    }
    for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, directories[i]);
        (void)rmdir(i < 3 ? path : directory);
    }
}

int main(void)
{
    const char *tmp = getenv("TMPDIR");
    struct runfile *r;

    *(void **)&faultfs.arm = dlsym(RTLD_DEFAULT, "faultfs_arm");
    *(void **)&faultfs.disarm = dlsym(RTLD_DEFAULT, "faultfs_disarm");
    *(void **)&faultfs.trace = dlsym(RTLD_DEFAULT, "faultfs_trace");
    if (!CHECK(faultfs.arm != NULL && faultfs.disarm != NULL && faultfs.trace != NULL)) return 1;
    snprintf(directory, sizeof directory, "%.40s/recua-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (!CHECK(mkdtemp(directory) != NULL)) return 1;
    snprintf(output, sizeof output, "%s/a/b", directory);
    r = runfile_of();
    if (r != NULL) {
        what_is_made_is_synced(r);
        run_yaml_is_the_old_one_or_the_new_one(r);
    }
    runfile_destroy(&r);
    remove_all();
    return check_failures > 0;
}
