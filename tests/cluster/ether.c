/* tests/cluster/ether.c - frames from the hosts' TAPs through the lanes into the hosts' TAPs
 *
 * A host's address is 02:00:00:00:00:PORT, so the sixth byte says where a frame goes; one to a
 * group address goes to everybody.
 */
#include "tests/cluster/switch.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/log.h"

enum {
    SMALL_BYTES = 2048,
    READ_AT_ONCE = 16,
    QUEUE_BYTES = 32 << 20, /* of one sender; then it is not read, and its kernel's queue fills */
    HEADER_BYTES = (int)sizeof(struct virtio_net_hdr),
};

int64_t ether_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void port_name(int port, char *out, size_t n)
{
    if (port == 0)
        snprintf(out, n, "head");
    else
        snprintf(out, n, "n%d", port);
}

static void lane_set(struct lane *l, double mbit_per_s, double latency_us)
{
    l->ns_per_byte = mbit_per_s > 0 ? 8000 / mbit_per_s : 0;
    l->latency_ns = (int64_t)(latency_us * 1000);
}

void ether_apply(struct ether *e)
{
    const struct settings *s = &e->settings;

    for (int i = 0; i < e->ports; i++) {
        lane_set(&e->port[i].send, s->port[i].mbit_per_s, s->port[i].latency_us / 2);
        lane_set(&e->port[i].receive, s->port[i].mbit_per_s, s->port[i].latency_us / 2);
    }
    for (int r = 0; r < SWITCH_RACKS; r++) {
        lane_set(&e->rack_out[r], s->uplink[r].mbit_per_s, s->uplink[r].latency_us);
        lane_set(&e->rack_in[r], s->uplink[r].mbit_per_s, s->uplink[r].latency_us);
    }
}

/* A frame that holds `bytes`; NULL: no memory, and the frame is lost as in a full switch. */
static struct frame *frame_get(struct ether *e, size_t bytes)
{
    const bool small = bytes <= SMALL_BYTES;
    const size_t held = small ? SMALL_BYTES : SWITCH_FRAME_BYTES;
    struct frame **pool = small ? &e->small : &e->large, *f = *pool;

    if (f != NULL) {
        *pool = f->next;
        return f;
    }
    f = malloc(sizeof *f + held);
    if (f != NULL) f->held = held;
    return f;
}

static void frame_put(struct ether *e, struct frame *f)
{
    struct frame **pool = f->held == SMALL_BYTES ? &e->small : &e->large;

    f->next = *pool;
    *pool = f;
}

static bool is_lost(struct ether *e, unsigned loss_ppm)
{
    if (loss_ppm == 0) return false;
    e->random ^= e->random << 13; /* xorshift, Marsaglia 2003 */
    e->random ^= e->random >> 7;
    e->random ^= e->random << 17;
    return e->random % 1000000 < loss_ppm;
}

/* What a path of this latency still has to wait, of what it has without being asked. */
static int64_t without_overhead(const struct ether *e, int64_t latency_ns)
{
    const int64_t overhead_ns = (int64_t)(e->settings.overhead_us * 1000);
    return latency_ns > overhead_ns ? latency_ns - overhead_ns : 0;
}

/* A frame whose last bit leaves its sender at end_ns goes to the next lane, or is lost. */
static void send_frame(struct ether *e, struct frame *f, int target, int64_t end_ns)
{
    const struct port_settings *from = &e->settings.port[f->source],
                               *to = &e->settings.port[target];
    struct port *p = &e->port[f->source];

    if (!to->up || e->port[target].gone || is_lost(e, from->loss_ppm) || is_lost(e, to->loss_ppm)) {
        p->dropped_frames++;
        frame_put(e, f);
        return;
    }
    f->target = target;
    p->queued_bytes += f->bytes;
    if (from->rack != to->rack) {
        f->arrival_ns = end_ns + p->send.latency_ns;
        lane_insert(&e->rack_out[from->rack], f);
        return;
    }
    struct lane *receive = &e->port[target].receive;
    f->arrival_ns = end_ns + without_overhead(e, p->send.latency_ns + receive->latency_ns);
    lane_insert(receive, f);
}

static void send_to_all(struct ether *e, const struct frame *f, int64_t end_ns)
{
    for (int i = 0; i < e->ports; i++) {
        struct frame *copy = i == f->source ? NULL : frame_get(e, f->bytes);
        if (copy == NULL) continue;
        memcpy(copy->data, f->data, f->bytes);
        copy->bytes = f->bytes;
        copy->wire_bytes = f->wire_bytes;
        copy->source = f->source;
        send_frame(e, copy, i, end_ns);
    }
}

