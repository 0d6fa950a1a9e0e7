/* tests/cluster/namespaces.c - the hosts: a first process each, in namespaces of its own
 *
 * A host is a process with its own network, host name, process ids, mounts and System V memory. It
 * waits for its TAP, runs the setup command and then only collects the dead. It dies with the
 * switch, and all that runs on the host with it: that is the kernel's doing, not a handler's.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/cluster/switch.h"

/* What the new process gets of its parent. */
struct birth {
    int port;
    int ends[SWITCH_PORTS]; /* the parent's ends of the sockets to it and those before it */
    int mine;
    char *const *setup;
    const char *log;
};

static int run_setup(const struct birth *b)
{
    char name[16], *argv[16];
    int n = 0, status = 0;

    port_name(b->port, name, sizeof name);
    while (n < 14 && b->setup[n] != NULL) argv[n] = b->setup[n], n++;
    argv[n++] = name;
    argv[n] = NULL;
    const pid_t pid = fork();
    if (pid == 0) {
        execvp(argv[0], argv);
        fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return 1;
    return WEXITSTATUS(status);
}

/* The first process of a host. It never returns. */
static int host_main(void *context)
{
    const struct birth *b = context;
    char go = 0, code;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "recua-host");
    for (int i = 0; i <= b->port; i++) close(b->ends[i]);
    if (read(b->mine, &go, 1) != 1) _exit(1);
    code = (char)run_setup(b);
    const int log = open(b->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    const int none = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (log < 0 || none < 0 || dup2(none, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0) code = 1;
    signal(SIGCHLD, SIG_IGN);
    if (write(b->mine, &code, 1) != 1 || code != 0) _exit(1);
    close(b->mine);
    while (true) pause();
}

static rt_status host_start(struct ether *e, struct birth *b, int port)
{
    const int flags = CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNS;
    static _Alignas(64) char stack[256 << 10]; /* the new process has its copy */
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return RT_FAIL(RT_EIO, "socketpair: %s", strerror(errno));
    b->port = port;
    b->ends[port] = pair[0];
    b->mine = pair[1];
    e->port[port].pid = clone(host_main, stack + sizeof stack, flags | SIGCHLD, b);
    const int cause = errno;
    close(pair[1]);
    if (e->port[port].pid < 0)
        return RT_FAIL(RT_EMISSING,
                       "no network, mount and process namespaces here (%s): this "
                       "needs root with CAP_SYS_ADMIN and a kernel that has them",
                       strerror(cause));
    return RT_OK;
}

/* A TAP in the network that this process is in. */
static rt_status tap_make(int *fd)
{
    const unsigned offload = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
    struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    int header = (int)sizeof(struct virtio_net_hdr);

    memcpy(r.ifr_name, "eth0", 5);
    *fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (*fd < 0) return RT_FAIL(RT_EMISSING, "/dev/net/tun: %s", strerror(errno));
    if (ioctl(*fd, TUNSETIFF, &r) != 0 || ioctl(*fd, TUNSETOFFLOAD, offload) != 0 ||
        ioctl(*fd, TUNSETVNETHDRSZ, &header) != 0)
        return RT_FAIL(RT_EMISSING, "no TAP device that takes large frames here: %s",
                       strerror(errno));
    return RT_OK;
}

/* eth0 in the network of process `pid`. */
static rt_status tap_in(pid_t pid, int *fd)
{
    char path[64];
    rt_status st = RT_OK;

    snprintf(path, sizeof path, "/proc/%ld/ns/net", (long)pid);
    const int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    const int there = open(path, O_RDONLY | O_CLOEXEC);
    if (home < 0 || there < 0 || setns(there, CLONE_NEWNET) != 0)
        st = RT_FAIL(RT_EMISSING, "%s: %s", path, strerror(errno));
    else
        st = tap_make(fd);
    if (home >= 0 && setns(home, CLONE_NEWNET) != 0 && st == RT_OK)
        st = RT_FAIL(RT_EIO, "/proc/self/ns/net: %s", strerror(errno));
    if (home >= 0) close(home);
    if (there >= 0) close(there);
    return st;
}

/* The hosts set themselves up side by side; each says how it went. */
static rt_status hosts_set_up(struct ether *e, const struct birth *b)
{
    const char go = 1;
    rt_status st = RT_OK;

    for (int i = 0; i < e->ports; i++) {
        RT_TRY(tap_in(e->port[i].pid, &e->port[i].fd));
        if (write(b->ends[i], &go, 1) != 1)
            return RT_FAIL(RT_EIO, "a host's first process has died: %s", strerror(errno));
    }
    for (int i = 0; i < e->ports; i++) {
        char code = 1, name[16];
        port_name(i, name, sizeof name);
        if (read(b->ends[i], &code, 1) == 1 && code == 0) continue;
        st = RT_FAIL(RT_EMISSING, "%s could not be set up (its command ended with %d)", name, code);
    }
    return st;
}

rt_status hosts_create(struct ether *e, char *const *setup, const char *log)
{
    struct birth b = {.setup = setup, .log = log};
    rt_status st = RT_OK;
    int made = 0;

    while (made < e->ports && st == RT_OK) st = host_start(e, &b, made++);
    if (st == RT_OK) st = hosts_set_up(e, &b);
    for (int i = 0; i < made; i++) close(b.ends[i]);
    return st;
}
