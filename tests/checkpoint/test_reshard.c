/* tests/checkpoint/test_reshard.c - saved by P ranks, loaded by Q
 *
 * Run with 1, 2, 3, 4 and 7 ranks: every pair of rank counts up to the size of the group. All
 * comparisons are of bits.
 */
#include "checkpoint/opened.h"
#include "tests/check_mpi.h"
#include "tests/checkpoint/state.h"

static const int counts[] = {1, 2, 3, 4, 7, 0};

/* The group's first rank makes the directory, all learn its name. */
static void share_scratch(struct comm *group, char *dir, size_t room)
{
    if (comm_rank(group) == 0) (void)scratch_create(dir, room, false);
    CHECK_OK(comm_bcast(group, 0, dir, room));
}

static void drop_scratch(struct comm *group, const char *dir)
{
    CHECK_OK(comm_barrier(group));
    if (comm_rank(group) == 0) scratch_remove(dir);
}

static void save_with(struct comm *group, int P, const char *dir, uint64_t step, bool moments)
{
    struct comm *part = NULL;
    const int rank = comm_rank(group);

    CHECK_OK(comm_split(group, rank < P ? 0 : -1, rank, &part));
    if (part != NULL) {
        struct made m;
        struct checkpoint_report report = {0};
        made_create(&m, true, rank, P, step);
        if (!moments) m.state.exp_avg = m.state.exp_avg_sq = NULL;
        CHECK_OK(checkpoint_save(part, dir, &m.meta, &m.files, &m.state, 2, &report));
        CHECK(report.bytes > 4 * 701 * 523 * (moments ? 3 : 1));
        made_destroy(&m);
        comm_destroy(&part);
    }
    CHECK_OK(comm_barrier(group));
}

static void load_with(struct comm *group, int Q, const char *dir, uint64_t step, bool moments)
{
    struct comm *part = NULL;
    const int rank = comm_rank(group);

    CHECK_OK(comm_split(group, rank < Q ? 0 : -1, rank, &part));
    if (part != NULL) {
        struct checkpoint *c = NULL;
        struct made m;
        made_create(&m, true, rank, Q, 0);
        made_blank(&m);
        if (!moments) m.state.exp_avg = m.state.exp_avg_sq = NULL;
        if (CHECK_OK(checkpoint_open(dir, &c))) {
            CHECK(checkpoint_meta(c)->step == step);
            CHECK(checkpoint_meta(c)->next_sample == 8 * step);
            CHECK_OK(checkpoint_load(part, c, &m.state));
            CHECK(made_wrong(&m, step, moments ? 3 : 1) == 0);
        }
        checkpoint_close(&c);
        made_destroy(&m);
        comm_destroy(&part);
    }
    CHECK_OK(comm_barrier(group));
}

/* The digests of all arrays, in the order of the manifest. */
static void digests_of(const char *dir, struct digest *out)
{
    struct checkpoint *c = NULL;

    if (!CHECK_OK(checkpoint_open(dir, &c))) return;
    for (size_t t = 0; t < MADE_TENSORS; t++)
        for (size_t kind = 0; kind < MADE_KINDS; kind++)
            out[t * MADE_KINDS + kind] = opened_manifest(c)->tensors[t].arrays[kind].digest;
    CHECK_OK(checkpoint_verify(checkpoint_path(c), NULL));
    checkpoint_close(&c);
}

static void any_rank_count_reads_what_any_wrote(struct comm *group)
{
    struct digest first[MADE_TENSORS * MADE_KINDS], now[MADE_TENSORS * MADE_KINDS];
    char dir[256];

    for (const int *P = counts; *P != 0 && *P <= comm_size(group); P++) {
        share_scratch(group, dir, sizeof dir);
        save_with(group, *P, dir, 5, true);
        for (const int *Q = counts; *Q != 0 && *Q <= comm_size(group); Q++)
            load_with(group, *Q, dir, 5, true);
        memset(now, 0, sizeof now);
        digests_of(dir, now);
        if (P == counts) memcpy(first, now, sizeof now);
        CHECK(memcmp(first, now, sizeof now) == 0);
        drop_scratch(group, dir);
    }
}

static void weights_alone_are_saved_and_loaded(struct comm *group)
{
    char dir[256];

    share_scratch(group, dir, sizeof dir);
    save_with(group, comm_size(group), dir, 3, false);
    load_with(group, comm_size(group), dir, 3, false);
    drop_scratch(group, dir);
}

/* A state with moments also serves those who want the weights alone. */
static void moments_may_be_left_out_at_load(struct comm *group)
{
    char dir[256];

    share_scratch(group, dir, sizeof dir);
    save_with(group, comm_size(group), dir, 3, true);
    load_with(group, 1, dir, 3, false);
    drop_scratch(group, dir);
}

static bool same_file(const char *a_dir, const char *b_dir, const char *name)
{
    char command[1200];
    snprintf(command, sizeof command, "cmp -s '%s/%s' '%s/%s'", a_dir, name, b_dir, name);
    return system(command) == 0;
}

static void the_same_state_gives_the_same_bytes(struct comm *group)
{
    char a[256], b[256];

    share_scratch(group, a, sizeof a);
    share_scratch(group, b, sizeof b);
    save_with(group, comm_size(group), a, 9, true);
    save_with(group, comm_size(group), b, 9, true);
    if (comm_rank(group) == 0) {
        CHECK(same_file(a, b, "step-00000009/state.h5"));
        CHECK(same_file(a, b, "step-00000009/MANIFEST"));
        CHECK(same_file(a, b, "LATEST"));
    }
    drop_scratch(group, a);
    drop_scratch(group, b);
}

/* The last rank forgets an extent: nobody commits, everybody gets the same code. */
static void a_hole_on_one_rank_stops_all(struct comm *group)
{
    uint64_t *steps = NULL;
    size_t count = 1;
    char dir[256];
    struct made m;

    share_scratch(group, dir, sizeof dir);
    made_create(&m, false, comm_rank(group), comm_size(group), 1);
    if (comm_rank(group) == comm_size(group) - 1) m.state.extent_count--;
    const rt_status st = checkpoint_save(group, dir, &m.meta, &m.files, &m.state, 2, NULL);
    CHECK(st == RT_EDATA);
    CHECK_OK(checkpoint_list(dir, &steps, &count));
    CHECK(count == 0);
    free(steps);
    made_destroy(&m);
    drop_scratch(group, dir);
}

static const struct check_case cases[] = {
    {"any rank count reads what any wrote", any_rank_count_reads_what_any_wrote},
    {"weights alone are saved and loaded", weights_alone_are_saved_and_loaded},
    {"moments may be left out at load", moments_may_be_left_out_at_load},
    {"the same state gives the same bytes", the_same_state_gives_the_same_bytes},
    {"a hole on one rank stops all", a_hole_on_one_rank_stops_all},
    {NULL, NULL},
};

int main(int argc, char **argv) { return check_mpi_main(argc, argv, cases); }
