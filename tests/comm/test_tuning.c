/* tests/comm/test_tuning.c - tuning files: read again as written, ignored where they do not fit, and
 * the algorithm that they choose */
#include "comm/tuning.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/schedule/schedule.h"
#include "runtime/log.h"
#include "tests/check.h"

static const char machine[] = "a processor, tcp, 1 Gbit/s, a library";

/* Times of two algorithms that cross between 1 MiB and 4 MiB, in 4 ranks on 2 nodes. */
static struct comm_tuning_row rows[] = {
    {COMM_GATHER, "direct", 4, 2, 1 << 20, RT_BF16, RT_BF16, 1e-3},
    {COMM_GATHER, "direct", 4, 2, 4 << 20, RT_BF16, RT_BF16, 16e-3},
    {COMM_GATHER, "ring", 4, 2, 1 << 20, RT_BF16, RT_BF16, 4e-3},
    {COMM_GATHER, "ring", 4, 2, 4 << 20, RT_BF16, RT_BF16, 5e-3},
    {COMM_REDUCE, "direct", 4, 2, 1 << 20, RT_BF16, RT_F32, 3e-3},
    {COMM_REDUCE, "ring", 4, 2, 1 << 20, RT_BF16, RT_F32, 1e-3},
    {COMM_REDUCE, "direct", 4, 2, 1 << 20, RT_BF16, RT_BF16, 2e-3},
    {COMM_REDUCE, "doubling", 4, 2, 1 << 20, RT_BF16, RT_BF16, 4e-3},
    {COMM_GATHER, "mpi:allgather:4", 4, 2, 1 << 20, RT_BF16, RT_BF16, 1e-6},
    {COMM_GATHER, "no-such-algorithm", 4, 2, 1 << 20, RT_BF16, RT_BF16, 1e-6},
};

static struct comm_tuning example(void)
{
    struct comm_tuning t = {.rows = rows,
                            .rows_count = sizeof rows / sizeof rows[0],
                            .chunk_bytes = 1 << 20,
                            .costs = {.alpha_s = {1e-6, 2e-6, 3e-6},
                                      .beta_s_per_byte = {1e-10, 2e-10, 3e-10},
                                      .overhead_s = 1e-7,
                                      .gamma_s_per_byte = 5e-11,
                                      .barrier_s = 2e-6,
                                      .doubling_contention = 3.5}};

    snprintf(t.machine, sizeof t.machine, "%s", machine);
    return t;
}

static void a_file_says_what_was_written(void)
{
    const struct comm_tuning t = example();
    struct comm_tuning *got = NULL;
    char *text = NULL;

    CHECK_OK(comm_tuning_text(&t, &text));
    CHECK_OK(comm_tuning_parse(text, strlen(text), "memory", machine, &got));
    if (CHECK(got != NULL)) {
        CHECK(strcmp(got->machine, machine) == 0);
        CHECK(memcmp(&got->costs, &t.costs, sizeof t.costs) == 0);
        CHECK(got->chunk_bytes == t.chunk_bytes);
        CHECK(got->rows_count == t.rows_count);
        for (size_t i = 0; i < got->rows_count; i++) {
            CHECK(strcmp(got->rows[i].algorithm, rows[i].algorithm) == 0);
            CHECK(got->rows[i].op == rows[i].op && got->rows[i].ranks == rows[i].ranks);
            CHECK(got->rows[i].nodes == rows[i].nodes && got->rows[i].bytes == rows[i].bytes);
            CHECK(got->rows[i].type == rows[i].type && got->rows[i].wire == rows[i].wire);
            CHECK(got->rows[i].time_s == rows[i].time_s);
        }
    }
    comm_tuning_destroy(&got);
    comm_tuning_destroy(&got);
    free(text);
}

