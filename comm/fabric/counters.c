/* comm/fabric/counters.c - see counters.h */
#include "comm/fabric/counters.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { MOST_PORTS = 8, PMA_WORD_BYTES = 4, TYPE_LOOPBACK = 772 };

static const struct {
    const char *name, *meaning;
    bool trouble;
} counts[COMM_COUNTS] = {
    {"sent_bytes", "bytes sent", false},
    {"received_bytes", "bytes received", false},
    {"symbol_errors", "bit errors: cable, plug or transceiver", true},
    {"link_downed", "the link went down and came back", true},
    {"xmit_wait", "ticks with data but without credit: congestion ahead", false},
    {"discards", "packets thrown away when leaving", true},
    {"out_of_sequence", "packets lost or overtaken: loss, or several paths", true},
    {"timeouts", "no answer in time: loss or a slow peer", true},
    {"no_buffer", "nothing was posted to receive into", true},
    {"cnp_sent", "congestion was seen here and told to the sender", false},
    {"cnp_handled", "this side was told to slow down", false},
    {"ecn_marked", "packets that a switch marked for congestion", false},
    {"pause_frames", "pauses sent or received: a queue was full", false},
    {"errors", "errors of the interface", true},
};

/* One file may be one of several that add up to a count. */
struct source {
    const char *file;
    comm_count count;
    unsigned factor;
};

static const struct source of_rdma[] = {
    {"counters/port_xmit_data", COMM_COUNT_SENT_BYTES, PMA_WORD_BYTES},
    {"counters/port_rcv_data", COMM_COUNT_RECEIVED_BYTES, PMA_WORD_BYTES},
    {"counters/symbol_error", COMM_COUNT_SYMBOL_ERRORS, 1},
    {"counters/link_downed", COMM_COUNT_LINK_DOWNED, 1},
    {"counters/port_xmit_wait", COMM_COUNT_XMIT_WAIT, 1},
    {"counters/port_xmit_discards", COMM_COUNT_DISCARDS, 1},
    {"hw_counters/out_of_sequence", COMM_COUNT_OUT_OF_SEQUENCE, 1},
    {"hw_counters/packet_seq_err", COMM_COUNT_OUT_OF_SEQUENCE, 1},
    {"hw_counters/roce_adp_retrans", COMM_COUNT_TIMEOUTS, 1},
    {"hw_counters/local_ack_timeout_err", COMM_COUNT_TIMEOUTS, 1},
    {"hw_counters/rnr_nak_retry_err", COMM_COUNT_NO_BUFFER, 1},
    {"hw_counters/out_of_buffer", COMM_COUNT_NO_BUFFER, 1},
    {"hw_counters/np_cnp_sent", COMM_COUNT_CNP_SENT, 1},
    {"hw_counters/rp_cnp_handled", COMM_COUNT_CNP_HANDLED, 1},
    {"hw_counters/np_ecn_marked_roce_packets", COMM_COUNT_ECN_MARKED, 1},
    /* Broadcom */
    {"hw_counters/tx_cnp_pkts", COMM_COUNT_CNP_SENT, 1},
    {"hw_counters/rx_cnp_pkts", COMM_COUNT_CNP_HANDLED, 1},
    {"hw_counters/rx_ecn_marked_pkts", COMM_COUNT_ECN_MARKED, 1},
    {"hw_counters/rx_out_of_buffer", COMM_COUNT_NO_BUFFER, 1},
    /* Intel */
    {"hw_counters/cnpSent", COMM_COUNT_CNP_SENT, 1},
    {"hw_counters/cnpHandled", COMM_COUNT_CNP_HANDLED, 1},
    {"hw_counters/RxECNMrkd", COMM_COUNT_ECN_MARKED, 1},
    {"hw_counters/RetransSegs", COMM_COUNT_OUT_OF_SEQUENCE, 1},
};

static const struct source of_net[] = {
    {"statistics/tx_bytes", COMM_COUNT_SENT_BYTES, 1},
    {"statistics/rx_bytes", COMM_COUNT_RECEIVED_BYTES, 1},
    {"statistics/tx_dropped", COMM_COUNT_DISCARDS, 1},
    {"statistics/rx_missed_errors", COMM_COUNT_NO_BUFFER, 1},
    {"statistics/tx_errors", COMM_COUNT_ERRORS, 1},
    {"statistics/rx_errors", COMM_COUNT_ERRORS, 1},
};

/* What `ethtool -S` calls a pause frame, # a digit: mlx5, then Broadcom, then Intel. */
static const char *const pauses[] = {
    "rx_prio#_pause",         "tx_prio#_pause",         "rx_global_pause",
    "tx_global_pause",        "rx_pause_frames",        "tx_pause_frames",
    "rx_pfc_ena_frames_pri#", "tx_pfc_ena_frames_pri#", "rx_priority_#_xoff.nic",
    "tx_priority_#_xoff.nic", "link_xoff_rx.nic",       "link_xoff_tx.nic"};

const char *comm_count_name(comm_count c) { return counts[c].name; }
const char *comm_count_meaning(comm_count c) { return counts[c].meaning; }
bool comm_count_is_trouble(comm_count c) { return counts[c].trouble; }

static void add(struct comm_counters_port *p, comm_count c, uint64_t value)
{
    p->value[c] += value;
    p->known[c] = true;
}

