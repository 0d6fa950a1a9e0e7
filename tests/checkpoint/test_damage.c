/* tests/checkpoint/test_damage.c - what is damaged is found, named, and never used
 *
 * One rank. Random positions come from a fixed seed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "checkpoint/opened.h"
#include "tests/checkpoint/state.h"

static void save_steps(struct comm *world, const char *dir, struct made *m, uint64_t from,
                       uint64_t to)
{
    for (uint64_t step = from; step <= to; step++) {
        made_fill(m, step);
        CHECK_OK(checkpoint_save(world, dir, &m->meta, &m->files, &m->state, 2, NULL));
    }
}

static void step_file(char *out, size_t room, const char *dir, uint64_t step, const char *name)
{
    if ((size_t)snprintf(out, room, "%s/step-%08u/%s", dir, (unsigned)step, name) >= room) abort();
}

static void flip(const char *path, off_t byte, int bit)
{
    unsigned char b = 0;
    const int fd = open(path, O_RDWR);
    CHECK(pread(fd, &b, 1, byte) == 1);
    b = (unsigned char)(b ^ (1u << bit));
    CHECK(pwrite(fd, &b, 1, byte) == 1);
    close(fd);
}

static off_t size_of(const char *path)
{
    struct stat s = {0};
    CHECK(stat(path, &s) == 0);
    return s.st_size;
}

static rt_status verify_saying(const char *step, char *said, size_t room)
{
    struct capture c = capture_begin();
    const rt_status st = checkpoint_verify(step, NULL);
    capture_end(&c, said, room);
    return st;
}

static rt_status load_saying(struct comm *world, const char *path, struct made *m, char *said,
                             size_t room)
{
    struct checkpoint *c = NULL;
    struct capture quiet = capture_begin();
    rt_status st = checkpoint_open(path, &c);
    if (st == RT_OK) st = checkpoint_load(world, c, &m->state);
    checkpoint_close(&c);
    capture_end(&quiet, said, room);
    return st;
}

/* Flips anywhere in state.h5: verify finds each; load does where it meets tensor values. */
static void every_flipped_bit_is_found(struct comm *world, const char *dir, struct made *m)
{
    char path[300], step[300], said[4000];
    uint32_t state = 12345;
    int met = 0;

    save_steps(world, dir, m, 1, 1);
    step_file(step, sizeof step, dir, 1, "");
    step_file(path, sizeof path, dir, 1, "state.h5");
    const off_t size = size_of(path);
    CHECK(size < 1 << 20); /* so that some thousands are not few */
    for (int i = 0; i < 3000; i++) {
        state = state * 1664525u + 1013904223u;
        const off_t byte = (off_t)((state >> 4) % (uint32_t)size);
        flip(path, byte, i % 8);
        CHECK(verify_saying(step, said, sizeof said) == RT_EDATA);
        if (i % 10 == 0) {
            const rt_status st = load_saying(world, step, m, said, sizeof said);
            CHECK(st == RT_EDATA || (st == RT_OK && made_wrong(m, 1, 3) == 0));
            met += st == RT_EDATA;
        }
        flip(path, byte, i % 8);
    }
    CHECK(met > 50);
    CHECK_OK(checkpoint_verify(step, NULL));
}

static void damage_is_named(struct comm *world, const char *dir, struct made *m)
{
    char path[300], step[300], said[4000];
    struct checkpoint *c = NULL;

    step_file(step, sizeof step, dir, 1, "");
    step_file(path, sizeof path, dir, 1, "state.h5");
    if (!CHECK_OK(checkpoint_open(step, &c))) return;
    const uint64_t offset = opened_manifest(c)->tensors[2].arrays[1].offset;
    checkpoint_close(&c);
    flip(path, (off_t)offset + 2000, 3);
    CHECK(load_saying(world, step, m, said, sizeof said) == RT_EDATA);
    CHECK(strstr(said, "layers.0.attention.wq.weight") != NULL && strstr(said, "exp_avg") != NULL);
    CHECK(strstr(said, path + strlen(dir)) != NULL);
    char number[32];
    snprintf(number, sizeof number, "bytes %llu", (unsigned long long)offset);
    CHECK(strstr(said, number) != NULL);
    m->state.exp_avg = m->state.exp_avg_sq = NULL; /* the weights are whole and may be had */
    CHECK(load_saying(world, step, m, said, sizeof said) == RT_OK);
    m->state.exp_avg = m->own[1];
    m->state.exp_avg_sq = m->own[2];
    flip(path, (off_t)offset + 2000, 3);

    step_file(path, sizeof path, dir, 1, "tokenizer.model");
    flip(path, 3, 0);
    CHECK(verify_saying(step, said, sizeof said) == RT_EDATA);
    CHECK(strstr(said, "tokenizer.model") != NULL);
    flip(path, 3, 0);
    CHECK_OK(checkpoint_verify(step, NULL));
}

