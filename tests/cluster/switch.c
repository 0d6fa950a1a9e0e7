/* tests/cluster/switch.c - the program cluster_switch, which `hosts up` starts
 *
 *     cluster_switch --dir DIR --hosts N [--lifetime S] [--watch PID] -- SETUP [ARG...]
 *
 * Makes a head and N hosts, runs SETUP ARG... NAME on each, joins them as DIR/switch.conf says, and
 * returns when they are ready; a process stays behind that is the switch. DIR/state.json has its
 * counters. SIGHUP: read the settings again and write the counters. SIGTERM, the end of PID or of S
 * seconds: leave, and all hosts end with it.
 */
#include "tests/cluster/switch.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/log.h"

struct options {
    const char *dir;
    long hosts, lifetime_s, watch;
    char *const *setup;
};

static rt_status parse(int argc, char **argv, struct options *o)
{
    static const struct option known[] = {
        {"dir", required_argument, NULL, 'd'},
        {"hosts", required_argument, NULL, 'n'},
        {"lifetime", required_argument, NULL, 'l'},
        {"watch", required_argument, NULL, 'w'},
        {NULL, 0, NULL, 0},
    };
    int c;

    *o = (struct options){.lifetime_s = 1800};
    while ((c = getopt_long(argc, argv, "+", known, NULL)) != -1) {
        if (c == 'd')
            o->dir = optarg;
        else if (c == 'n')
            o->hosts = strtol(optarg, NULL, 10);
        else if (c == 'l')
            o->lifetime_s = strtol(optarg, NULL, 10);
        else if (c == 'w')
            o->watch = strtol(optarg, NULL, 10);
        else
            return RT_EINVAL; /* getopt has said it */
    }
    o->setup = argv + optind;
    if (o->dir == NULL || optind == argc)
        return RT_FAIL(RT_EINVAL, "wanted: --dir DIR --hosts N -- SETUP [ARG...]");
    if (o->hosts < 1 || o->hosts >= SWITCH_PORTS)
        return RT_FAIL(RT_EINVAL, "--hosts is 1 to %d", SWITCH_PORTS - 1);
    if (o->lifetime_s < 1) return RT_FAIL(RT_EINVAL, "--lifetime is in seconds, at least 1");
    return RT_OK;
}

/* A descriptor that can be read when process `pid` ends. */
static rt_status watch_open(long pid, int *fd)
{
    *fd = -1;
    if (pid == 0) return RT_OK;
    *fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
    if (*fd < 0) return RT_FAIL(RT_EMISSING, "--watch %ld: %s", pid, strerror(errno));
    return RT_OK;
}

static void read_settings(struct ether *e)
{
    char path[512];
    struct settings s;

    snprintf(path, sizeof path, "%s/switch.conf", e->dir);
    e->refused = settings_read(path, e->ports, &s) != RT_OK;
    e->reads++;
    if (e->refused) return;
    e->settings = s;
    ether_apply(e);
}

static void collect_dead_hosts(struct ether *e)
{
    pid_t pid;

    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
        for (int i = 0; i < e->ports; i++)
            if (e->port[i].pid == pid) e->port[i].gone = true;
}

/* What signals ask for; false: to leave. */
static bool answer_signals(struct ether *e, int signals)
{
    struct signalfd_siginfo s;

    while (read(signals, &s, sizeof s) == (ssize_t)sizeof s) {
        if (s.ssi_signo == SIGCHLD) {
            collect_dead_hosts(e);
            continue;
        }
        if (s.ssi_signo != SIGHUP) return false;
        read_settings(e);
        if (state_write(e) != RT_OK) return false;
    }
    return true;
}

/* Sleep until a frame comes, one is due, or someone asks for something. */
static void wait_for_work(const struct ether *e, int64_t until, struct pollfd *polled)
{
    const int64_t left = until - ether_now_ns();
    const struct timespec wait = {.tv_sec = left > 0 ? left / 1000000000 : 0,
                                  .tv_nsec = left > 0 ? left % 1000000000 : 0};

    for (int i = 0; i < e->ports; i++) {
        polled[i].fd = ether_wants(e, i) ? e->port[i].fd : -1;
        polled[i].events = POLLIN;
    }
    for (int i = 0; i < e->ports + 2; i++) polled[i].revents = 0;
    ppoll(polled, (nfds_t)e->ports + 2, &wait, NULL);
}

static void serve(struct ether *e, int watch, int signals, int64_t end)
{
    struct pollfd polled[SWITCH_PORTS + 2] = {0};
    struct pollfd *watched = &polled[e->ports], *asked = watched + 1;

    *watched = (struct pollfd){.fd = watch, .events = POLLIN};
    *asked = (struct pollfd){.fd = signals, .events = POLLIN};
    while (ether_now_ns() < end && watched->revents == 0) {
        if (asked->revents != 0 && !answer_signals(e, signals)) return;
        const int64_t due = ether_deliver(e);
        wait_for_work(e, due < end ? due : end, polled);
        for (int i = 0; i < e->ports; i++)
            if (polled[i].revents != 0) ether_read(e, i);
    }
}

/* Signals are read like frames, so that neither waits for the other. */
static rt_status signals_open(int *fd)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    *fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (*fd < 0) return RT_FAIL(RT_EMISSING, "signalfd: %s", strerror(errno));
    return RT_OK;
}

/* Before others: a switch that waits for a processor is a slower cable. */
static void take_precedence(void)
{
    const struct sched_param p = {.sched_priority = 10};

    prctl(PR_SET_TIMERSLACK, 1UL);
    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0 || sched_setscheduler(0, SCHED_FIFO, &p) != 0)
        rt_log(RT_LOG_WARN, "no real-time priority or locked memory (%s): times will be coarser",
               strerror(errno));
}

static rt_status detach(const char *log)
{
    const int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    const int none = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (out < 0 || none < 0) return RT_FAIL(RT_EIO, "%s: %s", log, strerror(errno));
    if (dup2(none, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        return RT_FAIL(RT_EIO, "%s: %s", log, strerror(errno));
    return RT_OK;
}

/* The process that stays. One byte to `ready`, once. */
static rt_status run(const struct options *o, int ready)
{
    static struct ether e;
    char log[512];
    int watch, signals;

    snprintf(log, sizeof log, "%s/switch.log", o->dir);
    e.dir = o->dir;
    e.ports = (int)o->hosts + 1;
    e.random = UINT64_C(88172645463325252);
    read_settings(&e);
    if (e.refused) return RT_EINVAL;
    RT_TRY(watch_open(o->watch, &watch));
    RT_TRY(hosts_create(&e, o->setup, log));
    RT_TRY(signals_open(&signals));
    RT_TRY(state_write(&e));
    take_precedence();
    RT_TRY(detach(log));
    if (write(ready, "", 1) != 1) return RT_EIO;
    close(ready);
    serve(&e, watch, signals, ether_now_ns() + o->lifetime_s * 1000000000);
    return RT_OK;
}

int main(int argc, char **argv)
{
    struct options o;
    int pipes[2], status = 0;
    char byte;

    rt_status st = parse(argc, argv, &o);
    if (st != RT_OK) return rt_status_exit(st);
    if (pipe2(pipes, O_CLOEXEC) != 0) return 1;
    const pid_t pid = fork();
    if (pid == 0) {
        close(pipes[0]);
        setsid();
        return rt_status_exit(run(&o, pipes[1]));
    }
    close(pipes[1]);
    if (pid > 0 && read(pipes[0], &byte, 1) == 1) {
        printf("%ld\n", (long)pid);
        return 0;
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return 1;
    return WEXITSTATUS(status);
}
