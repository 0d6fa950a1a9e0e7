/* tests/comm/test_large.c - a unit of more than 2^31 elements, in chunks and in messages that have
 * to be cut
 *
 * Memory that was never written costs nothing, so only what is received takes space: 2 GB a rank.
 */
#include <sys/mman.h>

#include "comm/exchange.h"
#include "tests/check.h"

enum { RANKS = 2, MARKS = 5 };

static const size_t slice = ((size_t)1 << 30) + 77;

/* Places in a slice: its ends, and where 2^31 bytes and 2^30 elements are passed. */
static size_t mark(int i)
{
    const size_t half = (size_t)1 << 29, most = (size_t)1 << 30;
    const size_t marks[MARKS] = {0, half, most - 1, most, slice - 1};
    return marks[i];
}

static void gather(struct comm *world, size_t chunk_bytes)
{
    const size_t bytes = RANKS * slice * sizeof(rt_bf16), rank = (size_t)comm_rank(world);
    const struct comm_exchange_options o = {.gather = "direct",
                                            .flat = true,
                                            .slice_max = slice,
                                            .ops = 1u << COMM_GATHER,
                                            .gathering = 1,
                                            .chunk_bytes = chunk_bytes,
                                            .vector = &rt_vector_ref};
    struct comm_nodes *nodes = NULL;
    struct comm_exchange *x = NULL;
    comm_ticket t;
    rt_bf16 *unit = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (!CHECK(unit != MAP_FAILED)) return;
    CHECK(RANKS * slice > (size_t)1 << 31);
    for (int i = 0; i < MARKS; i++)
        unit[rank * slice + mark(i)] = (rt_bf16)(100 * rank + 1 + (size_t)i);
    CHECK_OK(comm_nodes_create(world, 1, &nodes));
    if (CHECK_OK(comm_exchange_create(nodes, &o, &x))) {
        const struct comm_gather g = {.unit = unit, .slice = slice, .type = RT_BF16, .name = 0};
        if (CHECK_OK(comm_gather_post(x, &g, &t))) CHECK_OK(comm_exchange_wait(x, t));
        for (size_t r = 0; r < RANKS; r++)
            for (int i = 0; i < MARKS; i++) {
                const rt_bf16 *at = unit + r * slice + mark(i);
                CHECK(*at == 100 * r + 1 + (size_t)i);
                CHECK(i == MARKS - 1 || at[1] == (i == 2 ? 100 * r + 4 : 0));
            }
    }
    comm_exchange_destroy(&x);
    comm_nodes_destroy(&nodes);
    munmap(unit, bytes);
}

int main(int argc, char **argv)
{
    struct comm *world = NULL;

    if (comm_init(&argc, &argv, &world) != RT_OK) return 1;
    if (CHECK(comm_size(world) == RANKS)) {
        gather(world, 0);
        gather(world, (size_t)8 << 30); /* one chunk: every message has to be cut */
    }
    const int bad = comm_agree(world, check_failures ? RT_EINVAL : RT_OK) != RT_OK;
    if (comm_rank(world) == 0)
        printf("%s  units of more than 2^31 elements\n", bad ? "FAIL" : "ok  ");
    comm_finish(&world);
    return bad;
}
