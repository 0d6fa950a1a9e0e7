/* tests/cluster/switch.h - an Ethernet switch in user space, one port a host, each host in
 * namespaces of its own
 *
 *     host i --[rate, half the latency]--> switch --[half the latency, rate]--> host j
 *                                     \--> uplink of rack --> uplink of rack -/
 *
 * Terms   lane: one direction of a cable, which carries one frame after another. A host sends on
 *         its own lane, so when a frame leaves is known as soon as it is read; lanes into a host
 *         and between racks have several senders, and serve whoever arrives first.
 * Time    nanoseconds of CLOCK_MONOTONIC. A lane's times are those that the cable would give, never
 *         those at which this process woke: a late wake-up delays frames and loses no bandwidth.
 * Bytes   those of a real cable: a frame of up to 64 kB that the kernel would have cut into
 *         segments counts with each segment's headers, and takes 24 bytes more a segment
 *         (preamble, checksum, gap) of the lane's time.
 */
#ifndef TESTS_CLUSTER_SWITCH_H
#define TESTS_CLUSTER_SWITCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/status.h"

enum {
    SWITCH_PORTS = 65, /* the head and 64 hosts */
    SWITCH_RACKS = 16,
    SWITCH_FRAME_BYTES = 65536 + 128, /* the largest that a TAP hands over, with its header */
};

/* The bytes lie behind: a TAP's virtio_net_hdr, then Ethernet. */
struct frame {
    struct frame *next;
    int64_t arrival_ns; /* its last bit reaches the lane it waits for */
    size_t bytes, wire_bytes;
    size_t held; /* what the frame can hold */
    int source, target;
    unsigned char data[];
};

struct lane {
    double ns_per_byte; /* 0: no limit */
    int64_t latency_ns;
    int64_t free_ns; /* the end of the last frame it carried */
    struct frame *first, *last;
};

/* The end of a frame of `wire_bytes` that its only sender hands over now. */
int64_t lane_send(struct lane *l, int64_t now_ns, size_t wire_bytes);
/* Put a frame among those that wait, by arrival; equals keep their order. */
void lane_insert(struct lane *l, struct frame *f);
/* When the first that waits has crossed; INT64_MAX: none waits. */
int64_t lane_due(const struct lane *l);
/* Take the first, which has crossed. */
struct frame *lane_take(struct lane *l);

/* Segments that a frame stands for, its bytes with all their headers, its bytes on the cable. */
struct frame_cost {
    size_t segments, bytes, wire_bytes;
};
struct frame_cost frame_cost(const unsigned char *data, size_t bytes);

/* What the file says; see config.c. */
struct port_settings {
    double mbit_per_s, latency_us;
    unsigned loss_ppm;
    bool up;
    int rack;
};
struct settings {
    double overhead_us; /* what kernel and switch add by themselves; taken off each path */
    struct port_settings port[SWITCH_PORTS];
    struct {
        double mbit_per_s, latency_us;
    } uplink[SWITCH_RACKS];
};

/* Read `path`. On a bad line *out stays and the error names it. */
RT_NODISCARD rt_status settings_read(const char *path, int ports, struct settings *out);

struct port {
    pid_t pid; /* the host's first process */
    int fd;    /* the TAP */
    bool gone; /* the host has crashed */
    struct lane send, receive;
    size_t queued_bytes; /* of its frames, anywhere in the switch */
    /* as on the cable; dropped as the kernel hands them over, several segments at once */
    uint64_t sent_frames, sent_bytes, received_frames, received_bytes, dropped_frames;
};

struct ether {
    const char *dir;
    int ports;
    struct settings settings;
    struct port port[SWITCH_PORTS];
    struct lane rack_out[SWITCH_RACKS], rack_in[SWITCH_RACKS];
    struct frame *small, *large; /* unused ones */
    uint64_t random;
    long reads;   /* how often the settings have been read */
    bool refused; /* those last read; the ones before are in force */
};

/* namespaces.c: make the hosts and their TAPs, run `setup` NAME on each; then they write to `log`. */
RT_NODISCARD rt_status hosts_create(struct ether *e, char *const *setup, const char *log);

/* ether.c: frames from and to the TAPs. */
int64_t ether_now_ns(void);
void ether_apply(struct ether *e);                   /* the settings, to the lanes */
bool ether_wants(const struct ether *e, int source); /* may it be read now? */
void ether_read(struct ether *e, int source);
/* Move on what is due; returns when the next will be, INT64_MAX if none waits. */
int64_t ether_deliver(struct ether *e);

/* state.c: DIR/state.json, written whole or not at all. */
RT_NODISCARD rt_status state_write(const struct ether *e);

/* "head" is port 0, "n1" is port 1. */
void port_name(int port, char *out, size_t n);

#endif