static void wrong_sizes_are_found(struct comm *world, const char *dir, struct made *m)
{
    static const char *const names[] = {"state.h5", "run.yaml", "tokenizer.model", "MANIFEST"};
    char path[300], step[300], aside[320], said[4000];

    step_file(step, sizeof step, dir, 1, "");
    for (int i = 0; i < 4; i++) {
        step_file(path, sizeof path, dir, 1, names[i]);
        const off_t size = size_of(path);
        char command[1000];
        snprintf(aside, sizeof aside, "%s/kept", dir);
        snprintf(command, sizeof command, "cp '%s' '%s'", path, aside);
        CHECK(system(command) == 0);
        for (int cut = 0; cut < 6; cut++) {
            const off_t to[] = {0, 1, size / 3, size - 4096, size - 1, size + 1};
            if (to[cut] < 0 || to[cut] == size) continue;
            CHECK(truncate(path, to[cut]) == 0);
            CHECK(verify_saying(step, said, sizeof said) == RT_EDATA);
            CHECK(load_saying(world, step, m, said, sizeof said) == RT_EDATA);
            CHECK(strstr(said, names[i]) != NULL);
            snprintf(command, sizeof command, "cp '%s' '%s'", aside, path);
            CHECK(system(command) == 0);
        }
        CHECK(unlink(path) == 0);
        CHECK(verify_saying(step, said, sizeof said) == RT_EDATA);
        CHECK(strstr(said, names[i]) != NULL);
        CHECK(rename(aside, path) == 0);
    }
    CHECK_OK(checkpoint_verify(step, NULL));
}

static void another_model_is_refused(struct comm *world, const char *dir, struct made *m)
{
    char said[4000];
    const struct rt_tensor was = m->items[4];

    m->items[4].shape[0] = 8; /* (the extents still fit) */
    CHECK(load_saying(world, dir, m, said, sizeof said) == RT_EDATA);
    CHECK(strstr(said, "another model") != NULL && strstr(said, "norm.weight") != NULL);
    m->items[4] = was;
    strcpy(m->items[4].name, "nurm.weight");
    CHECK(load_saying(world, dir, m, said, sizeof said) == RT_EDATA);
    CHECK(strstr(said, "has no tensor nurm.weight") != NULL);
    m->items[4] = was;
    m->tensors.count--; /* the last tensor is unknown to this model */
    const size_t extents = m->state.extent_count--;
    CHECK(load_saying(world, dir, m, said, sizeof said) == RT_EDATA);
    CHECK(strstr(said, "output.weight is unknown here") != NULL);
    m->tensors.count++;
    m->state.extent_count = extents;
    CHECK(load_saying(world, dir, m, said, sizeof said) == RT_OK);
}

static void moments_cannot_come_from_weights_alone(struct comm *world, const char *dir,
                                                   struct made *m)
{
    char said[4000];

    m->state.exp_avg = m->state.exp_avg_sq = NULL;
    save_steps(world, dir, m, 2, 2);
    m->state.exp_avg = m->own[1];
    m->state.exp_avg_sq = m->own[2];
    CHECK(load_saying(world, dir, m, said, sizeof said) == RT_EDATA);
    CHECK(strstr(said, "weights only") != NULL);
}

static uint64_t newest(const char *dir, rt_status *st)
{
    struct checkpoint *c = NULL;
    struct capture quiet = capture_begin();
    uint64_t step = 0;

    *st = checkpoint_open(dir, &c);
    capture_end(&quiet, NULL, 0);
    if (*st == RT_OK) step = checkpoint_meta(c)->step;
    checkpoint_close(&c);
    return step;
}

static void a_damaged_newest_gives_way_to_the_next(struct comm *world, const char *dir,
                                                   struct made *m)
{
    char path[300], run[300];
    rt_status st;

    CHECK(newest(dir, &st) == 0 && st == RT_EMISSING); /* an empty directory */
    snprintf(path, sizeof path, "%s/nowhere", dir);
    CHECK(newest(path, &st) == 0 && st == RT_EMISSING);
    snprintf(run, sizeof run, "%s/run", dir);
    CHECK(mkdir(run, 0777) == 0);
    snprintf(path, sizeof path, "%s/run/checkpoints", dir);
    save_steps(world, path, m, 1, 2);
    CHECK(newest(path, &st) == 2);
    CHECK(newest(run, &st) == 2); /* a run directory does as well */
    step_file(run, sizeof run, path, 2, "MANIFEST");
    CHECK(truncate(run, 100) == 0);
    CHECK(newest(path, &st) == 1);
    step_file(run, sizeof run, path, 2, "");
    CHECK(newest(run, &st) == 0 && st == RT_EDATA); /* asked for by name, it is not replaced */
    step_file(run, sizeof run, path, 1, "state.h5");
    CHECK(truncate(run, 100) == 0);
    CHECK(newest(path, &st) == 0 && st == RT_EDATA);
}

