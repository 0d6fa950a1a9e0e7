/* tests/checkpoint/test_faults.c - a save in which one file operation goes wrong, for each of them
 *
 * Run under faultfs (LD_PRELOAD), with one rank and with two. After every fault: each step that
 * bears its name verifies, the old one among them; LATEST names one of them; success was reported
 * exactly if the new one stands; nothing else is left, and the next save works.
 * With one rank also: the order of writes, syncs and renames; killed at each operation (a forked
 * process saves), and torn writes.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "checkpoint/file.h"
#include "tests/checkpoint/state.h"

static struct {
    void (*arm)(const char *dir, long at, const char *kind);
    long (*disarm)(void);
    const char *(*trace)(void);
} faultfs;

static bool find_faultfs(void)
{
    *(void **)&faultfs.arm = dlsym(RTLD_DEFAULT, "faultfs_arm");
    *(void **)&faultfs.disarm = dlsym(RTLD_DEFAULT, "faultfs_disarm");
    *(void **)&faultfs.trace = dlsym(RTLD_DEFAULT, "faultfs_trace");
    return CHECK(faultfs.arm != NULL && faultfs.disarm != NULL && faultfs.trace != NULL);
}

static uint64_t latest(const char *dir)
{
    char path[300];
    unsigned long step = 0;

    snprintf(path, sizeof path, "%s/LATEST", dir);
    FILE *f = fopen(path, "r");
    if (f == NULL) return 0;
    if (fscanf(f, "step-%lu\n", &step) != 1) step = 0;
    (void)fclose(f);
    return step;
}

/* Every step of dir verifies; is `wanted` among them, and LATEST? */
static bool all_good(const char *dir, uint64_t wanted)
{
    uint64_t *steps = NULL;
    const uint64_t hint = latest(dir);
    size_t count = 0;
    bool found = false, hinted = false;

    CHECK_OK(checkpoint_list(dir, &steps, &count));
    for (size_t i = 0; i < count; i++) {
        char path[300];
        snprintf(path, sizeof path, "%s/step-%08lu", dir, (unsigned long)steps[i]);
        CHECK_OK(checkpoint_verify(path, NULL));
        found |= steps[i] == wanted;
        hinted |= steps[i] == hint;
    }
    free(steps);
    return CHECK(hinted) && found;
}

/* Files and directories that are neither a step nor LATEST. */
static size_t hidden(const char *dir)
{
    DIR *d = opendir(dir);
    size_t n = 0;

    if (!CHECK(d != NULL)) return 99;
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += e->d_name[0] == '.' && strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    (void)closedir(d);
    return n;
}

static void remove_steps(const char *dir)
{
    for (uint64_t step = 1; step <= 4; step++) {
        char path[300];
        snprintf(path, sizeof path, "%s/step-%08lu", dir, (unsigned long)step);
        CHECK_OK(file_remove(path));
    }
}

static rt_status save(struct comm *world, const char *dir, struct made *m, uint64_t step)
{
    made_fill(m, step);
    return checkpoint_save(world, dir, &m->meta, &m->files, &m->state, 2, NULL);
}

/* The same on all ranks? */
static bool alike(struct comm *world, rt_status st)
{
    double both[2] = {st, -st};
    CHECK_OK(comm_max_f64(world, both, 2));
    return both[0] == -both[1];
}

/* Rank 0's look at the directory after a save of step 3 over steps 1 and 2 gave st. */
static void look(const char *dir, rt_status st, bool may_fail)
{
    const bool committed = all_good(dir, 3);

    CHECK(committed == (st == RT_OK));
    CHECK(may_fail || st == RT_OK);
    if (st != RT_OK) CHECK(all_good(dir, 1) && all_good(dir, 2));
    CHECK_OK(checkpoint_clean(dir));
    CHECK(hidden(dir) == 0);
}

/* Operation n of rank `victim` goes wrong. False: there are fewer operations. */
static bool one_fault(struct comm *world, const char *dir, struct made *m, int victim, long n,
                      const char *kind)
{
    const bool first = comm_rank(world) == 0;
    const bool harmless = strcmp(kind, "short") == 0 || strcmp(kind, "eintr") == 0;
    struct capture quiet = capture_begin();
    double count = 0;

    CHECK_OK(save(world, dir, m, 1));
    CHECK_OK(save(world, dir, m, 2));
    if (comm_rank(world) == victim) faultfs.arm(dir, n, kind);
    const rt_status st = save(world, dir, m, 3);
    if (comm_rank(world) == victim) count = (double)faultfs.disarm();
    CHECK_OK(comm_max_f64(world, &count, 1));
    CHECK(alike(world, st));
    if (first) look(dir, st, !harmless);
    CHECK_OK(save(world, dir, m, 4)); /* it goes on */
    if (first) {
        CHECK(all_good(dir, 4));
        remove_steps(dir);
    }
    capture_end(&quiet, NULL, 0);
    CHECK_OK(comm_barrier(world));
    return (long)count >= n;
}

static void every_operation_may_fail(struct comm *world, const char *dir, struct made *m)
{
    static const char *const kinds[] = {"eio", "enospc", "short", "eintr"};

    for (int victim = 0; victim < comm_size(world); victim++) {
        for (int k = 0; k < 4; k++) {
            long n = 1;
            while (one_fault(world, dir, m, victim, n, kinds[k])) n++;
            CHECK(n > (victim == 0 ? 30 : 5)); /* it did meet operations */
            if (comm_rank(world) == 0)
                printf("rank %d, %s: %ld operations\n", victim, kinds[k], n - 1);
        }
    }
}

