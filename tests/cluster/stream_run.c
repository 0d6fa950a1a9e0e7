/* tests/cluster/stream_run.c - flows of plain TCP between hosts: two processes a flow, each in its
 * host's network; all of one machine, so one clock times both ends
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/cluster/stream.h"

enum { FIRST_PORT = 7000, PIECE_BYTES = 1 << 20 };

struct window {
    double begin, end; /* s of CLOCK_MONOTONIC */
};

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

rt_status stream_cluster_read(const char *dir, struct stream_cluster *out)
{
    char path[512], line[1024], name[16], rate[32];
    long pid = 0;
    double latency;

    memset(out, 0, sizeof *out);
    snprintf(path, sizeof path, "%s/switch.pid", dir);
    FILE *f = fopen(path, "r");
    if (f == NULL) return RT_FAIL(RT_EIO, "%s: %s", path, strerror(errno));
    const int got = fscanf(f, "%ld", &pid);
    fclose(f);
    out->switch_pid = (pid_t)pid;
    snprintf(path, sizeof path, "%s/state.json", dir);
    f = fopen(path, "r");
    if (got != 1 || f == NULL) return RT_FAIL(RT_EIO, "%s: no cluster is here", dir);
    for (int i = 0; i < STREAM_HOSTS && fgets(line, sizeof line, f) != NULL;) {
        if (sscanf(line,
                   " {\"name\": \"%15[^\"]\", \"pid\": %ld, \"alive\": %*[a-z], \"link_up\": "
                   "%*[a-z], \"mbit_per_s\": %31[^,], \"latency_us\": %lf",
                   name, &pid, rate, &latency) != 4)
            continue;
        out->pid[i] = (pid_t)pid;
        out->mbit_per_s[i] = strtod(rate, NULL); /* null is 0 */
        out->latency_us[i] = latency;
        out->hosts = i++;
    }
    fclose(f);
    if (out->hosts < 2) return RT_FAIL(RT_EINVAL, "%s: a flow needs two hosts", path);
    return RT_OK;
}

/* The rest of a child's work happens in a host's network. */
static void enter(pid_t pid)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%ld/ns/net", (long)pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        _exit(1);
    }
    close(fd);
}

static int listen_at(int port)
{
    const struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    const int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (s < 0 || setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(s, (const struct sockaddr *)&a, sizeof a) != 0 || listen(s, 1) != 0)
        _exit(1);
    const int c = accept(s, NULL, NULL);
    close(s);
    setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return c;
}

/* The listener may not be there yet. */
static int connect_to(int host, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    const int on = 1;

    a.sin_addr.s_addr = htonl((10u << 24) + (77u << 16) + (unsigned)host);
    while (true) {
        const int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (s < 0) _exit(1);
        if (connect(s, (const struct sockaddr *)&a, sizeof a) == 0) {
            setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            return s;
        }
        close(s);
        usleep(5000);
    }
}

static void receive(int s, struct window w, struct stream_result *out)
{
    char *piece = malloc(PIECE_BYTES);
    double first = 0;
    ssize_t n;

    while (piece != NULL && (n = recv(s, piece, PIECE_BYTES, 0)) > 0) {
        const double t = now_s();
        if (t < w.begin || t > w.end) continue;
        if (first == 0) { /* the clock starts behind the first piece */
            first = t;
            continue;
        }
        out->bytes += (uint64_t)n;
        out->seconds = t - first;
    }
    free(piece);
}

static void send_until(int s, double end)
{
    char *piece = calloc(1, PIECE_BYTES);

    while (piece != NULL && now_s() < end && send(s, piece, PIECE_BYTES, MSG_NOSIGNAL) > 0) {
    }
    free(piece);
}

static pid_t start(const struct stream_cluster *c, const struct stream_flow *f, int k, bool sends,
                   struct window w, struct stream_result *out)
{
    const pid_t pid = fork();

    if (pid != 0) return pid;
    alarm((unsigned)(w.end - now_s()) + 30); /* a flow that hangs ends the measurement */
    enter(c->pid[sends ? f->from : f->to]);
    if (sends)
        send_until(connect_to(f->to, FIRST_PORT + k), w.end + 0.05);
    else
        receive(listen_at(FIRST_PORT + k), w, out);
    _exit(0);
}

static rt_status wait_for(const pid_t *pids, int n)
{
    rt_status st = RT_OK;

    for (int i = 0; i < n; i++) {
        int status = 1;
        if (pids[i] < 0 || waitpid(pids[i], &status, 0) < 0 || status != 0)
            st = RT_FAIL(RT_EIO, "a process of a flow ended with status %d", status);
    }
    return st;
}

rt_status stream_run(const struct stream_cluster *c, const struct stream_flow *flows, int n,
                     double seconds, struct stream_result *out)
{
    const double begin = now_s() + 0.4; /* connections are made, windows have grown */
    const struct window w = {.begin = begin, .end = begin + seconds};
    const size_t bytes = sizeof *out * (size_t)n;
    pid_t *pids = calloc(2 * (size_t)n, sizeof *pids);
    struct stream_result *seen =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    rt_status st = RT_OK;

    if (pids == NULL || seen == MAP_FAILED) {
        free(pids);
        return RT_FAIL(RT_ENOMEM, "%d flows", n);
    }
    for (int k = 0; k < n; k++) {
        pids[2 * k] = start(c, &flows[k], k, false, w, &seen[k]);
        pids[2 * k + 1] = start(c, &flows[k], k, true, w, &seen[k]);
    }
    st = wait_for(pids, 2 * n);
    memcpy(out, seen, bytes);
    munmap(seen, bytes);
    free(pids);
    return st;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void ping(int s, double *out)
{
    char word[8] = {0};

    for (int k = -20; k < STREAM_PINGS; k++) { /* the first ones warm up */
        const double t = now_s();
        if (send(s, word, sizeof word, MSG_NOSIGNAL) != sizeof word ||
            recv(s, word, sizeof word, MSG_WAITALL) != sizeof word)
            _exit(1);
        if (k >= 0) out[k] = 1e6 * (now_s() - t) / 2;
    }
}

static void echo(int s)
{
    char word[8];

    while (recv(s, word, sizeof word, MSG_WAITALL) == sizeof word)
        if (send(s, word, sizeof word, MSG_NOSIGNAL) != sizeof word) _exit(1);
}

/* Before others, as the switch: what is asked is the link's time, not the wait for a processor. */
static void take_precedence(void)
{
    const struct sched_param p = {.sched_priority = 5};

    if (sched_setscheduler(0, SCHED_FIFO, &p) != 0)
        fprintf(stderr, "no real-time priority (%s): times hold waits\n", strerror(errno));
}

rt_status stream_ping(const struct stream_cluster *c, double out[STREAM_PINGS])
{
    const size_t bytes = STREAM_PINGS * sizeof *out;
    double *seen = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pids[2];

    if (seen == MAP_FAILED) return RT_FAIL(RT_ENOMEM, "%d times", STREAM_PINGS);
    for (int k = 0; k < 2; k++) {
        pids[k] = fork();
        if (pids[k] != 0) continue;
        alarm(30);
        take_precedence();
        enter(c->pid[1 + k]);
        if (k == 0)
            ping(connect_to(2, FIRST_PORT - 1), seen);
        else
            echo(listen_at(FIRST_PORT - 1));
        _exit(0);
    }
    const rt_status st = wait_for(pids, 2);
    memcpy(out, seen, bytes);
    munmap(seen, bytes);
    qsort(out, STREAM_PINGS, sizeof *out, by_size);
    return st;
}
