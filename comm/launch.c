/* comm/launch.c - the environment around MPI_Init: defaults that suit the machine, and the check
 * that a launcher's ranks and MPI's are the same
 *
 * Nothing the user has set is changed. On one node nothing is printed; on several the settings for
 * their network are (comm/fabric/).
 */
#include "comm/group.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/fabric/fabric.h"
#include "comm/fabric_pml.h"

/* 0 where it is not set or no number. SLURM_TASKS_PER_NODE is a list, "2(x3),1": its first. */
static long number(const char *name)
{
    const char *text = getenv(name);
    return text == NULL ? 0 : strtol(text, NULL, 10);
}

static void set_default(const char *name, const char *value)
{
    if (getenv(name) == NULL) (void)setenv(name, value, 0);
}

static bool launched(void)
{
    static const char *const signs[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_NAMESPACE", "PMI_SIZE",
                                        "PMI_RANK"};
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (getenv(signs[i]) != NULL) return true;
    return false;
}

static long ranks_here(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS",
                                        "SLURM_NTASKS_PER_NODE", "SLURM_TASKS_PER_NODE"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (number(names[i]) > 0) return number(names[i]);
    return 1;
}

rt_status comm_launch_defaults(void)
{
    /* Waiting ranks give up their core where every core has a rank. */
    if (ranks_here() >= sysconf(_SC_NPROCESSORS_ONLN))
        set_default("OMPI_MCA_mpi_yield_when_idle", "1");
    /* Containers forbid process_vm_readv, and a node's weights go through the window anyway. */
    set_default("OMPI_MCA_btl_vader_single_copy_mechanism", "none");
    /* Alone: no helper daemon and no network, so it works as root, offline, without a shell. */
    set_default("OMPI_MCA_ess_singleton_isolated", "1");
    if (!launched()) {
        set_default("OMPI_MCA_btl", "self");
        set_default("OMPI_MCA_if", "^posix_ipv4,linux_ipv6");
    }
    return comm_fabric_launch();
}

rt_status comm_launch_progress(bool *thread)
{
    const struct comm_reader here = comm_reader_at("");
    const char *said = getenv("RECUA_COMM");
    struct comm_location place;

    comm_location_read(&here, &place);
    *thread = place.nodes > 1 && ranks_here() < sysconf(_SC_NPROCESSORS_ONLN);
    if (said == NULL || *said == '\0') return RT_OK;
    *thread = strcmp(said, "thread") == 0;
    if (*thread || strcmp(said, "poll") == 0) return RT_OK;
    return RT_FAIL(RT_EINVAL, "RECUA_COMM is '%s', must be thread or poll", said);
}

rt_status comm_launch_check(const struct comm *world)
{
    static const char *const names[] = {"SLURM_NTASKS", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE"};

    if (world->size > 1) return RT_OK;
    /* mpirun -n 1 inside a job of many tasks: launcher and MPI have met, and agree on one. */
    if (number("OMPI_COMM_WORLD_SIZE") == 1 || number("PMI_SIZE") == 1) return RT_OK;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        long n = number(names[i]);
        if (n > 1)
            return RT_FAIL(RT_EINVAL,
                           "%s is %ld, but MPI sees one rank: the launcher and this MPI (%s) do "
                           "not meet; start with `srun --mpi=pmix` or with mpirun, or unset %s to "
                           "run on one rank",
                           names[i], n, comm_library(world), names[i]);
    }
    return RT_OK;
}