/* Save step 3 in a process of its own that dies at operation n. False: it lived to the end. */
static bool one_death(struct comm *world, const char *dir, struct made *m, long n, const char *kind)
{
    int how = 0;

    const pid_t child = fork();
    if (child == 0) {
        faultfs.arm(dir, n, kind);
        _exit(save(world, dir, m, 3) == RT_OK ? 0 : 1);
    }
    CHECK(child > 0 && waitpid(child, &how, 0) == child);
    if (WIFEXITED(how)) CHECK(WEXITSTATUS(how) == 0);
    return !WIFEXITED(how);
}

/* Every moment of a save of step 3, which stands already if `again`. */
static void every_moment_may_be_the_last(struct comm *world, const char *dir, struct made *m,
                                         const char *kind, bool again)
{
    long n = 1;

    for (bool died = true; died; n++) {
        CHECK_OK(save(world, dir, m, 1));
        CHECK_OK(save(world, dir, m, 2));
        if (again) CHECK_OK(save(world, dir, m, 3));
        died = one_death(world, dir, m, n, kind);
        /* without exchange there is a moment in which step 3 stands aside, until it is put back */
        if (strstr(kind, "noexchange") != NULL) CHECK_OK(checkpoint_clean(dir));
        const bool stands = all_good(dir, 3);
        CHECK(stands || (died && !again));
        CHECK(all_good(dir, 2));
        CHECK_OK(checkpoint_clean(dir));
        CHECK(hidden(dir) == 0);
        CHECK_OK(save(world, dir, m, 4));
        CHECK(all_good(dir, 4));
        remove_steps(dir);
    }
    CHECK(n > 30);
    printf("%s, %s: %ld moments\n", kind, again ? "a step that stands" : "a new step", n - 2);
}

/* Where `line` begins in the trace for the last time before `end`; NULL: nowhere. */
static const char *last_before(const char *trace, const char *line, const char *end)
{
    const char *found = NULL;

    for (const char *p = trace; (p = strstr(p, line)) != NULL && p < end; p++)
        if (p == trace || p[-1] == '\n') found = p;
    return found;
}

/* What is not synced before the commit may be lost with the power: every file behind its last
 * write, then the directory, then the rename, then the parent; then LATEST; then removal. */
static void each_step_is_durable_before_the_next(struct comm *world, const char *dir,
                                                 struct made *m)
{
    static const char *const files[] = {"state.h5", "run.yaml", "tokenizer.model", "MANIFEST"};

    CHECK_OK(save(world, dir, m, 1));
    CHECK_OK(save(world, dir, m, 2));
    faultfs.arm(dir, 0, "count");
    CHECK_OK(save(world, dir, m, 3));
    (void)faultfs.disarm();
    const char *trace = faultfs.trace(), *end = trace + strlen(trace);
    const char *commit = last_before(trace, "rename /step-00000003\n", end);
    if (!CHECK(commit != NULL)) return;
    const char *synced = last_before(trace, "fsync /.tmp-step-00000003\n", commit);
    for (int i = 0; i < 4; i++) {
        char line[100];
        snprintf(line, sizeof line, "pwrite /.tmp-step-00000003/%s\n", files[i]);
        const char *wrote = last_before(trace, line, end);
        snprintf(line, sizeof line, "fsync /.tmp-step-00000003/%s\n", files[i]);
        const char *flushed = last_before(trace, line, commit);
        CHECK(wrote != NULL && flushed > wrote && synced > flushed);
    }
    const char *latest_synced = last_before(trace, "fsync /.tmp-LATEST\n", end);
    const char *latest_moved = last_before(trace, "rename /LATEST\n", end);
    const char *parent = last_before(trace, "fsync \n", latest_synced);
    CHECK(parent != NULL && parent > commit);
    CHECK(latest_synced != NULL && latest_moved > latest_synced);
    const char *trash = last_before(trace, "rename /.trash-step-00000001\n", end);
    parent = trash == NULL ? NULL : last_before(trace, "fsync \n", trash);
    CHECK(parent > latest_moved);
    const char *gone = strstr(trace, "unlink ");
    CHECK(gone != NULL && last_before(trace, "fsync \n", gone) > trash);
    remove_steps(dir);
}

int main(int argc, char **argv)
{
    struct comm *world = NULL;
    char dir[200];
    struct made m;

    if (comm_init(&argc, &argv, &world) != RT_OK) return 1;
    if (comm_rank(world) == 0) (void)scratch_create(dir, sizeof dir, true);
    CHECK_OK(comm_bcast(world, 0, dir, sizeof dir));
    made_create(&m, false, comm_rank(world), comm_size(world), 1);
    if (find_faultfs()) {
        every_operation_may_fail(world, dir, &m);
        if (comm_size(world) == 1) {
            each_step_is_durable_before_the_next(world, dir, &m);
            every_moment_may_be_the_last(world, dir, &m, "kill", false);
            every_moment_may_be_the_last(world, dir, &m, "torn", false);
            every_moment_may_be_the_last(world, dir, &m, "kill", true);
            every_moment_may_be_the_last(world, dir, &m, "kill-noexchange", true);
        }
    }
    made_destroy(&m);
    CHECK_OK(comm_barrier(world));
    if (comm_rank(world) == 0) scratch_remove(dir);
    const int bad = comm_agree(world, check_failures ? RT_EINVAL : RT_OK) != RT_OK;
    comm_finish(&world);
    return bad;
}