static bool is_ignored(const char *text, size_t bytes, const char *of)
{
    struct comm_tuning *got = NULL;
    const bool fine = comm_tuning_parse(text, bytes, "memory", of, &got) == RT_OK;
    const bool ignored = got == NULL;

    comm_tuning_destroy(&got);
    return fine && ignored;
}

/* The text with the first `from` replaced; malloc'ed. */
static char *with(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    char *out = malloc(strlen(text) + strlen(to) + 1);

    if (!CHECK(at != NULL) || out == NULL) return out;
    sprintf(out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return out;
}

static void what_does_not_fit_is_ignored(void)
{
    static const char *const changes[][2] = {
        {"\"recua_tuning\": 1", "\"recua_tuning\": 2"},
        {"\"recua_tuning\": 1", "\"recua_tuning\": \"1\""},
        {"\"recua_tuning\": 1,", ""},
        {"\"rows\"", "\"lines\""},
        {"\"costs\"", "\"prices\""},
        {"\"doubling_contention\": 3.5", "\"doubling_contention\": 0.5"},
        {"\"doubling_contention\": 3.5", "\"doubling_contention\": 1e300"},
        {"\"node\": ", "\"node\": -"},
        {"\"chunk_bytes\": 1048576", "\"chunk_bytes\": 1"},
        {"\"chunk_bytes\": 1048576", "\"chunk_bytes\": 1e6"},
        {"\"ranks\": 4", "\"ranks\": 0"},
        {"\"nodes\": 2", "\"nodes\": 5"},
        {"\"bytes\": 1048576", "\"bytes\": -1"},
        {"\"time_s\": ", "\"time_s\": -"},
        {"\"time_s\": ", "\"time_s\": 1e9, \"x\": "},
        {"\"op\": \"all-gather\"", "\"op\": \"all-to-all\""},
        {"\"type\": \"bf16\"", "\"type\": \"fp8\""},
        {"\"algorithm\": \"direct\"", "\"algorithm\": \"\""},
        {"\"algorithm\": \"direct\"", "\"algorithm\": 7"},
        {"\"ranks\": 4", "\"ranks\": 4, \"ranks\": 4"},
        {"[", "[1,"},
    };
    const struct comm_tuning t = example();
    char *text = NULL;

    CHECK_OK(comm_tuning_text(&t, &text));
    CHECK(is_ignored(text, strlen(text), "another machine"));
    CHECK(is_ignored("", 0, machine));
    CHECK(is_ignored("[]", 2, machine));
    CHECK(is_ignored("\0\0\0", 3, machine));
    for (size_t n = 0; n < strlen(text) - 1; n++) CHECK(is_ignored(text, n, machine));
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        char *changed = with(text, changes[i][0], changes[i][1]);
        if (changed == NULL) continue;
        if (!CHECK(is_ignored(changed, strlen(changed), machine))) printf("%s\n", changes[i][1]);
        free(changed);
    }
    free(text);
}

static void a_missing_file_is_ignored(void)
{
    struct comm_tuning *got = NULL;

    CHECK_OK(comm_tuning_read("/nowhere/tuning.json", machine, &got));
    CHECK(got == NULL);
    CHECK_OK(comm_tuning_read("/", machine, &got)); /* opens, and cannot be read */
    CHECK(got == NULL);
}

static void a_file_is_whole_or_not_there(const char *folder)
{
    const struct comm_tuning t = example();
    struct comm_tuning *got = NULL;
    char path[256];

    snprintf(path, sizeof path, "%s/t.json", folder);
    CHECK_OK(comm_tuning_write(&t, path));
    CHECK_OK(comm_tuning_write(&t, path)); /* replaces */
    CHECK_OK(comm_tuning_read(path, machine, &got));
    CHECK(got != NULL);
    comm_tuning_destroy(&got);
    CHECK(unlink(path) == 0);
    CHECK(rmdir(folder) == 0); /* nothing lies beside it */
    CHECK(comm_tuning_write(&t, path) == RT_EIO);
}