/* f, which is given away, has been read from `source`. */
static void forward(struct ether *e, int source, struct frame *f)
{
    const struct frame_cost cost = frame_cost(f->data, f->bytes);
    const unsigned char *address = f->data + HEADER_BYTES;
    struct port *from = &e->port[source];
    const int64_t end_ns = lane_send(&from->send, ether_now_ns(), cost.wire_bytes);

    f->source = source;
    f->wire_bytes = cost.wire_bytes;
    from->sent_frames += cost.segments;
    from->sent_bytes += cost.bytes;
    if ((address[0] & 1) != 0) {
        send_to_all(e, f, end_ns);
        frame_put(e, f);
    } else if (address[0] == 2 && address[5] < e->ports && address[5] != source &&
               e->settings.port[source].up) {
        send_frame(e, f, address[5], end_ns);
    } else {
        from->dropped_frames++;
        frame_put(e, f);
    }
}

/* A large frame with little in it goes back, so that many short frames hold little memory. */
static struct frame *fitted(struct ether *e, struct frame *f)
{
    if (f->bytes > SMALL_BYTES) return f;
    struct frame *small = frame_get(e, f->bytes);
    if (small == NULL) return f;
    memcpy(small->data, f->data, f->bytes);
    small->bytes = f->bytes;
    frame_put(e, f);
    return small;
}

void ether_read(struct ether *e, int source)
{
    struct port *p = &e->port[source];

    for (int k = 0; k < READ_AT_ONCE; k++) {
        struct frame *f = frame_get(e, SWITCH_FRAME_BYTES);
        if (f == NULL) return;
        const ssize_t n = read(p->fd, f->data, SWITCH_FRAME_BYTES);
        if (n < HEADER_BYTES + 14) { /* no whole Ethernet header: nothing there, or no device */
            p->gone = n < 0 && errno != EAGAIN && errno != EINTR;
            frame_put(e, f);
            return;
        }
        f->bytes = (size_t)n;
        forward(e, source, fitted(e, f));
    }
}

bool ether_wants(const struct ether *e, int source)
{
    return !e->port[source].gone && e->port[source].queued_bytes < QUEUE_BYTES;
}

static void into_host(struct ether *e, struct frame *f)
{
    struct port *to = &e->port[f->target], *from = &e->port[f->source];
    const struct frame_cost cost = frame_cost(f->data, f->bytes);

    from->queued_bytes -= f->bytes;
    if (!e->settings.port[f->target].up || to->gone ||
        write(to->fd, f->data, f->bytes) != (ssize_t)f->bytes) {
        from->dropped_frames++;
    } else {
        to->received_frames += cost.segments;
        to->received_bytes += cost.bytes;
    }
    frame_put(e, f);
}

/* Lanes in the order in which frames cross them, so that one pass moves all that is due. */
int64_t ether_deliver(struct ether *e)
{
    const int64_t now = ether_now_ns();
    int64_t next = INT64_MAX;

    for (int r = 0; r < SWITCH_RACKS; r++)
        while (lane_due(&e->rack_out[r]) <= now) {
            struct frame *f = lane_take(&e->rack_out[r]);
            struct lane *in = &e->rack_in[e->settings.port[f->target].rack];
            f->arrival_ns = e->rack_out[r].free_ns + e->rack_out[r].latency_ns;
            lane_insert(in, f);
        }
    for (int r = 0; r < SWITCH_RACKS; r++)
        while (lane_due(&e->rack_in[r]) <= now) {
            struct frame *f = lane_take(&e->rack_in[r]);
            struct lane *receive = &e->port[f->target].receive;
            const int64_t rest = e->rack_in[r].latency_ns + receive->latency_ns;
            f->arrival_ns = e->rack_in[r].free_ns + without_overhead(e, rest);
            lane_insert(receive, f);
        }
    for (int i = 0; i < e->ports; i++) {
        struct lane *l = &e->port[i].receive;
        while (lane_due(l) <= now) into_host(e, lane_take(l));
        if (lane_due(l) < next) next = lane_due(l);
    }
    for (int r = 0; r < SWITCH_RACKS; r++) {
        if (lane_due(&e->rack_out[r]) < next) next = lane_due(&e->rack_out[r]);
        if (lane_due(&e->rack_in[r]) < next) next = lane_due(&e->rack_in[r]);
    }
    return next;
}
