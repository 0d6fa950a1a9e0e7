/* comm/watch/address.c - which interface the heartbeats take */
#include "comm/watch/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "runtime/log.h"

enum { RECEIVE_BYTES = 4 << 20 };

static size_t ip_of(const struct sockaddr *a, unsigned char *ip)
{
    memset(ip, 0, 16);
    if (a->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, a, sizeof in);
        memcpy(ip, &in.sin_addr, 4);
        return 4;
    }
    struct sockaddr_in6 in6;
    memcpy(&in6, a, sizeof in6);
    memcpy(ip, &in6.sin6_addr, 16);
    return 16;
}

static bool is_usable(const struct ifaddrs *i)
{
    const unsigned up = IFF_UP | IFF_RUNNING;
    unsigned char ip[16];

    if (i->ifa_addr == NULL || (i->ifa_flags & up) != up) return false;
    if (i->ifa_addr->sa_family == AF_INET) return true;
    if (i->ifa_addr->sa_family != AF_INET6) return false;
    (void)ip_of(i->ifa_addr, ip);
    return !(ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80); /* a link's own address needs its scope */
}

/* Bridges to containers and virtual machines of this host lead to no other host. */
static bool leads_outside(const struct ifaddrs *i)
{
    static const char *const inner[] = {"docker", "virbr", "veth", "lxc", "cni", "podman"};

    if ((i->ifa_flags & IFF_LOOPBACK) != 0) return false;
    for (size_t k = 0; k < sizeof inner / sizeof inner[0]; k++)
        if (strncmp(i->ifa_name, inner[k], strlen(inner[k])) == 0) return false;
    return true;
}

static bool in_subnet(const struct sockaddr *a, const char *subnet)
{
    char net[INET6_ADDRSTRLEN];
    unsigned char want[16] = {0}, have[16];
    const char *slash = strchr(subnet, '/');
    char *end;

    if (slash == NULL || (size_t)(slash - subnet) >= sizeof net) return false;
    memcpy(net, subnet, (size_t)(slash - subnet));
    net[slash - subnet] = '\0';
    if (inet_pton(a->sa_family, net, want) != 1) return false;
    const size_t bytes = ip_of(a, have);
    const long bits = strtol(slash + 1, &end, 10);
    if (end == slash + 1 || *end != '\0' || bits < 0 || bits > 8 * (long)bytes) return false;
    for (long b = 0; b < bits; b++) {
        const int mask = 0x80 >> (b % 8);
        if ((want[b / 8] & mask) != (have[b / 8] & mask)) return false;
    }
    return true;
}

static const struct ifaddrs *first_of(const struct ifaddrs *all, int family, const char *name)
{
    for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
        if (!is_usable(i) || i->ifa_addr->sa_family != family) continue;
        if (name == NULL ? leads_outside(i)
                         : strcmp(i->ifa_name, name) == 0 || in_subnet(i->ifa_addr, name))
            return i;
    }
    return NULL;
}

/* The first of a list of names and subnets that is here. */
static const struct ifaddrs *listed(const struct ifaddrs *all, const char *list)
{
    char copy[1024], *rest = copy, *one;
    const struct ifaddrs *found = NULL;

    if (list == NULL || strlen(list) >= sizeof copy) return NULL;
    strcpy(copy, list);
    while (found == NULL && (one = strsep(&rest, ",")) != NULL) {
        if (*one == '\0') continue;
        found = first_of(all, AF_INET, one);
        if (found == NULL) found = first_of(all, AF_INET6, one);
    }
    return found;
}

static void names_of(const struct ifaddrs *all, char *text, size_t bytes)
{
    size_t used = 0;

    text[0] = '\0';
    for (const struct ifaddrs *i = all; i != NULL && used < bytes; i = i->ifa_next) {
        if (!is_usable(i) || i->ifa_addr->sa_family != AF_INET) continue;
        int n = snprintf(text + used, bytes - used, "%s%s", used > 0 ? ", " : "", i->ifa_name);
        if (n > 0) used += (size_t)n;
    }
}

/* *out stays NULL where there is nothing but the loopback. */
static rt_status choose(const struct ifaddrs *all, const struct ifaddrs **out)
{
    const char *wanted = getenv("RECUA_WATCH_IF");
    char names[256];

    if (wanted != NULL && *wanted != '\0') {
        *out = listed(all, wanted);
        if (*out != NULL) return RT_OK;
        names_of(all, names, sizeof names);
        return RT_FAIL(RT_EINVAL,
                       "RECUA_WATCH_IF is '%s', which names no interface or subnet of this host "
                       "that is up; there are: %s",
                       wanted, names);
    }
    *out = listed(all, getenv("OMPI_MCA_btl_tcp_if_include"));
    if (*out == NULL) *out = first_of(all, AF_INET, NULL);
    if (*out == NULL) *out = first_of(all, AF_INET6, NULL);
    return RT_OK;
}

static rt_status find_ip(bool one_node, struct comm_beat_address *a)
{
    const struct ifaddrs *chosen = NULL;
    struct ifaddrs *all = NULL;

    a->family = 4;
    memcpy(a->ip, (const unsigned char[]){127, 0, 0, 1}, 4);
    if (one_node) return RT_OK;
    if (getifaddrs(&all) != 0) return RT_EMISSING;
    rt_status st = choose(all, &chosen);
    if (chosen != NULL) a->family = ip_of(chosen->ifa_addr, a->ip) == 4 ? 4 : 6;
    freeifaddrs(all);
    return st;
}

bool comm_beat_sockaddr(const struct comm_beat_address *a, struct sockaddr_storage *out,
                        socklen_t *bytes)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)a->port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)a->port)};

    memset(out, 0, sizeof *out);
    if (a->family == 4) {
        memcpy(&in.sin_addr, a->ip, 4);
        memcpy(out, &in, sizeof in);
        *bytes = sizeof in;
        return true;
    }
    if (a->family != 6) return false;
    memcpy(&in6.sin6_addr, a->ip, 16);
    memcpy(out, &in6, sizeof in6);
    *bytes = sizeof in6;
    return true;
}

static int open_socket(struct comm_beat_address *a)
{
    const int type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, room = RECEIVE_BYTES;
    struct sockaddr_storage at;
    socklen_t bytes = 0;

    if (!comm_beat_sockaddr(a, &at, &bytes)) return -1;
    const int fd = socket(at.ss_family, type, 0);
    if (fd < 0) return -1;
    /* Many ranks may beat at once; the kernel gives what it allows. */
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (bind(fd, (struct sockaddr *)&at, bytes) == 0 &&
        getsockname(fd, (struct sockaddr *)&at, &bytes) == 0) {
        /* The port stands at the same place in both families. */
        struct sockaddr_in in;
        memcpy(&in, &at, sizeof in);
        a->port = ntohs(in.sin_port);
        return fd;
    }
    (void)close(fd);
    return -1;
}

rt_status comm_beat_open(bool one_node, int node, int *fd, struct comm_beat_address *out)
{
    struct comm_beat_address a;

    memset(&a, 0, sizeof a);
    *fd = -1;
    a.node = node;
    RT_TRY(find_ip(one_node, &a));
    if (getrandom(&a.nonce, sizeof a.nonce, GRND_NONBLOCK) != (ssize_t)sizeof a.nonce)
        return RT_EMISSING;
    comm_beat_identify(&a);
    *fd = open_socket(&a);
    if (*fd < 0) return RT_EMISSING;
    *out = a;
    return RT_OK;
}
