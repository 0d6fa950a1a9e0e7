/* tests/comm/test_pml.c - comm/fabric_pml.h: started with each pml, what MPI says it uses
 *
 *     test_pml EXPECTED    tcp, ucx or unknown
 */
#include "comm/fabric_pml.h"

#include <stdlib.h>
#include <string.h>

#include "comm/comm.h"
#include "tests/check.h"

static void only_a_promise_can_be_broken(void)
{
    struct comm_fabric *f = calloc(1, sizeof *f);

    if (!CHECK(f != NULL)) return;
    for (int k = COMM_FABRIC_NONE; k <= COMM_FABRIC_INFINIBAND; k++) {
        f->kind = (comm_fabric_kind)k;
        CHECK(comm_pml_fell_back(f, COMM_PML_TCP) == (k >= COMM_FABRIC_ROCE_V1));
        CHECK(!comm_pml_fell_back(f, COMM_PML_UCX) && !comm_pml_fell_back(f, COMM_PML_UNKNOWN));
    }
    f->off = true;
    CHECK(!comm_pml_fell_back(f, COMM_PML_TCP));
    free(f);
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"unknown", "tcp", "rdma", "ucx", "cm"};
    struct comm *world = NULL;

    if (comm_init(&argc, &argv, &world) != RT_OK) return 1;
    only_a_promise_can_be_broken();
    const char *used = names[comm_pml_read()];
    CHECK(argc == 2 && strcmp(used, argv[1]) == 0);
    if (check_failures > 0) printf("MPI uses %s\n", used);
    comm_finish(&world);
    return check_failures > 0;
}
