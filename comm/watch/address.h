/* comm/watch/address.h - where a rank's watchdog is reached, and which interface it listens on
 *
 * On one node 127.0.0.1. Else the interface that RECUA_WATCH_IF names, or else the first in
 * OMPI_MCA_btl_tcp_if_include that is here, or else the first that is up and no loopback; IPv4
 * before IPv6; without any, 127.0.0.1 again. Both variables take names of interfaces and subnets
 * (eth0, 10.1.0.0/16) with commas between.
 */
#ifndef COMM_WATCH_ADDRESS_H
#define COMM_WATCH_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "runtime/status.h"

enum { COMM_BEAT_HOST = 48 };

/* What every rank tells all others, as bytes: the members lie without gaps. */
struct comm_beat_address {
    uint32_t family; /* 4, 6; 0: no watchdog here */
    uint32_t port;
    unsigned char ip[16];
    int32_t node; /* number of the rank's node */
    int32_t pid;
    uint64_t pid_space, pid_started; /* to tell whether a pid means the same process here */
    uint64_t nonce; /* random; that of the first rank with a watchdog is the job's */
    char host[COMM_BEAT_HOST];
};

/* Opens this rank's socket and fills *out with where it is. RT_EINVAL: RECUA_WATCH_IF names no
 * interface of this host that is up. RT_EMISSING: there is no socket to be had.
 * Not collective. */
RT_NODISCARD rt_status comm_beat_open(bool one_node, int node, int *fd,
                                      struct comm_beat_address *out);

/* false: this address has no watchdog. */
bool comm_beat_sockaddr(const struct comm_beat_address *a, struct sockaddr_storage *out,
                        socklen_t *bytes);

/* Fills in who this process is: after a fork it is another. */
void comm_beat_identify(struct comm_beat_address *a);

/* What this machine knows of the process behind a: "its process 17 is stopped" or "... is gone";
 * "" where it runs or is none of this machine's. */
void comm_beat_process_state(const struct comm_beat_address *a,
                             const struct comm_beat_address *mine, char *text, size_t bytes);

#endif
