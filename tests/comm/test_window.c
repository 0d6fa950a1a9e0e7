/* tests/comm/test_window.c - shared memory of a node: every place, flags, and places that are full
 *
 * test_window            the cases
 * test_window full       for window_full.sh: RECUA_WINDOW has 64 MB; 40 MB fit, 80 MB are refused
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "comm/window.h"
#include "runtime/log.h"
#include "runtime/memory.h"
#include "tests/check_mpi.h"

static void use(struct comm *g, int ranks_per_node, const char *place)
{
    const size_t n = 300001; /* no multiple of a page */
    struct comm_nodes *nodes = NULL;
    struct comm_window *w = NULL;

    if (!CHECK_OK(comm_nodes_create(g, ranks_per_node, &nodes))) return;
    if (CHECK_OK(comm_window_create(nodes, n * sizeof(int), 3, &w))) {
        int *data = comm_window_base(w);
        const size_t L = (size_t)nodes->local_size, l = (size_t)nodes->local_rank;
        CHECK(strcmp(comm_window_place(w), place) == 0);
        CHECK((uintptr_t)data % 4096 == 0);
        for (size_t i = l; i < n; i += L) {
            CHECK(data[i] == 0);
            data[i] = (int)(i + (size_t)(100 * nodes->node));
        }
        comm_window_signal(w, 1, 1);
        comm_window_await(w, 1, 1);
        CHECK(comm_window_reached(w, 1, 1) && !comm_window_reached(w, 1, 2));
        CHECK(!comm_window_reached(w, 0, 1) && comm_window_reached(w, 2, 0));
        for (size_t i = 0; i < n; i++) CHECK(data[i] == (int)(i + (size_t)(100 * nodes->node)));
    }
    comm_window_destroy(&w);
    comm_nodes_destroy(&nodes);
}

static void the_ranks_of_a_node_see_one_memory(struct comm *g)
{
    for (int k = 0; k <= comm_size(g) && k < 4; k++) use(g, k, "memfd");
}

static void recua_window_chooses_the_place(struct comm *g)
{
    static const char *const places[] = {"/dev/shm", "/tmp", "memfd"};

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        setenv("RECUA_WINDOW", places[i], 1);
        use(g, 2, places[i]);
    }
    unsetenv("RECUA_WINDOW");
}

/* Each rank in turn is the slowest; nobody passes a wait before it. */
static void a_wait_ends_when_the_slowest_has_signalled(struct comm *g)
{
    struct comm_nodes *nodes = NULL;
    struct comm_window *w = NULL;
    const uint64_t P = (uint64_t)comm_size(g), r = (uint64_t)comm_rank(g);

    if (!CHECK_OK(comm_nodes_create(g, 0, &nodes))) return;
    if (CHECK_OK(comm_window_create(nodes, 4096, 2, &w))) {
        uint64_t *count = comm_window_base(w);
        for (uint64_t t = 0; t < 200; t++) {
            if (t % P == r) count[0] = t; /* between the waits one rank writes alone */
            comm_window_signal(w, 0, t + 1);
            comm_window_await(w, 0, t + 1);
            CHECK(count[0] == t);
            comm_window_signal(w, 1, t + 1);
            comm_window_await(w, 1, t + 1);
        }
    }
    comm_window_destroy(&w);
    comm_nodes_destroy(&nodes);
}

static rt_status create(struct comm *g, size_t bytes)
{
    struct comm_nodes *nodes = NULL;
    struct comm_window *w = NULL;
    rt_status st = comm_nodes_create(g, 0, &nodes);

    if (CHECK_OK(st)) st = comm_window_create(nodes, bytes, 1, &w);
    CHECK((w != NULL) == (st == RT_OK));
    if (w != NULL) memset(comm_window_base(w), 1, bytes); /* no SIGBUS: it is all reserved */
    if (w != NULL) CHECK_OK(comm_barrier(g));
    comm_window_destroy(&w);
    comm_nodes_destroy(&nodes);
    return st;
}

static void a_place_that_is_not_is_refused(struct comm *g)
{
    setenv("RECUA_WINDOW", "/proc/no-such-place", 1);
    CHECK(create(g, 4096) == RT_ENOMEM);
    unsetenv("RECUA_WINDOW");
}

static void more_than_the_machine_has_is_refused(struct comm *g)
{
    CHECK(create(g, (size_t)1 << 50) == RT_ENOMEM);
}

static void files_as_large_as_allowed(struct comm *g)
{
    const struct rlimit small = {.rlim_cur = 1 << 20, .rlim_max = RLIM_INFINITY};
    struct rlimit before;

    if (!CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0)) return;
    if (!CHECK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = small.rlim_cur,
                                                        .rlim_max = before.rlim_max}) == 0))
        return;
    CHECK(create(g, 1 << 19) == RT_OK);
    CHECK(create(g, 1 << 21) == RT_ENOMEM);
    setrlimit(RLIMIT_FSIZE, &before);
}

/* One rank alone has the limit: reserving its part fails there, and all hear. */
static void one_rank_may_not_and_all_hear(struct comm *g)
{
    struct rlimit before;
    const bool last = comm_rank(g) == comm_size(g) - 1;

    if (!CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0)) return;
    if (last)
        CHECK(setrlimit(RLIMIT_FSIZE,
                        &(struct rlimit){.rlim_cur = 1 << 20, .rlim_max = before.rlim_max}) == 0);
    CHECK(create(g, 1 << 23) == RT_ENOMEM);
    if (last) setrlimit(RLIMIT_FSIZE, &before);
    CHECK(create(g, 1 << 23) == RT_OK);
}

static int full(int argc, char **argv)
{
    struct comm *world = NULL;
    int bad = 0;

    if (comm_init(&argc, &argv, &world) != RT_OK) return 1;
    CHECK(create(world, 40u << 20) == RT_OK);
    CHECK(create(world, 80u << 20) == RT_ENOMEM);
    CHECK(create(world, 40u << 20) == RT_OK); /* nothing was left behind */
    bad = comm_agree(world, check_failures ? RT_EINVAL : RT_OK) != RT_OK;
    comm_finish(&world);
    return bad;
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"the ranks of a node see one memory", the_ranks_of_a_node_see_one_memory},
        {"RECUA_WINDOW chooses the place", recua_window_chooses_the_place},
        {"a wait ends when the slowest has signalled", a_wait_ends_when_the_slowest_has_signalled},
        {"a place that is not is refused", a_place_that_is_not_is_refused},
        {"more than the machine has is refused", more_than_the_machine_has_is_refused},
        {"files as large as ulimit -f allows", files_as_large_as_allowed},
        {"one rank may not make it and all hear", one_rank_may_not_and_all_hear},
        {NULL, NULL},
    };
    if (argc == 2 && strcmp(argv[1], "full") == 0) return full(argc, argv);
    return check_mpi_main(argc, argv, cases);
}
