/* tests/cluster/test_nodes.c - on emulated hosts each is a node, and data crosses between them
 *
 * Started by hosts.sh with two ranks on each of four hosts.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/check_mpi.h"

enum { NAME_BYTES = 64, DATA_BYTES = 1 << 20 };

/* A node for each host name, and as many ranks on this one as bear its name. */
static void each_host_is_a_node(struct comm *g)
{
    const int P = comm_size(g);
    char mine[NAME_BYTES] = {0}, *all = calloc((size_t)P, NAME_BYTES);
    struct comm_nodes *n = NULL;
    int names = 0, here = 0;

    if (!CHECK(all != NULL)) return;
    CHECK(gethostname(mine, NAME_BYTES - 1) == 0);
    CHECK_OK(comm_allgather(g, mine, all, NAME_BYTES));
    for (int r = 0; r < P; r++) {
        bool seen = false;
        for (int q = 0; q < r; q++)
            seen = seen || strcmp(all + q * NAME_BYTES, all + r * NAME_BYTES) == 0;
        names += seen ? 0 : 1;
        here += strcmp(all + r * NAME_BYTES, mine) == 0 ? 1 : 0;
    }
    if (P == 8) CHECK(names == 4);
    if (CHECK_OK(comm_nodes_create(g, 0, &n)))
        CHECK(n->nodes == names && n->local_size == here && comm_size(n->local) == here);
    comm_nodes_destroy(&n);
    free(all);
}

static void bytes_cross_between_hosts(struct comm *g)
{
    unsigned char *data = malloc(DATA_BYTES);

    if (!CHECK(data != NULL)) return;
    for (int root = 0; root < comm_size(g); root++) {
        size_t wrong = 0;
        memset(data, comm_rank(g) == root ? 3 + root : 0, DATA_BYTES);
        CHECK_OK(comm_bcast(g, root, data, DATA_BYTES));
        for (size_t i = 0; i < DATA_BYTES; i++) wrong += data[i] != 3 + root;
        CHECK(wrong == 0);
    }
    free(data);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"each host is a node", each_host_is_a_node},
        {"bytes cross between hosts", bytes_cross_between_hosts},
        {NULL, NULL},
    };
    return check_mpi_main(argc, argv, cases);
}
