/* comm/fabric_pml.c - see fabric_pml.h */
#include "comm/fabric_pml.h"

#include <mpi.h>
#include <stddef.h>
#include <string.h>

#include "runtime/log.h"

#ifdef OPEN_MPI

/* Which components still have control variables. */
struct left {
    bool ob1, ucx, cm, btl_rdma;
};

static void note(struct left *l, const char *name)
{
    static const char *const rdma[] = {"btl_openib_", "btl_uct_", "btl_ofi_", "btl_usnic_"};

    l->ob1 |= strncmp(name, "pml_ob1_", 8) == 0;
    l->ucx |= strncmp(name, "pml_ucx_", 8) == 0;
    l->cm |= strncmp(name, "pml_cm_", 7) == 0;
    for (size_t i = 0; i < sizeof rdma / sizeof rdma[0]; i++)
        l->btl_rdma |= strncmp(name, rdma[i], strlen(rdma[i])) == 0;
}

static void read_variables(struct left *l)
{
    int count = 0;

    if (MPI_T_cvar_get_num(&count) != MPI_SUCCESS) return;
    for (int i = 0; i < count; i++) {
        char name[256] = "", text[4];
        int name_size = sizeof name, text_size = sizeof text, verbosity, bind, scope;
        MPI_Datatype type;
        MPI_T_enum values;
        /* A variable whose component is closed is no error: its index is dead. */
        if (MPI_T_cvar_get_info(i, name, &name_size, &verbosity, &type, &values, text, &text_size,
                                &bind, &scope) == MPI_SUCCESS)
            note(l, name);
    }
}

comm_pml comm_pml_read(void)
{
    struct left l = {0};
    int level = MPI_THREAD_SINGLE;

    if (MPI_T_init_thread(MPI_THREAD_SINGLE, &level) != MPI_SUCCESS) return COMM_PML_UNKNOWN;
    read_variables(&l);
    MPI_T_finalize();
    if (l.ob1) return l.btl_rdma ? COMM_PML_RDMA : COMM_PML_TCP;
    if (l.ucx) return COMM_PML_UCX;
    return l.cm ? COMM_PML_CM : COMM_PML_UNKNOWN;
}

#else

comm_pml comm_pml_read(void) { return COMM_PML_UNKNOWN; }

#endif

bool comm_pml_fell_back(const struct comm_fabric *f, comm_pml used)
{
    return used == COMM_PML_TCP && f->kind > COMM_FABRIC_IWARP && !f->off;
}

void comm_pml_check(void)
{
    const struct comm_reader machine = comm_reader_at("");
    struct comm_location place;
    struct comm_fabric *f = NULL;

    comm_location_read(&machine, &place);
    if (place.nodes < 2 || comm_pml_read() != COMM_PML_TCP) return;
    if (comm_fabric_probe("", NULL, &f) == RT_OK && comm_pml_fell_back(f, COMM_PML_TCP))
        rt_log_once(RT_LOG_WARN,
                    "the network is %s, but MPI runs on TCP: its library has no UCX, or cannot "
                    "open the device (/dev/infiniband); `recua fabric` and docs/fabric.md say more",
                    comm_fabric_kind_name(f->kind));
    comm_fabric_destroy(&f);
}