static void read_sources(const struct comm_reader *r, const char *folder,
                         const struct source *sources, size_t count, struct comm_counters_port *p)
{
    for (size_t i = 0; i < count; i++) {
        char path[COMM_READER_PATH + 64], text[COMM_READER_LINE];
        long long v = 0;
        snprintf(path, sizeof path, "%s/%s", folder, sources[i].file);
        if (comm_reader_integer(r, path, 0, LLONG_MAX / PMA_WORD_BYTES, &v, text) == COMM_READ_OK)
            add(p, sources[i].count, (uint64_t)v * sources[i].factor);
    }
}

static bool fits(const char *pattern, const char *name)
{
    for (; *pattern != '\0'; pattern++, name++)
        if (*pattern == '#' ? !isdigit((unsigned char)*name) : *pattern != *name) return false;
    return *name == '\0';
}

static void take_pause(void *port, const char *name, uint64_t value)
{
    for (size_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++)
        if (fits(pauses[i], name)) add(port, COMM_COUNT_PAUSE_FRAMES, value);
}

static struct comm_counters_port *next_port(struct comm_counters *out, bool rdma)
{
    if (out->count == COMM_COUNTERS_PORTS) return NULL;
    struct comm_counters_port *p = &out->port[out->count++];
    *p = (struct comm_counters_port){.rdma = rdma};
    return p;
}

static void read_rdma(const struct comm_reader *r, struct comm_counters *out)
{
    comm_reader_name devices[COMM_COUNTERS_PORTS] = {{0}}, ports[MOST_PORTS] = {{0}};
    int count = comm_reader_names(r, "/sys/class/infiniband", devices, COMM_COUNTERS_PORTS);

    for (int d = 0; d < count && d < COMM_COUNTERS_PORTS; d++) {
        char folder[COMM_READER_PATH];
        snprintf(folder, sizeof folder, "/sys/class/infiniband/%.63s/ports", devices[d]);
        int there = comm_reader_names(r, folder, ports, MOST_PORTS);
        for (int i = 0; i < there && i < MOST_PORTS; i++) {
            struct comm_counters_port *p = strlen(ports[i]) < 4 ? next_port(out, true) : NULL;
            if (p == NULL) continue;
            snprintf(p->name, sizeof p->name, "%.63s:%.3s", devices[d], ports[i]);
            snprintf(folder, sizeof folder, "/sys/class/infiniband/%.63s/ports/%.3s", devices[d],
                     ports[i]);
            read_sources(r, folder, of_rdma, sizeof of_rdma / sizeof of_rdma[0], p);
        }
    }
}

static void read_nets(const struct comm_reader *r, struct comm_counters *out)
{
    comm_reader_name names[COMM_COUNTERS_PORTS] = {{0}};
    int count = comm_reader_names(r, "/sys/class/net", names, COMM_COUNTERS_PORTS);

    for (int i = 0; i < count && i < COMM_COUNTERS_PORTS; i++) {
        char folder[COMM_READER_PATH], path[COMM_READER_PATH], text[COMM_READER_LINE];
        long long type = 0;
        snprintf(path, sizeof path, "/sys/class/net/%.63s/type", names[i]);
        if (comm_reader_integer(r, path, 0, 0xffff, &type, text) != COMM_READ_OK ||
            type == TYPE_LOOPBACK)
            continue; /* the bonding driver's file has no type */
        struct comm_counters_port *p = next_port(out, false);
        if (p == NULL) return;
        snprintf(p->name, sizeof p->name, "%.63s", names[i]);
        snprintf(folder, sizeof folder, "/sys/class/net/%.63s", names[i]);
        read_sources(r, folder, of_net, sizeof of_net / sizeof of_net[0], p);
        if (r->statistics != NULL) r->statistics(r->context, names[i], take_pause, p);
    }
}

void comm_counters_read(const struct comm_reader *r, struct comm_counters *out)
{
    out->count = 0;
    read_rdma(r, out);
    read_nets(r, out);
}

static const struct comm_counters_port *find(const struct comm_counters *c, const char *name,
                                             bool rdma)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->port[i].rdma == rdma && strcmp(c->port[i].name, name) == 0) return &c->port[i];
    return NULL;
}

void comm_counters_difference(const struct comm_counters *before, const struct comm_counters *after,
                              struct comm_counters *out)
{
    size_t count = 0;
    for (size_t i = 0; i < after->count; i++) {
        const struct comm_counters_port *b = find(before, after->port[i].name, after->port[i].rdma);
        if (b == NULL) continue;
        struct comm_counters_port d = after->port[i];
        for (int c = 0; c < COMM_COUNTS; c++) {
            d.known[c] = d.known[c] && b->known[c] && d.value[c] >= b->value[c];
            d.value[c] = d.known[c] ? d.value[c] - b->value[c] : 0;
        }
        out->port[count++] = d;
    }
    out->count = count;
}

/* IPoIB's bytes are counted by both: the interface's word goes first. */
comm_carried comm_counters_carried(const struct comm_counters *moved, uint64_t bytes)
{
    uint64_t sum[2] = {0};

    for (size_t i = 0; i < moved->count; i++) {
        const struct comm_counters_port *p = &moved->port[i];
        uint64_t *to = &sum[p->rdma];
        if (p->known[COMM_COUNT_SENT_BYTES] && p->value[COMM_COUNT_SENT_BYTES] <= UINT64_MAX - *to)
            *to += p->value[COMM_COUNT_SENT_BYTES];
    }
    if (bytes == 0) return COMM_CARRIED_UNKNOWN;
    if (sum[false] >= bytes / 2 + bytes % 2) return COMM_CARRIED_TCP;
    return sum[true] >= bytes / 2 + bytes % 2 ? COMM_CARRIED_RDMA : COMM_CARRIED_UNKNOWN;
}