/* 4 ranks on 2 nodes. */
static const int first[3] = {0, 2, 4};

static const char *chosen(const struct comm_tuning *t, comm_op op, int rank, size_t bytes,
                          rt_dtype wire, bool exact, char why[256])
{
    const struct comm_layout l = {
        .size = 4, .rank = rank, .nodes = 2, .first = first, .window = true};
    struct comm_costs costs;

    comm_costs_default("tcp", 1, &costs);
    return comm_tuning_choose(t, &costs, op, &l, NULL, bytes / 2 / 4, RT_BF16, wire, exact, why,
                              256)
        ->name;
}

static void measured_times_decide(void)
{
    const struct comm_tuning t = example();
    char why[256];

    CHECK(strcmp(chosen(&t, COMM_GATHER, 0, 1 << 20, RT_F32, false, why), "direct") == 0);
    CHECK(strstr(why, "measured") != NULL && strstr(why, "ring 4 ms") != NULL);
    CHECK(strcmp(chosen(&t, COMM_GATHER, 0, 4 << 20, RT_F32, false, why), "ring") == 0);
    /* Halfway in log bytes: direct sqrt(1 * 16) = 4 ms, ring sqrt(4 * 5) = 4.47 ms. */
    CHECK(strcmp(chosen(&t, COMM_GATHER, 0, 2 << 20, RT_F32, false, why), "direct") == 0);
    CHECK(strstr(why, "direct 4 ms") != NULL && strstr(why, "ring 4.472 ms") != NULL);
    /* Below the smallest its time; above the largest its bandwidth. */
    CHECK(strcmp(chosen(&t, COMM_GATHER, 0, 1024, RT_F32, false, why), "direct") == 0);
    CHECK(strstr(why, "direct 1 ms") != NULL);
    CHECK(strcmp(chosen(&t, COMM_GATHER, 0, 8 << 20, RT_F32, false, why), "ring") == 0);
    CHECK(strstr(why, "ring 10 ms") != NULL);
}

static void what_does_not_fit_is_not_chosen(void)
{
    const struct comm_tuning t = example();
    char why[256];

    CHECK(strcmp(chosen(&t, COMM_REDUCE, 0, 1 << 20, RT_F32, false, why), "ring") == 0);
    CHECK(strcmp(chosen(&t, COMM_REDUCE, 0, 1 << 20, RT_BF16, false, why), "direct") == 0);
    CHECK(strstr(why, "ring") == NULL); /* a chain of bf16 sums */
    CHECK(strcmp(chosen(&t, COMM_REDUCE, 0, 1 << 20, RT_F32, true, why), "direct") == 0);
    /* Nothing was measured of all-reduce: the model. Two levels are for layouts without window. */
    (void)chosen(&t, COMM_ALLREDUCE, 0, 1 << 20, RT_F32, false, why);
    CHECK(strstr(why, "model") != NULL && strstr(why, "two-level") == NULL);
}

static void every_rank_chooses_alike(void)
{
    const struct comm_tuning t = example();
    static const size_t bytes[] = {8, 1024, 65536, 3 << 20, 64 << 20};

    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++)
        for (int op = COMM_GATHER; op <= COMM_ALLREDUCE; op++)
            for (int measured = 0; measured < 2; measured++) {
                char why[256], other[256];
                const struct comm_tuning *use = measured ? &t : NULL;
                const char *a = chosen(use, (comm_op)op, 0, bytes[i], RT_F32, false, why);
                for (int rank = 1; rank < 4; rank++) {
                    const char *b = chosen(use, (comm_op)op, rank, bytes[i], RT_F32, false, other);
                    CHECK(a == b && strcmp(why, other) == 0);
                }
            }
}

