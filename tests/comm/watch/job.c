/* tests/comm/watch/job.c - several ranks as processes of this machine, without MPI */
#include "tests/comm/watch/job.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/log.h"
#include "tests/check.h"

enum { TURN_MS = 10, MOST_TURNS = 12000 };

void job_sleep(double seconds)
{
    struct timespec t = {(time_t)seconds, (long)(1e9 * (seconds - (double)(time_t)seconds))};

    while (nanosleep(&t, &t) != 0 && errno == EINTR) continue;
}

struct comm_watch_settings job_settings(double silent_s)
{
    return (struct comm_watch_settings){
        .on = true, .silent_s = silent_s, .stuck_s = 600, .straggler_s = 600, .init_s = 60};
}

void job_signal(const struct job *job, int signal)
{
    for (int r = 0; r < job->size; r++)
        if (job->pids[r] > 0) (void)kill(job->pids[r], signal);
}

int job_count(const char *text, const char *what)
{
    int n = 0;

    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what)) n++;
    return n;
}

void job_step(struct job_rank *me, int step)
{
    const struct comm_what what = {
        .op = "reduce", .unit = 5, .step = (uint64_t)step, .bytes = 65536};
    struct job *job = me->job;

    comm_records_step(me->records, (uint64_t)step);
    const uint64_t seq = comm_records_enter(me->records, &what);
    comm_records_wait(me->records, seq, true);
    (void)atomic_fetch_add(&job->arrived, 1);
    while (atomic_load(&job->arrived) < (int)seq * job->size) job_sleep(0.005);
    comm_records_wait(me->records, seq, false);
    comm_records_leave(me->records, seq);
    if (me->rank == 0) atomic_store(&job->step, step);
}

static int rank_main(const struct job_plan *plan, struct job *job, int rank)
{
    struct comm_beat_address addresses[JOB_MOST];
    struct job_rank me = {.job = job, .rank = rank};

    rt_log_init(rank, plan->size);
    if (comm_records_create(&me.records) != RT_OK) return 100;
    if (comm_watch_open(&plan->settings, plan->size, 0, 1, &me.watch, &job->addresses[rank]) !=
        RT_OK)
        return 101;
    (void)atomic_fetch_add(&job->ready, 1);
    while (atomic_load(&job->ready) < plan->size) job_sleep(0.005);
    memcpy(addresses, job->addresses, sizeof addresses);
    if (plan->readdress != NULL) plan->readdress(job, rank, addresses);
    const struct comm_watch_job start = {.rank = rank,
                                         .size = plan->size,
                                         .addresses = addresses,
                                         .records = me.records,
                                         .on_verdict = plan->on_verdict};
    if (comm_watch_start(&me.watch, &start) != RT_OK) return 102;
    const int code = plan->body(&me);
    comm_watch_finish(&me.watch);
    comm_records_destroy(&me.records);
    return code;
}

static FILE *begin(const struct job_plan *plan, struct job *job, int rank)
{
    FILE *text = tmpfile();

    if (text == NULL) return NULL;
    const pid_t pid = fork();
    if (pid > 0) job->pids[rank] = pid; /* the mapping is shared: not the child's 0 */
    if (pid != 0) return pid > 0 ? text : NULL;
    (void)dup2(fileno(text), STDERR_FILENO);
    exit(rank_main(plan, job, rank));
}

/* Reaps who has ended; gives how many have not. */
static int reap(struct job *job, struct job_end *ends, bool *ended)
{
    int left = 0, status;

    for (int r = 0; r < job->size; r++) {
        if (job->pids[r] <= 0) continue; /* the fork failed: checked by its missing text */
        if (!ended[r] && waitpid(job->pids[r], &status, WNOHANG) == job->pids[r]) {
            ended[r] = true;
            ends[r].code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
        }
        left += !ended[r];
    }
    return left;
}

static void wait_for_all(const struct job_plan *plan, struct job *job, struct job_end *ends)
{
    bool ended[JOB_MOST] = {false};
    int left = job->size, turns = 0;

    for (; left > 0 && turns < MOST_TURNS; turns++) {
        job_sleep(1e-3 * TURN_MS);
        left = reap(job, ends, ended);
        bool others = false;
        for (int r = 0; r < job->size; r++) others |= !ended[r] && (plan->stopped >> r & 1) == 0;
        for (int r = 0; r < job->size && !others; r++)
            if (!ended[r] && job->pids[r] > 0) (void)kill(job->pids[r], SIGCONT);
    }
    CHECK(left == 0); /* or it hangs */
    for (int r = 0; r < job->size; r++)
        if (!ended[r] && job->pids[r] > 0) (void)kill(job->pids[r], SIGKILL);
    while (left > 0) left = reap(job, ends, ended);
}

void job_run(const struct job_plan *plan, struct job_end *ends)
{
    struct job *job =
        mmap(NULL, sizeof *job, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    FILE *texts[JOB_MOST] = {NULL};

    if (!CHECK(job != MAP_FAILED)) return;
    (void)fflush(NULL);
    job->size = plan->size;
    job->settings = plan->settings;
    memset(ends, 0, (size_t)plan->size * sizeof *ends);
    for (int r = 0; r < plan->size; r++) texts[r] = begin(plan, job, r);
    if (plan->meanwhile != NULL) plan->meanwhile(job);
    wait_for_all(plan, job, ends);
    for (int r = 0; r < plan->size; r++) {
        if (!CHECK(texts[r] != NULL)) continue;
        rewind(texts[r]);
        const size_t n = fread(ends[r].text, 1, JOB_TEXT - 1, texts[r]);
        ends[r].text[n] = '\0';
        (void)fclose(texts[r]);
    }
    (void)munmap(job, sizeof *job);
}
