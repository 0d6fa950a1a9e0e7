/* tests/comm/fabric/test_counters.c - comm/fabric/counters.h on recorded counters
 *
 *     test_counters FOLDER    holds before.txt and after.txt (tree.h)
 */
#include "comm/fabric/counters.h"

#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "tests/comm/fabric/tree.h"

static const struct comm_counters_port *port(const struct comm_counters *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->port[i].name, name) == 0) return &c->port[i];
    return NULL;
}

/* -1: unknown. */
static long long value(const struct comm_counters *c, const char *name, comm_count count)
{
    const struct comm_counters_port *p = port(c, name);

    if (!CHECK(p != NULL)) return -2;
    CHECK(p->known[count] || p->value[count] == 0);
    return p->known[count] ? (long long)p->value[count] : -1;
}

static int pauses(void *context, const char *interface, comm_reader_take *take, void *taker)
{
    (void)context;
    if (strcmp(interface, "eth0") != 0) return -95;
    take(taker, "rx_prio3_pause", 3);
    take(taker, "tx_prio3_pause", 4);
    take(taker, "rx_prio3_pause_duration", 1000);
    take(taker, "rx_prioX_pause", 1000);
    take(taker, "rx_packets", 1000);
    take(taker, "rx_pfc_ena_frames_pri7", 10);
    take(taker, "tx_priority_0_xoff.nic", 20);
    take(taker, "rx_prio", 1000);
    return 0;
}

static void read_one(const char *folder, const char *name, struct comm_counters *out)
{
    char path[1024];

    snprintf(path, sizeof path, "%s/%s.txt", folder, name);
    struct tree *t = tree_load(path);
    if (!CHECK(t != NULL)) exit(1);
    struct comm_reader r = tree_reader(t);
    if (strcmp(name, "after") == 0) r.statistics = pauses;
    comm_counters_read(&r, out);
    tree_destroy(&t);
}

static void a_snapshot_is_what_stands_there(const struct comm_counters *c)
{
    CHECK(c->count == 5); /* three ports, two interfaces; neither lo nor bonding_masters */
    CHECK(value(c, "mlx5_0:1", COMM_COUNT_SENT_BYTES) == 4000);
    CHECK(value(c, "mlx5_0:1", COMM_COUNT_RECEIVED_BYTES) == 8000);
    CHECK(value(c, "mlx5_0:1", COMM_COUNT_SYMBOL_ERRORS) == 5);
    CHECK(value(c, "mlx5_0:1", COMM_COUNT_LINK_DOWNED) == 0);
    CHECK(value(c, "mlx5_0:1", COMM_COUNT_DISCARDS) == -1);       /* cannot be read */
    CHECK(value(c, "mlx5_0:1", COMM_COUNT_TIMEOUTS) == -1);       /* no number */
    CHECK(value(c, "mlx5_0:1", COMM_COUNT_OUT_OF_SEQUENCE) == 2); /* two files */
    CHECK(value(c, "mlx5_0:1", COMM_COUNT_PAUSE_FRAMES) == -1);
    CHECK(value(c, "bnxt_re0:1", COMM_COUNT_CNP_SENT) == 10);
    CHECK(value(c, "bnxt_re0:1", COMM_COUNT_CNP_HANDLED) == 20);
    CHECK(value(c, "bnxt_re0:1", COMM_COUNT_SENT_BYTES) == -1);
    CHECK(value(c, "irdma0:1", COMM_COUNT_ECN_MARKED) == 40);
    CHECK(value(c, "irdma0:1", COMM_COUNT_CNP_HANDLED) == -1); /* too large a number */
    CHECK(value(c, "eth0", COMM_COUNT_SENT_BYTES) == 5000);
    CHECK(!port(c, "eth0")->rdma && port(c, "mlx5_0:1")->rdma);
}

