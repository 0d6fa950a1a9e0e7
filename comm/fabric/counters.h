/* comm/fabric/counters.h - what the NICs count: a snapshot before, one after, the difference
 *
 *     comm_counters_read(&reader, &before);  ... traffic ...  comm_counters_read(&reader, &after);
 *     comm_counters_difference(&before, &after, &moved);
 *
 * RDMA ports count in /sys/class/infiniband, interfaces in /sys/class/net and, pause frames, in
 * what `ethtool -S` shows. A counter that is not there, or reads "N/A (no PMA)", is unknown. Some
 * drivers refresh theirs only every 10 ms or so. Not collective; nothing is allocated.
 * Source   meanings: Linux, drivers/infiniband/hw/{mlx5,bnxt_re,irdma}, and the vendors' manuals
 */
#ifndef COMM_FABRIC_COUNTERS_H
#define COMM_FABRIC_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "comm/fabric/reader.h"

typedef enum {
    COMM_COUNT_SENT_BYTES,
    COMM_COUNT_RECEIVED_BYTES,
    COMM_COUNT_SYMBOL_ERRORS,
    COMM_COUNT_LINK_DOWNED,
    COMM_COUNT_XMIT_WAIT,
    COMM_COUNT_DISCARDS,
    COMM_COUNT_OUT_OF_SEQUENCE,
    COMM_COUNT_TIMEOUTS,
    COMM_COUNT_NO_BUFFER,
    COMM_COUNT_CNP_SENT,
    COMM_COUNT_CNP_HANDLED,
    COMM_COUNT_ECN_MARKED,
    COMM_COUNT_PAUSE_FRAMES,
    COMM_COUNT_ERRORS,
    COMM_COUNTS
} comm_count;

enum { COMM_COUNTERS_PORTS = 96 };

struct comm_counters {
    size_t count;
    struct comm_counters_port {
        char name[COMM_READER_NAME + 8]; /* "mlx5_0:1", "eth0" */
        bool rdma;
        bool known[COMM_COUNTS];
        uint64_t value[COMM_COUNTS];
    } port[COMM_COUNTERS_PORTS];
};

/* All ports and interfaces but the loopback; what is above COMM_COUNTERS_PORTS is left out. */
void comm_counters_read(const struct comm_reader *r, struct comm_counters *out);

/* after - before, by name; ports that are not in both are left out. A counter that went back
 * (it was reset) is unknown. out may be after, not before. */
void comm_counters_difference(const struct comm_counters *before, const struct comm_counters *after,
                              struct comm_counters *out);

const char *comm_count_name(comm_count c);    /* "sent_bytes": a JSON key */
const char *comm_count_meaning(comm_count c); /* for people: what it says when it grows */
bool comm_count_is_trouble(comm_count c);     /* should be 0 over a benchmark on a sound fabric */

/* Which way did `bytes` go that were sent between the snapshots: a check on an MPI that cannot be
 * asked. UNKNOWN: neither counted at least half of them (same node, no counters, too few bytes). */
typedef enum { COMM_CARRIED_UNKNOWN, COMM_CARRIED_TCP, COMM_CARRIED_RDMA } comm_carried;
comm_carried comm_counters_carried(const struct comm_counters *moved, uint64_t bytes);

#endif