/* Three ranks on two nodes: no row is of them. */
static void another_layout_is_left_to_the_model(void)
{
    static const int uneven[3] = {0, 2, 3};
    const struct comm_tuning t = example();
    const struct comm_layout l = {
        .size = 3, .rank = 2, .nodes = 2, .first = uneven, .window = true};
    char why[256];

    CHECK(comm_tuning_choose(&t, NULL, COMM_GATHER, &l, NULL, 1000, RT_BF16, RT_F32, false, why,
                             sizeof why) != NULL);
    CHECK(strncmp(why, "model", 5) == 0);
}

static void rules_are_as_open_mpi_reads_them(const char *folder)
{
    struct comm_tuning_row mpi[] = {
        {COMM_GATHER, "mpi:allgather:4", 4, 2, 4096, RT_BF16, RT_BF16, 2e-5},
        {COMM_GATHER, "mpi:allgather:2", 4, 2, 4096, RT_BF16, RT_BF16, 1e-5},
        {COMM_GATHER, "mpi:allgather:4", 4, 2, 65536, RT_BF16, RT_BF16, 1e-4},
        {COMM_GATHER, "mpi:allgather:2", 4, 2, 65536, RT_BF16, RT_BF16, 2e-4},
        {COMM_REDUCE, "mpi:reduce_scatter_block:3", 4, 2, 4096, RT_BF16, RT_F32, 1e-5},
        {COMM_REDUCE, "mpi:reduce_scatter:1", 8, 2, 4096, RT_BF16, RT_F32, 1e-5},
        {COMM_REDUCE, "ring", 4, 2, 4096, RT_BF16, RT_F32, 1e-9},
    };
    static const int wanted[] = {3,  0, 1, 4, 2, 0, 2, 0, 0, 16384, 4, 0, 0, /* allgather */
                                 12, 1, 8, 1, 0, 1, 0, 0,                    /* reduce_scatter */
                                 13, 1, 4, 1, 0, 3, 0, 0};
    struct comm_tuning t = {.rows = mpi, .rows_count = sizeof mpi / sizeof mpi[0]};
    char path[256], line[256];
    size_t n = 0;

    snprintf(path, sizeof path, "%s/rules", folder);
    CHECK_OK(comm_tuning_write_rules(&t, path));
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        int value, used;
        line[strcspn(line, "#")] = '\0';
        for (char *at = line; sscanf(at, "%d%n", &value, &used) == 1; at += used, n++)
            CHECK(n < sizeof wanted / sizeof wanted[0] && value == wanted[n]);
    }
    CHECK(n == sizeof wanted / sizeof wanted[0]);
    if (f != NULL) fclose(f);
    CHECK(unlink(path) == 0);
    t.rows = &mpi[6];
    t.rows_count = 1;
    CHECK(comm_tuning_write_rules(&t, path) == RT_EMISSING);
}

static void a_machine_has_a_name_without_hosts(void)
{
    char a[192], b[192], host[64] = "";

    comm_tuning_machine("Open MPI v4", "tcp", 25, a, sizeof a);
    comm_tuning_machine("Open MPI v4", "tcp", 0, b, sizeof b);
    CHECK(strstr(a, "tcp, 25 Gbit/s, Open MPI v4") != NULL);
    CHECK(strstr(b, "rate unknown") != NULL);
    if (gethostname(host, sizeof host - 1) == 0 && strlen(host) > 3) CHECK(!strstr(a, host));
}

int main(void)
{
    char folder[] = "/tmp/recua-tuning-XXXXXX";

    rt_log_set_level(RT_LOG_ERROR); /* thousands of warnings are right here */
    if (!CHECK(mkdtemp(folder) != NULL)) return 1;
    a_file_says_what_was_written();
    what_does_not_fit_is_ignored();
    a_missing_file_is_ignored();
    rules_are_as_open_mpi_reads_them(folder);
    a_file_is_whole_or_not_there(folder);
    measured_times_decide();
    what_does_not_fit_is_not_chosen();
    every_rank_chooses_alike();
    another_layout_is_left_to_the_model();
    a_machine_has_a_name_without_hosts();
    return check_failures > 0;
}
