/* tests/cluster/test_lane.c - when frames leave and arrive; worked out by hand, 8 ns a byte */
#include <linux/virtio_net.h>
#include <string.h>

#include "tests/check.h"
#include "tests/cluster/switch.h"

static void a_lane_carries_one_frame_after_another(void)
{
    struct lane l = {.ns_per_byte = 8};

    CHECK(lane_send(&l, 1000, 100) == 1800);
    CHECK(lane_send(&l, 1000, 100) == 2600); /* behind the first */
    CHECK(lane_send(&l, 5000, 100) == 5800); /* the lane was idle */
    l.ns_per_byte = 0;
    CHECK(lane_send(&l, 6000, 1 << 20) == 6000);
}

/* Three frames arrive together, and are taken long after they were due: each ends where the cable
 * would have ended it, and the next one is not late. */
static void a_late_wake_up_loses_no_time(void)
{
    struct lane l = {.ns_per_byte = 8};
    struct frame a = {.arrival_ns = 1000, .wire_bytes = 1000}, b = {0}, c = {0};

    b.arrival_ns = c.arrival_ns = a.arrival_ns;
    b.wire_bytes = c.wire_bytes = a.wire_bytes;
    CHECK(lane_due(&l) == INT64_MAX);
    lane_insert(&l, &a);
    lane_insert(&l, &b);
    lane_insert(&l, &c);
    l.free_ns = 500;
    CHECK(lane_due(&l) == 8500);
    CHECK(lane_take(&l) == &a && l.free_ns == 8500);
    CHECK(lane_due(&l) == 16500);
    CHECK(lane_take(&l) == &b && lane_take(&l) == &c);
    CHECK(l.free_ns == 24500 && l.first == NULL && l.last == NULL);
}

/* One sender's long queue does not keep back the frame of another that arrives before it. */
static void who_arrives_first_is_served_first(void)
{
    struct lane l = {.ns_per_byte = 8};
    struct frame late = {.arrival_ns = 90000, .wire_bytes = 10},
                 early = {.arrival_ns = 2000, .wire_bytes = 10},
                 equal = {.arrival_ns = 2000, .wire_bytes = 10},
                 between = {.arrival_ns = 5000, .wire_bytes = 10};

    lane_insert(&l, &late);
    lane_insert(&l, &early);
    lane_insert(&l, &between);
    lane_insert(&l, &equal);
    CHECK(lane_due(&l) == 2000);
    CHECK(lane_take(&l) == &early && lane_take(&l) == &equal && lane_take(&l) == &between);
    CHECK(lane_due(&l) == 90000 && l.last == &late);
    CHECK(lane_take(&l) == &late && l.free_ns == 90000);
}

static struct frame_cost cost_of(size_t ethernet_bytes, unsigned header, unsigned segment)
{
    unsigned char data[sizeof(struct virtio_net_hdr)];
    struct virtio_net_hdr h = {.hdr_len = (uint16_t)header, .gso_size = (uint16_t)segment};

    h.gso_type = segment > 0 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_NONE;
    memcpy(data, &h, sizeof h);
    return frame_cost(data, sizeof h + ethernet_bytes);
}

static void a_large_frame_costs_what_its_segments_cost(void)
{
    const struct frame_cost plain = cost_of(1514, 0, 0), least = cost_of(42, 0, 0);
    const struct frame_cost whole = cost_of(66 + 3 * 8948, 66, 8948);
    const struct frame_cost more = cost_of(66 + 3 * 8948 + 1, 66, 8948);

    CHECK(plain.segments == 1 && plain.bytes == 1514 && plain.wire_bytes == 1538);
    CHECK(least.segments == 1 && least.bytes == 60 && least.wire_bytes == 84);
    CHECK(whole.segments == 3 && whole.bytes == 3 * 9014 && whole.wire_bytes == 3 * 9038);
    CHECK(more.segments == 4 && more.bytes == 3 * 9014 + 67 && more.wire_bytes == 3 * 9038 + 91);
}

int main(void)
{
    a_lane_carries_one_frame_after_another();
    a_late_wake_up_loses_no_time();
    who_arrives_first_is_served_first();
    a_large_frame_costs_what_its_segments_cost();
    return check_failures != 0;
}
