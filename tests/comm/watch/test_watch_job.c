/* tests/comm/watch/test_watch_job.c - ranks that stop, die, hang, are slow, or leave
 *
 * test_watch_job CASE    the table at the end has the cases
 *
 * What is checked is who ends with which code and what he says, never how fast.
 */
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/check.h"
#include "tests/comm/watch/job.h"

enum { RANKS = 4, STEPS = 5, VICTIM_STEP = 3 };

static struct job_end ends[JOB_MOST];

static void show(int size)
{
    if (check_failures == 0) return;
    for (int r = 0; r < size; r++) printf("-- rank %d: %d\n%s", r, ends[r].code, ends[r].text);
}

/* Every rank of `ranks` (bits) ended with 72, and said each of the words. */
static void all_say(unsigned ranks, const char *const *words)
{
    for (int r = 0; ranks >> r != 0; r++) {
        if ((ranks >> r & 1) == 0) continue;
        CHECK(ends[r].code == COMM_WATCH_EXIT);
        CHECK(job_count(ends[r].text, "the job ends with 72") == 1);
        for (int k = 0; words[k] != NULL; k++)
            if (!CHECK(strstr(ends[r].text, words[k]) != NULL))
                printf("rank %d does not say: %s\n", r, words[k]);
    }
}

static void all_well(int size, const char *never)
{
    for (int r = 0; r < size; r++) {
        CHECK(ends[r].code == 0);
        CHECK(strstr(ends[r].text, never) == NULL);
    }
}

static int train(struct job_rank *me, int victims, int signal)
{
    for (int step = 1; step <= STEPS; step++) {
        if (step == VICTIM_STEP && (victims >> me->rank & 1) != 0) (void)raise(signal);
        job_step(me, step);
    }
    return 0;
}

static int stops_3(struct job_rank *me) { return train(me, 8, SIGSTOP); }
static int stops_0(struct job_rank *me) { return train(me, 1, SIGSTOP); }
static int stops_0_and_1(struct job_rank *me) { return train(me, 3, SIGSTOP); }
static int dies_3(struct job_rank *me) { return train(me, 8, SIGKILL); }
static int dies_0(struct job_rank *me) { return train(me, 1, SIGKILL); }

static void a_stopped_rank_is_named_by_all(void)
{
    const struct job_plan plan = {
        .size = RANKS, .settings = job_settings(2), .body = stops_3, .stopped = 8};

    job_run(&plan, ends);
    all_say(15, (const char *const[]){"rank 3 (", "stopped, dead or cut off", "is stopped)",
                                      "it had not entered reduce of unit 5, step 3, in which ranks "
                                      "0-2 wait;",
                                      NULL});
    for (int r = 0; r < 3; r++) CHECK(job_count(ends[r].text, "reduce       unit 5") == 3);
}

static void a_stopped_first_rank_is_named_by_all(void)
{
    const struct job_plan plan = {
        .size = RANKS, .settings = job_settings(2), .body = stops_0, .stopped = 1};

    job_run(&plan, ends);
    all_say(15, (const char *const[]){"rank 0 (", "stopped, dead or cut off",
                                      "in which ranks 1-3 wait;", NULL});
}

static void without_both_monitors_the_rest_says_so(void)
{
    const struct job_plan plan = {
        .size = RANKS, .settings = job_settings(2), .body = stops_0_and_1, .stopped = 3};

    job_run(&plan, ends);
    all_say(12, (const char *const[]){"has not heard rank 0 (", "nor rank 1 (", NULL});
    CHECK(ends[0].code == COMM_WATCH_EXIT && ends[1].code == COMM_WATCH_EXIT);
}

static void hang(void *context)
{
    (void)context;
    for (;;) (void)pause();
}

/* MPI_Abort that never returns keeps nobody. */
static void a_killed_rank_is_named_though_the_abort_hangs(void)
{
    const struct job_plan plan = {
        .size = RANKS, .settings = job_settings(2), .body = dies_3, .on_verdict = hang};

    job_run(&plan, ends);
    CHECK(ends[3].code == -SIGKILL);
    all_say(7, (const char *const[]){"rank 3 (", "is gone)", "in which ranks 0-2 wait;", NULL});
}

static void a_killed_first_rank_of_two_is_named(void)
{
    const struct job_plan plan = {.size = 2, .settings = job_settings(2), .body = dies_0};

    job_run(&plan, ends);
    CHECK(ends[0].code == -SIGKILL);
    all_say(2, (const char *const[]){"rank 0 (", "in which rank 1 waits;", NULL});
}

static int slow_3(struct job_rank *me)
{
    for (int step = 1; step <= STEPS; step++) {
        if (me->rank == 3) job_sleep(1.5);
        job_step(me, step);
    }
    return 0;
}

