/* tests/comm/test_launch.c - what launch.sh starts: says its rank, or aborts when told so */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/comm.h"

int main(int argc, char **argv)
{
    struct comm *world = NULL;
    rt_status st = comm_init(&argc, &argv, &world);
    const char *copy = getenv("OMPI_MCA_btl_vader_single_copy_mechanism");

    if (st != RT_OK) return rt_status_exit(st);
    printf("rank %d of %d, %s, single copy %s\n", comm_rank(world), comm_size(world),
           comm_library(world), copy == NULL ? "unset" : copy);
    fflush(stdout);
    if (argc == 2 && strcmp(argv[1], "abort") == 0) {
        if (comm_rank(world) == 1) {
            printf("abort\n");
            fflush(stdout);
            comm_abort(world, 70);
        }
        st = comm_barrier(world); /* does not return: rank 1 ends it */
    }
    comm_finish(&world);
    return rt_status_exit(st);
}
