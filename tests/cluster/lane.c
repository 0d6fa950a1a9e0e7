/* tests/cluster/lane.c - the times of frames on one direction of a cable
 *
 *     end = max(start, end of the frame before) + bytes * time per byte
 *
 * Where several send into one lane, a frame arrives with its last bit from a cable as fast as this
 * one, so an idle lane adds nothing: end = max(arrival, end of the frame before + its own time).
 */
#include <linux/virtio_net.h>
#include <string.h>

#include "tests/cluster/switch.h"

enum {
    GAP_BYTES = 24, /* preamble 8, checksum 4, gap between frames 12 */
    LEAST_BYTES = 60,
};

static int64_t lane_time(const struct lane *l, size_t wire_bytes)
{
    return (int64_t)((double)wire_bytes * l->ns_per_byte);
}

int64_t lane_send(struct lane *l, int64_t now_ns, size_t wire_bytes)
{
    const int64_t start = l->free_ns > now_ns ? l->free_ns : now_ns;

    l->free_ns = start + lane_time(l, wire_bytes);
    return l->free_ns;
}

void lane_insert(struct lane *l, struct frame *f)
{
    if (l->last == NULL || l->last->arrival_ns <= f->arrival_ns) {
        f->next = NULL;
        if (l->last == NULL)
            l->first = f;
        else
            l->last->next = f;
        l->last = f;
        return;
    }
    struct frame **at = &l->first;
    while ((*at)->arrival_ns <= f->arrival_ns) at = &(*at)->next;
    f->next = *at;
    *at = f;
}

int64_t lane_due(const struct lane *l)
{
    if (l->first == NULL) return INT64_MAX;
    const int64_t end = l->free_ns + lane_time(l, l->first->wire_bytes);
    return end > l->first->arrival_ns ? end : l->first->arrival_ns;
}

struct frame *lane_take(struct lane *l)
{
    struct frame *f = l->first;

    l->free_ns = lane_due(l);
    l->first = f->next;
    if (l->first == NULL) l->last = NULL;
    return f;
}

struct frame_cost frame_cost(const unsigned char *data, size_t bytes)
{
    struct virtio_net_hdr h;
    struct frame_cost c = {.segments = 1, .bytes = bytes - sizeof h};

    memcpy(&h, data, sizeof h);
    if (h.gso_type != VIRTIO_NET_HDR_GSO_NONE && h.gso_size > 0 && c.bytes > h.hdr_len) {
        c.segments = (c.bytes - h.hdr_len + h.gso_size - 1) / h.gso_size;
        c.bytes += (c.segments - 1) * h.hdr_len;
    }
    if (c.bytes < LEAST_BYTES) c.bytes = LEAST_BYTES;
    c.wire_bytes = c.bytes + c.segments * GAP_BYTES;
    return c;
}
