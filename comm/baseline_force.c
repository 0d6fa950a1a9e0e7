/* comm/baseline_force.c - see baseline_force.h */
#include "comm/baseline_force.h"

#include <mpi.h>
#include <stdio.h>

/* One integer variable of the library: read, or written where value is given. */
static bool variable(const char *name, const int *value, int *out)
{
    MPI_T_cvar_handle handle = MPI_T_CVAR_HANDLE_NULL;
    int level = 0, index = 0, count = 0, read[16] = {0};
    bool good = false;

    if (MPI_T_init_thread(MPI_THREAD_SINGLE, &level) != MPI_SUCCESS) return false;
    if (MPI_T_cvar_get_index(name, &index) == MPI_SUCCESS &&
        MPI_T_cvar_handle_alloc(index, NULL, &handle, &count) == MPI_SUCCESS) {
        good = count >= 1 && count <= 1;
        if (good && value != NULL) good = MPI_T_cvar_write(handle, value) == MPI_SUCCESS;
        if (good) good = MPI_T_cvar_read(handle, read) == MPI_SUCCESS;
        *out = read[0];
        (void)MPI_T_cvar_handle_free(&handle);
    }
    (void)MPI_T_finalize();
    return good;
}

bool comm_force_possible(void)
{
    int dynamic = 0, id = 0;

    /* A truth value may be one byte of the int, on a machine with the small end first. */
    return variable("coll_tuned_use_dynamic_rules", NULL, &dynamic) && dynamic != 0 &&
           variable("coll_tuned_allgather_algorithm", NULL, &id);
}

rt_status comm_force(comm_mpi_collective c, int id)
{
    char name[96];
    int now = -1;

    snprintf(name, sizeof name, "coll_tuned_%s_algorithm", comm_mpi_collective_name(c));
    if (!variable(name, &id, &now) || now != id)
        return RT_FAIL(RT_EMISSING,
                       "%s: this MPI library does not let it be set to %d; start with `mpirun "
                       "--mca coll_tuned_use_dynamic_rules 1` under Open MPI",
                       name, id);
    return RT_OK;
}
