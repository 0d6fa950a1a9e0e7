/* comm/fabric/ethtool.c - an interface's own statistics, what `ethtool -S` shows
 *
 * The kernel gives names and values by two calls; in between an interface may change, so what is
 * read is bounded by what was asked for. Needs no rights.
 */
#include "comm/fabric/ethtool.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_STATISTICS = 16384 };

static int ask(int socket_, const char *interface, void *command)
{
    struct ifreq q = {0};

    snprintf(q.ifr_name, sizeof q.ifr_name, "%.15s", interface);
    q.ifr_data = command;
    return ioctl(socket_, SIOCETHTOOL, &q) == 0 ? 0 : -errno;
}

static int count_of(int socket_, const char *interface)
{
    struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
    int code = ask(socket_, interface, &info);

    if (code != 0) return code;
    return info.n_stats > MOST_STATISTICS ? -E2BIG : (int)info.n_stats;
}

static int read_all(int socket_, const char *interface, int count, comm_reader_take *take,
                    void *taker)
{
    struct ethtool_gstrings *names = calloc(1, sizeof *names + (size_t)count * ETH_GSTRING_LEN);
    struct ethtool_stats *values = calloc(1, sizeof *values + (size_t)count * sizeof(__u64));
    int code = names == NULL || values == NULL ? -ENOMEM : 0;

    if (code != 0) goto out;
    *names = (struct ethtool_gstrings){
        .cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_STATS, .len = (__u32)count};
    *values = (struct ethtool_stats){.cmd = ETHTOOL_GSTATS, .n_stats = (__u32)count};
    code = ask(socket_, interface, names);
    if (code == 0) code = ask(socket_, interface, values);
    for (int i = 0; code == 0 && i < count; i++) {
        char name[ETH_GSTRING_LEN + 1];
        memcpy(name, names->data + (size_t)i * ETH_GSTRING_LEN, ETH_GSTRING_LEN);
        name[ETH_GSTRING_LEN] = '\0';
        take(taker, name, values->data[i]);
    }
out:
    free(values);
    free(names);
    return code;
}

int comm_ethtool_statistics(const char *interface, comm_reader_take *take, void *taker)
{
    int socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (socket_ < 0) return -errno;
    int count = count_of(socket_, interface);
    int code = count > 0 ? read_all(socket_, interface, count, take, taker) : count;
    close(socket_);
    return code;
}