static bool stands(const char *dir, const char *name)
{
    char path[300];
    struct stat s;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return lstat(path, &s) == 0;
}

static void the_oldest_go_but_never_the_last_good(struct comm *world, const char *dir,
                                                  struct made *m)
{
    struct capture quiet = capture_begin();
    char path[300], said[4000], latest[32] = "";

    save_steps(world, dir, m, 1, 4);
    CHECK(!stands(dir, "step-00000001") && !stands(dir, "step-00000002"));
    CHECK(stands(dir, "step-00000003") && stands(dir, "step-00000004"));
    made_fill(m, 5);
    m->own[1][m->extents[0].own + 3] = NAN; /* tainted: does not count */
    CHECK_OK(checkpoint_save(world, dir, &m->meta, &m->files, &m->state, 2, NULL));
    CHECK(stands(dir, "step-00000003") && stands(dir, "step-00000004"));
    step_file(path, sizeof path, dir, 4, "MANIFEST"); /* damaged: does not count */
    flip(path, 50, 1);
    save_steps(world, dir, m, 6, 6);
    CHECK(stands(dir, "step-00000003") && stands(dir, "step-00000006"));
    save_steps(world, dir, m, 7, 7);
    CHECK(!stands(dir, "step-00000003") && !stands(dir, "step-00000004"));
    CHECK(stands(dir, "step-00000006") && stands(dir, "step-00000007"));
    capture_end(&quiet, said, sizeof said);
    CHECK(strstr(said, "tainted") != NULL);

    snprintf(path, sizeof path, "%s/LATEST", dir);
    FILE *f = fopen(path, "r");
    if (CHECK(f != NULL)) {
        CHECK(fgets(latest, sizeof latest, f) != NULL);
        fclose(f);
    }
    CHECK(strcmp(latest, "step-00000007\n") == 0);
}

/* Back behind damaged steps: those beyond do not push out what is saved now. */
static void a_run_that_went_back_keeps_what_it_saves(struct comm *world, const char *dir,
                                                     struct made *m)
{
    save_steps(world, dir, m, 8, 9);
    save_steps(world, dir, m, 3, 5);
    CHECK(stands(dir, "step-00000008") && stands(dir, "step-00000009"));
    CHECK(stands(dir, "step-00000004") && stands(dir, "step-00000005"));
    CHECK(!stands(dir, "step-00000003"));
}

static void the_same_step_again_takes_its_place(struct comm *world, const char *dir, struct made *m)
{
    char step[300];

    save_steps(world, dir, m, 1, 2);
    made_fill(m, 2);
    m->own[0][m->extents[0].own] = 77;
    CHECK_OK(checkpoint_save(world, dir, &m->meta, &m->files, &m->state, 2, NULL));
    CHECK(!stands(dir, ".tmp-step-00000002") && stands(dir, "step-00000001"));
    step_file(step, sizeof step, dir, 2, "");
    CHECK_OK(checkpoint_verify(step, NULL));
    made_blank(m);
    CHECK(load_saying(world, dir, m, step, sizeof step) == RT_OK);
    CHECK(m->own[0][m->extents[0].own] == 77);
}

static void leftovers_are_cleaned(struct comm *world, const char *dir, struct made *m)
{
    char command[1500], step[300];

    save_steps(world, dir, m, 1, 2);
    snprintf(command, sizeof command,
             "cd '%s' && mkdir .tmp-step-00000009 && touch .tmp-step-00000009/state.h5 .tmp-LATEST "
             "&& cp -r step-00000001 .trash-step-00000007 && mv step-00000002 .aside-step-00000002 "
             "&& cp -r step-00000001 .aside-step-00000001 && touch note.txt",
             dir);
    CHECK(system(command) == 0);
    CHECK_OK(checkpoint_clean(dir));
    CHECK(!stands(dir, ".tmp-step-00000009") && !stands(dir, ".tmp-LATEST"));
    CHECK(!stands(dir, ".trash-step-00000007") && !stands(dir, ".aside-step-00000001"));
    CHECK(!stands(dir, ".aside-step-00000002")); /* it is back: nothing had taken its place */
    step_file(step, sizeof step, dir, 2, "");
    CHECK_OK(checkpoint_verify(step, NULL));
    CHECK(stands(dir, "note.txt") && stands(dir, "step-00000001"));
    snprintf(command, sizeof command, "%s/nowhere", dir);
    CHECK_OK(checkpoint_clean(command));
}

