/* tests/cluster/stream.h - what cluster_stream's files share: hosts by number, flows between them */
#ifndef TESTS_CLUSTER_STREAM_H
#define TESTS_CLUSTER_STREAM_H

#include <stdint.h>
#include <stdbool.h>
#include <sys/types.h>

#include "runtime/status.h"

enum {
    STREAM_HOSTS = 65, /* as SWITCH_PORTS; 0 is the head */
    STREAM_FLOWS = 64 * 63,
    STREAM_PINGS = 200,
};

struct stream_cluster {
    int hosts; /* n1 to n<hosts> */
    pid_t pid[STREAM_HOSTS], switch_pid;
    double mbit_per_s[STREAM_HOSTS]; /* 0: no limit */
    double latency_us[STREAM_HOSTS];
};

struct stream_flow {
    int from, to;
};

/* Payload that arrived inside the window, and the time between its first and last piece. */
struct stream_result {
    uint64_t bytes;
    double seconds;
};

/* Read DIR/state.json and DIR/switch.pid. */
RT_NODISCARD rt_status stream_cluster_read(const char *dir, struct stream_cluster *out);

/* All flows at once, for `seconds` after they have begun. */
RT_NODISCARD rt_status stream_run(const struct stream_cluster *c, const struct stream_flow *flows,
                                  int n, double seconds, struct stream_result *out);

/* Half the round trip of 8 bytes between n1 and n2, sorted, us. */
RT_NODISCARD rt_status stream_ping(const struct stream_cluster *c, double out[STREAM_PINGS]);

#endif
