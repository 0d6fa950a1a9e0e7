/* tests/comm/fabric/test_place.c - comm/fabric/place.h: what launchers say; and that settings go
 * into the environment, never over what is there */
#include "comm/fabric/place.h"

#include <stdlib.h>
#include <string.h>

#include "comm/fabric/fabric.h"
#include "tests/check.h"

/* context: NAME=VALUE, NULL ends them. */
static const char *env(void *context, const char *name)
{
    size_t n = strlen(name);

    for (const char *const *at = context; *at != NULL; at++)
        if (strncmp(*at, name, n) == 0 && (*at)[n] == '=') return *at + n + 1;
    return NULL;
}

static void expect(const char **variables, int rank, int ranks, int local_rank, int local_ranks,
                   int nodes)
{
    const struct comm_reader r = {.env = env, .context = variables};
    struct comm_location p;

    comm_location_read(&r, &p);
    if (!CHECK(p.rank == rank && p.ranks == ranks && p.local_rank == local_rank &&
               p.local_ranks == local_ranks && p.nodes == nodes))
        printf("%s: %d %d %d %d %d\n", variables[0] != NULL ? variables[0] : "alone", p.rank,
               p.ranks, p.local_rank, p.local_ranks, p.nodes);
}

#define ENV(...) ((const char *[]){__VA_ARGS__, NULL})

static void launchers_say_where_a_rank_is(void)
{
    expect((const char *[]){NULL}, -1, 0, -1, 0, 1);
    expect(ENV("OMPI_COMM_WORLD_SIZE=2", "OMPI_COMM_WORLD_RANK=1", "OMPI_COMM_WORLD_LOCAL_RANK=1",
               "OMPI_COMM_WORLD_LOCAL_SIZE=2"),
           1, 2, 1, 2, 1);
    /* mpirun inside a Slurm job: Slurm's variables are its daemon's. */
    expect(ENV("OMPI_COMM_WORLD_SIZE=20", "OMPI_COMM_WORLD_RANK=9", "OMPI_COMM_WORLD_LOCAL_RANK=1",
               "OMPI_COMM_WORLD_LOCAL_SIZE=8", "SLURM_PROCID=1", "SLURM_LOCALID=0",
               "SLURM_STEP_NUM_TASKS=3", "SLURM_STEP_NUM_NODES=3"),
           9, 20, 1, 8, 3);
    expect(ENV("MPI_LOCALNRANKS=4", "MPI_LOCALRANKID=3", "PMI_RANK=7", "PMI_SIZE=8"), 7, 8, 3, 4,
           2);
    expect(ENV("SLURM_PROCID=25", "SLURM_STEP_NUM_TASKS=28", "SLURM_LOCALID=1", "SLURM_NODEID=3",
               "SLURM_STEP_TASKS_PER_NODE=8(x3),4", "SLURM_STEP_NUM_NODES=4"),
           25, 28, 1, 4, 4);
    expect(ENV("SLURM_PROCID=0", "SLURM_STEP_NUM_TASKS=2", "SLURM_LOCALID=0",
               "SLURM_STEP_TASKS_PER_NODE=2", "SLURM_STEP_NUM_NODES=1"),
           0, 2, 0, 2, 1);
    /* A batch script is a step of one that names no tasks. */
    expect(ENV("SLURM_PROCID=0", "SLURM_LOCALID=0", "SLURM_NTASKS=64"), 0, 0, 0, 0, 1);
}

static void nonsense_is_unknown(void)
{
    expect(ENV("OMPI_COMM_WORLD_SIZE=many", "OMPI_COMM_WORLD_RANK=-1",
               "OMPI_COMM_WORLD_LOCAL_RANK=99999999999999999999", "OMPI_COMM_WORLD_LOCAL_SIZE=0"),
           -1, 0, -1, 0, 1);
    expect(ENV("SLURM_PROCID=1", "SLURM_STEP_NUM_TASKS=4x", "SLURM_LOCALID=2",
               "SLURM_STEP_TASKS_PER_NODE=2(x", "SLURM_STEP_NUM_NODES=2"),
           1, 0, 2, 0, 2);
    expect(ENV("SLURM_PROCID=1", "SLURM_STEP_TASKS_PER_NODE=,2", "SLURM_NODEID=9"), 1, 0, -1, 0, 1);
    /* More local ranks than are said to be here. */
    expect(ENV("SLURM_PROCID=5", "SLURM_STEP_NUM_TASKS=6", "SLURM_LOCALID=4", "SLURM_NODEID=0",
               "SLURM_STEP_TASKS_PER_NODE=1,5", "SLURM_STEP_NUM_NODES=2"),
           5, 6, 4, 5, 2);
}

static void settings_go_into_the_environment_but_over_nothing(void)
{
    struct comm_fabric *f = calloc(1, sizeof *f);

    if (!CHECK(f != NULL)) return;
    f->setting_count = 3;
    f->settings[0] = (struct comm_setting){.name = "UCX_ONE", .value = "1"};
    f->settings[1] = (struct comm_setting){.name = "UCX_TWO", .value = "2"};
    f->settings[2] = (struct comm_setting){.name = "UCX_THREE", .value = "3", .users = true};
    unsetenv("UCX_ONE");
    unsetenv("UCX_THREE");
    CHECK(setenv("UCX_TWO", "", 1) == 0); /* empty is a value too */
    CHECK(comm_fabric_apply(f) == 1);
    CHECK(getenv("UCX_ONE") != NULL && strcmp(getenv("UCX_ONE"), "1") == 0);
    CHECK(strcmp(getenv("UCX_TWO"), "") == 0 && getenv("UCX_THREE") == NULL);
    CHECK(comm_fabric_apply(f) == 0);
    free(f);
}

int main(void)
{
    launchers_say_where_a_rank_is();
    nonsense_is_unknown();
    settings_go_into_the_environment_but_over_nothing();
    return check_failures > 0;
}