static void a_difference_is_what_moved(const struct comm_counters *before,
                                       const struct comm_counters *after)
{
    static struct comm_counters d;

    comm_counters_difference(before, after, &d);
    CHECK(d.count == 4 && port(&d, "eth1") == NULL && port(&d, "eth2") == NULL);
    CHECK(value(&d, "mlx5_0:1", COMM_COUNT_SENT_BYTES) == 4000000);
    CHECK(value(&d, "mlx5_0:1", COMM_COUNT_RECEIVED_BYTES) == 2000000);
    CHECK(value(&d, "mlx5_0:1", COMM_COUNT_SYMBOL_ERRORS) == 0);
    CHECK(value(&d, "mlx5_0:1", COMM_COUNT_XMIT_WAIT) == 2);
    CHECK(value(&d, "mlx5_0:1", COMM_COUNT_OUT_OF_SEQUENCE) == 6);
    CHECK(value(&d, "mlx5_0:1", COMM_COUNT_CNP_SENT) == 60);
    CHECK(value(&d, "mlx5_0:1", COMM_COUNT_ECN_MARKED) == 600);
    CHECK(value(&d, "irdma0:1", COMM_COUNT_OUT_OF_SEQUENCE) == 5);
    CHECK(value(&d, "eth0", COMM_COUNT_SENT_BYTES) == -1); /* went back */
    CHECK(value(&d, "eth0", COMM_COUNT_RECEIVED_BYTES) == 1000);
    CHECK(value(&d, "eth0", COMM_COUNT_ERRORS) == 2);
    CHECK(value(&d, "eth0", COMM_COUNT_PAUSE_FRAMES) == -1); /* not known before */
    CHECK(value(after, "eth0", COMM_COUNT_PAUSE_FRAMES) == 37);

    CHECK(comm_counters_carried(&d, 4000000) == COMM_CARRIED_RDMA);
    CHECK(comm_counters_carried(&d, 8000000) == COMM_CARRIED_RDMA);
    CHECK(comm_counters_carried(&d, 8000001) == COMM_CARRIED_UNKNOWN);
    CHECK(comm_counters_carried(&d, 0) == COMM_CARRIED_UNKNOWN);
    /* IPoIB: both count, so it was TCP. */
    struct comm_counters_port *net = &d.port[d.count - 1];
    CHECK(!net->rdma);
    net->known[COMM_COUNT_SENT_BYTES] = true;
    net->value[COMM_COUNT_SENT_BYTES] = 3900000;
    CHECK(comm_counters_carried(&d, 4000000) == COMM_CARRIED_TCP);
}

static void every_count_has_its_words(void)
{
    for (int c = 0; c < COMM_COUNTS; c++) {
        const char *name = comm_count_name((comm_count)c);
        CHECK(name != NULL && strspn(name, "abcdefghijklmnopqrstuvwxyz_") == strlen(name));
        CHECK(comm_count_meaning((comm_count)c) != NULL);
        for (int k = 0; k < c; k++) CHECK(strcmp(name, comm_count_name((comm_count)k)) != 0);
    }
    CHECK(comm_count_is_trouble(COMM_COUNT_SYMBOL_ERRORS));
    CHECK(!comm_count_is_trouble(COMM_COUNT_SENT_BYTES));
}

/* Whatever this machine has, it can be read, and does not go back. */
static void this_machine_can_be_read(void)
{
    static struct comm_counters before, after;
    const struct comm_reader r = comm_reader_at("");

    comm_counters_read(&r, &before);
    comm_counters_read(&r, &after);
    comm_counters_difference(&before, &after, &after);
    CHECK(after.count == before.count && before.count <= COMM_COUNTERS_PORTS);
}

int main(int argc, char **argv)
{
    static struct comm_counters before, after;

    if (argc != 2) return 2;
    read_one(argv[1], "before", &before);
    read_one(argv[1], "after", &after);
    a_snapshot_is_what_stands_there(&before);
    a_difference_is_what_moved(&before, &after);
    every_count_has_its_words();
    this_machine_can_be_read();
    return check_failures > 0;
}