static void a_slow_rank_is_named_once_and_lives(void)
{
    struct job_plan plan = {.size = RANKS, .settings = job_settings(6), .body = slow_3};

    plan.settings.straggler_s = 0.5;
    job_run(&plan, ends);
    all_well(RANKS, "the job ends");
    CHECK(job_count(ends[0].text, "rank 3 (") == 1);
    CHECK(strstr(ends[0].text, " s behind; it had not entered reduce of unit 5, step ") != NULL);
    for (int r = 1; r < RANKS; r++) CHECK(ends[r].text[0] == '\0');
}

static int trains_on(struct job_rank *me)
{
    for (int step = 1; step <= 150; step++) {
        job_sleep(0.02);
        job_step(me, step);
    }
    return 0;
}

static void suspend(struct job *job)
{
    while (atomic_load(&job->step) < 10) job_sleep(0.01);
    job_signal(job, SIGSTOP);
    job_sleep(3 * job->settings.silent_s);
    job_signal(job, SIGCONT);
}

static void a_job_suspended_as_a_whole_goes_on(void)
{
    const struct job_plan plan = {
        .size = RANKS, .settings = job_settings(2), .body = trains_on, .meanwhile = suspend};

    job_run(&plan, ends);
    all_well(RANKS, "recua");
}

static void send_to(const struct comm_beat_address *a, const unsigned char *bytes, size_t n)
{
    struct sockaddr_storage at;
    socklen_t at_bytes = 0;
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);

    if (comm_beat_sockaddr(a, &at, &at_bytes))
        (void)sendto(fd, bytes, n, 0, (struct sockaddr *)&at, at_bytes);
    (void)close(fd);
}

/* Noise, and what looks like a verdict or a farewell of another job. */
static void pester(struct job *job)
{
    unsigned char bytes[4096];

    while (atomic_load(&job->step) < 5) job_sleep(0.01);
    for (int i = 0; i < 2000; i++) {
        const size_t n = (size_t)(rand() % (int)sizeof bytes);
        for (size_t k = 0; k < n; k++) bytes[k] = (unsigned char)rand();
        memcpy(bytes, "DWCR\1\4\0\0", 8);
        send_to(&job->addresses[i % job->size], bytes, n);
        if (i % 50 == 0) job_sleep(0.01);
    }
}

static void noise_is_ignored(void)
{
    const struct job_plan plan = {
        .size = RANKS, .settings = job_settings(3), .body = trains_on, .meanwhile = pester};

    job_run(&plan, ends);
    all_well(RANKS, "recua");
}

/* Rank 2 and the monitors send to where nobody listens. */
static void wrong_port(const struct job *job, int rank, struct comm_beat_address *addresses)
{
    (void)job;
    for (int r = 0; r < RANKS; r++)
        if ((r == 2) != (rank == 2)) addresses[r].port = 9; /* discard */
}

static int goes_on(struct job_rank *me)
{
    for (int step = 1; step <= 40; step++) {
        job_sleep(0.1);
        job_step(me, step);
    }
    return 0;
}

static void an_unheard_rank_is_warned_of_and_left_alone(void)
{
    const struct job_plan plan = {
        .size = RANKS, .settings = job_settings(1.5), .body = goes_on, .readdress = wrong_port};

    job_run(&plan, ends);
    all_well(RANKS, "the job ends");
    CHECK(job_count(ends[0].text, "sent no heartbeat that arrived") == 1);
    CHECK(strstr(ends[0].text, "rank 2 (") != NULL);
}

static int stuck_1(struct job_rank *me)
{
    for (int step = 1; step <= STEPS; step++) {
        if (me->rank == 1 && step == VICTIM_STEP) job_sleep(120);
        job_step(me, step);
    }
    return 0;
}

/* A file of records a rank, each with the operations that the rank has entered. */
static void records_lie_in(const char *dir)
{
    DIR *d = opendir(dir);
    int files = 0;

    if (!CHECK(d != NULL)) return;
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        char path[512], text[4096];
        if (strncmp(e->d_name, "records-", 8) != 0) continue;
        files++;
        (void)snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        FILE *f = fopen(path, "r");
        if (!CHECK(f != NULL)) continue;
        text[fread(text, 1, sizeof text - 1, f)] = '\0';
        const bool is_rank_1 = strstr(e->d_name, "-rank-1.txt") != NULL;
        CHECK(job_count(text, "reduce       unit 5") == (is_rank_1 ? 2 : 3));
        (void)fclose(f);
        (void)unlink(path);
    }
    (void)closedir(d);
    CHECK(files == RANKS);
}

static void a_rank_that_computes_for_ever_ends_the_job(void)
{
    struct job_plan plan = {.size = RANKS, .settings = job_settings(6), .body = stuck_1};
    char dir[] = "/tmp/watch-XXXXXX";

    if (!CHECK(mkdtemp(dir) != NULL)) return;
    plan.settings.stuck_s = 2;
    plan.settings.dump_dir = dir;
    job_run(&plan, ends);
    records_lie_in(dir);
    (void)rmdir(dir);
    all_say(15, (const char *const[]){"rank 1 (", "has not moved for the limit of ",
                                      "(RECUA_WATCH_STUCK), computing all along",
                                      "in which ranks 0,2-3 wait;", NULL});
}