static void a_save_that_cannot_be_leaves_the_old(struct comm *world, const char *dir,
                                                 struct made *m)
{
    char said[4000], path[300];
    struct rlimit limit;
    const bool root = geteuid() == 0;

    save_steps(world, dir, m, 1, 1);
    made_fill(m, 2);

    /* no file may be as large as the state */
    signal(SIGXFSZ, SIG_IGN);
    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    const struct rlimit small = {16384, limit.rlim_max};
    struct capture c = capture_begin();
    CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
    const rt_status too_big = checkpoint_save(world, dir, &m->meta, &m->files, &m->state, 2, NULL);
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    capture_end(&c, said, sizeof said);
    CHECK(too_big == RT_EIO && strstr(said, "state.h5") != NULL);

    /* a directory that may not be written, even where the test is root */
    CHECK(chmod(dir, 0555) == 0);
    c = capture_begin();
    if (root) CHECK(chown(dir, 65534, 65534) == 0 && seteuid(65534) == 0);
    const rt_status denied = checkpoint_save(world, dir, &m->meta, &m->files, &m->state, 2, NULL);
    if (root) CHECK(seteuid(0) == 0);
    capture_end(&c, said, sizeof said);
    CHECK(chmod(dir, 0755) == 0);
    CHECK(denied == RT_EIO && strstr(said, "make the directory writable") != NULL);

    CHECK(!stands(dir, "step-00000002") && !stands(dir, ".tmp-step-00000002"));
    step_file(path, sizeof path, dir, 1, "");
    CHECK_OK(checkpoint_verify(path, NULL));
    save_steps(world, dir, m, 2, 2); /* and when there is room again, it works */
    CHECK(stands(dir, "step-00000002"));
}

static void bad_arguments_are_refused(struct comm *world, const char *dir, struct made *m)
{
    struct capture c = capture_begin();

    CHECK(checkpoint_save(world, dir, &m->meta, &m->files, &m->state, 1, NULL) == RT_EINVAL);
    m->meta.model[3] = '\n';
    CHECK(checkpoint_save(world, dir, &m->meta, &m->files, &m->state, 2, NULL) == RT_EINVAL);
    made_describe(m, 1, 1);
    strcpy(m->items[0].name, "a/b");
    CHECK(checkpoint_save(world, dir, &m->meta, &m->files, &m->state, 2, NULL) == RT_EINVAL);
    made_tensors(m, false);
    m->state.exp_avg = NULL;
    CHECK(checkpoint_save(world, dir, &m->meta, &m->files, &m->state, 2, NULL) == RT_EINVAL);
    capture_end(&c, NULL, 0);
    CHECK(!stands(dir, "step-00000001"));
}

typedef void case_fn(struct comm *world, const char *dir, struct made *m);

static void in_scratch(struct comm *world, case_fn *const *run)
{
    char dir[200];
    struct made m;

    if (!scratch_create(dir, sizeof dir, false)) return;
    made_create(&m, false, 0, 1, 1);
    for (; *run != NULL; run++) (*run)(world, dir, &m);
    made_destroy(&m);
    scratch_remove(dir);
}

int main(int argc, char **argv)
{
    struct comm *world = NULL;

    if (comm_init(&argc, &argv, &world) != RT_OK) return 1;
    in_scratch(world, (case_fn *const[]){every_flipped_bit_is_found, damage_is_named,
                                         wrong_sizes_are_found, another_model_is_refused,
                                         moments_cannot_come_from_weights_alone, NULL});
    in_scratch(world, (case_fn *const[]){a_damaged_newest_gives_way_to_the_next, NULL});
    in_scratch(world, (case_fn *const[]){the_oldest_go_but_never_the_last_good, NULL});
    in_scratch(world, (case_fn *const[]){a_run_that_went_back_keeps_what_it_saves, NULL});
    in_scratch(world, (case_fn *const[]){the_same_step_again_takes_its_place, NULL});
    in_scratch(world, (case_fn *const[]){leftovers_are_cleaned, NULL});
    in_scratch(world, (case_fn *const[]){a_save_that_cannot_be_leaves_the_old, NULL});
    in_scratch(world, (case_fn *const[]){bad_arguments_are_refused, NULL});
    comm_finish(&world);
    return check_failures != 0;
}