static int long_phase(struct job_rank *me)
{
    job_step(me, 1);
    comm_watch_phase_begin(me->watch, "checkpoint", me->rank == 2 ? 0.7 : 90);
    comm_watch_phase_begin(me->watch, "inner", 0.1); /* changes nothing */
    job_sleep(me->rank == 2 ? 60 : 0.3);
    comm_watch_phase_end(me->watch);
    comm_watch_phase_end(me->watch);
    job_step(me, 2);
    return 0;
}

static void a_phase_has_its_limit(void)
{
    const struct job_plan plan = {.size = RANKS, .settings = job_settings(6), .body = long_phase};

    job_run(&plan, ends);
    all_say(15, (const char *const[]){"rank 2 (",
                                      "has not ended its phase 'checkpoint' within 0.7 s", NULL});
}

static int phase_alone(struct job_rank *me)
{
    comm_watch_phase_begin(me->watch, "first", 60);
    comm_watch_phase_end(me->watch);
    comm_watch_phase_begin(me->watch, "checkpoint", 0.3);
    job_sleep(60);
    return 0;
}

static int nothing(struct job_rank *me) { return me->rank; }

static void alone_only_phases_are_watched(void)
{
    struct job_plan plan = {.size = 1, .settings = job_settings(1), .body = phase_alone};

    job_run(&plan, ends);
    all_say(1, (const char *const[]){"recua: error: rank 0 (", "phase 'checkpoint'", NULL});
    plan.body = nothing;
    job_run(&plan, ends);
    all_well(1, "recua");
}

static int first_goes_first(struct job_rank *me)
{
    job_sleep(0.8 * me->rank);
    return 0;
}

static int last_goes_first(struct job_rank *me)
{
    job_sleep(0.8 * (RANKS - 1 - me->rank));
    return 0;
}

static int monitors_stay(struct job_rank *me)
{
    job_sleep(me->rank < 2 ? 3 : 0.2);
    return 0;
}

static int monitors_go(struct job_rank *me)
{
    job_sleep(me->rank < 2 ? 0 : 3);
    return 0;
}

static int at_once(struct job_rank *me)
{
    (void)me;
    return 0;
}

static void ranks_leave_in_any_order(void)
{
    static int (*const bodies[])(struct job_rank *) = {first_goes_first, last_goes_first,
                                                       monitors_stay, monitors_go, at_once};
    struct job_plan plan = {.size = RANKS, .settings = job_settings(1.5)};

    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        plan.body = bodies[i];
        job_run(&plan, ends);
        all_well(RANKS, "recua");
    }
}

static int slow_start(struct job_rank *me)
{
    struct comm_watch_settings settings = me->job->settings;
    struct comm_watch_init *init = NULL;

    settings.init_s = 60;
    if (comm_watch_init_begin(&settings, &init) != RT_OK) return 100;
    comm_watch_init_end(&init);
    settings.init_s = 0.3;
    if (comm_watch_init_begin(&settings, &init) != RT_OK) return 100;
    job_sleep(60);
    return 0;
}

static void init_has_its_limit(void)
{
    const struct job_plan plan = {.size = 1, .settings = job_settings(1), .body = slow_start};

    job_run(&plan, ends);
    CHECK(ends[0].code == COMM_WATCH_EXIT);
    CHECK(strstr(ends[0].text, "MPI_Init has not returned within 0.3 s (RECUA_INIT_LIMIT)") !=
          NULL);
}

static void switched_off_nothing_is_watched(void)
{
    struct job_plan plan = {.size = 2, .settings = job_settings(1), .body = first_goes_first};

    plan.settings.on = false;
    job_run(&plan, ends);
    all_well(2, "recua");
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"stop", a_stopped_rank_is_named_by_all},
    {"stop_first", a_stopped_first_rank_is_named_by_all},
    {"stop_monitors", without_both_monitors_the_rest_says_so},
    {"kill", a_killed_rank_is_named_though_the_abort_hangs},
    {"kill_first", a_killed_first_rank_of_two_is_named},
    {"slow", a_slow_rank_is_named_once_and_lives},
    {"suspended", a_job_suspended_as_a_whole_goes_on},
    {"noise", noise_is_ignored},
    {"unheard", an_unheard_rank_is_warned_of_and_left_alone},
    {"stuck", a_rank_that_computes_for_ever_ends_the_job},
    {"phase", a_phase_has_its_limit},
    {"alone", alone_only_phases_are_watched},
    {"leave", ranks_leave_in_any_order},
    {"init", init_has_its_limit},
    {"off", switched_off_nothing_is_watched},
};

int main(int argc, char **argv)
{
    bool found = false;

    for (size_t i = 0; argc == 2 && i < sizeof cases / sizeof cases[0]; i++) {
        if (strcmp(argv[1], cases[i].name) != 0) continue;
        found = true;
        cases[i].run();
    }
    show(RANKS);
    if (!found) fprintf(stderr, "usage: test_watch_job CASE\n");
    return found && check_failures == 0 ? 0 : 1;
}
