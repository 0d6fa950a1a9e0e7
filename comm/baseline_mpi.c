/* comm/baseline_mpi.c - see baseline_mpi.h */
#include "comm/baseline_mpi.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "comm/baseline_bf16.h"
#include "comm/baseline_force.h"
#include "comm/group.h"
#include "comm/traffic.h"
#include "runtime/trace.h"
#include "runtime/vector/vector.h"

/* Numbers and names of coll/tuned since Open MPI 4.0 (ompi_info --param coll tuned). */
const struct comm_baseline_algorithm comm_baseline_algorithms[] = {
    {COMM_MPI_ALLGATHER, 0, "mpi"},
    {COMM_MPI_ALLGATHER, 1, "mpi:linear"},
    {COMM_MPI_ALLGATHER, 2, "mpi:bruck"},
    {COMM_MPI_ALLGATHER, 3, "mpi:doubling"},
    {COMM_MPI_ALLGATHER, 4, "mpi:ring"},
    {COMM_MPI_ALLGATHER, 5, "mpi:neighbor"},
    {COMM_MPI_ALLGATHER, 6, "mpi:two-proc"},
    {COMM_MPI_ALLREDUCE, 0, "mpi"},
    {COMM_MPI_ALLREDUCE, 1, "mpi:linear"},
    {COMM_MPI_ALLREDUCE, 2, "mpi:reduce-bcast"},
    {COMM_MPI_ALLREDUCE, 3, "mpi:doubling"},
    {COMM_MPI_ALLREDUCE, 4, "mpi:ring"},
    {COMM_MPI_ALLREDUCE, 5, "mpi:ring-segmented"},
    {COMM_MPI_ALLREDUCE, 6, "mpi:rabenseifner"},
    {COMM_MPI_REDUCE_SCATTER, 0, "mpi"},
    {COMM_MPI_REDUCE_SCATTER, 1, "mpi:reduce-scatter"},
    {COMM_MPI_REDUCE_SCATTER, 2, "mpi:halving"},
    {COMM_MPI_REDUCE_SCATTER, 3, "mpi:ring"},
    {COMM_MPI_REDUCE_SCATTER, 4, "mpi:butterfly"},
    {COMM_MPI_REDUCE_SCATTER_BLOCK, 0, "mpi:block"},
    {COMM_MPI_REDUCE_SCATTER_BLOCK, 1, "mpi:block-linear"},
    {COMM_MPI_REDUCE_SCATTER_BLOCK, 2, "mpi:block-doubling"},
    {COMM_MPI_REDUCE_SCATTER_BLOCK, 3, "mpi:block-halving"},
    {COMM_MPI_REDUCE_SCATTER_BLOCK, 4, "mpi:block-butterfly"},
    {.name = NULL},
};

struct comm_baseline {
    const struct comm *c; /* lent */
    comm_mpi_collective collective;
    MPI_Comm mpi; /* made while the algorithm was forced */
    MPI_Op add_bf16;
    int *counts; /* (size), for reduce_scatter */
};

const char *comm_mpi_collective_name(comm_mpi_collective c)
{
    static const char *const names[COMM_MPI_COLLECTIVES] = {
        "allgather", "allreduce", "reduce_scatter", "reduce_scatter_block"};
    return names[c];
}

bool comm_baseline_applies(const struct comm_baseline_algorithm *a, int ranks)
{
    /* With Open MPI 4.1.4 on 8 ranks of 4 hosts over TCP this one never returned. */
    if (a->collective == COMM_MPI_REDUCE_SCATTER_BLOCK && a->id == 2) return ranks <= 4;
    if (a->collective != COMM_MPI_ALLGATHER) return true;
    return a->id == 6 ? ranks == 2 : a->id != 5 || ranks % 2 == 0;
}

void comm_baseline_prepare(void) { (void)setenv("OMPI_MCA_coll_tuned_use_dynamic_rules", "1", 0); }

static rt_status ask(void *arg)
{
    *(bool *)arg = comm_force_possible();
    return RT_OK;
}

rt_status comm_baseline_forceable(const struct comm *c, bool *forceable)
{
    RT_TRY(comm_agree(c, comm_run_on(c, ask, forceable)));
    double no = *forceable ? 0 : 1;
    RT_TRY(comm_max_f64(c, &no, 1));
    *forceable = no == 0;
    return RT_OK;
}

/* An MPI_User_function on MPI_UINT16_T. */
static void add_bf16(void *in, void *inout, int *count, MPI_Datatype *type)
{
    (void)type;
    comm_baseline_add_bf16(inout, in, (size_t)*count);
}

struct making {
    const struct comm_baseline_algorithm *algorithm;
    struct comm_baseline *b;
};

static rt_status force_alone(void *arg)
{
    const struct making *m = arg;
    return m->algorithm->id == 0 ? RT_OK : comm_force(m->algorithm->collective, m->algorithm->id);
}

static rt_status make(void *arg)
{
    struct making *m = arg;
    struct comm_baseline *b = m->b;

    rt_status st = comm_mpi(MPI_Comm_dup(b->c->mpi, &b->mpi), "MPI_Comm_dup");
    if (m->algorithm->id > 0) {
        const rt_status freed = comm_force(m->algorithm->collective, 0);
        if (st == RT_OK) st = freed;
    }
    RT_TRY(st);
    RT_TRY(comm_mpi(MPI_Comm_set_errhandler(b->mpi, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler"));
    return comm_mpi(MPI_Op_create(add_bf16, 1, &b->add_bf16), "MPI_Op_create");
}

rt_status comm_baseline_create(const struct comm *c, const struct comm_baseline_algorithm *a,
                               struct comm_baseline **out)
{
    struct comm_baseline *b = calloc(1, sizeof *b);
    struct making m = {.algorithm = a, .b = b};
    rt_status st = RT_OK;

    *out = NULL;
    if (b != NULL) {
        *b = (struct comm_baseline){.c = c,
                                    .collective = a->collective,
                                    .mpi = MPI_COMM_NULL,
                                    .add_bf16 = MPI_OP_NULL,
                                    .counts = calloc((size_t)c->size, sizeof *b->counts)};
    }
    if (b == NULL || b->counts == NULL)
        st = RT_FAIL(RT_ENOMEM, "no memory for a communicator of %d ranks", c->size);
    RT_TRY_OUT(comm_agree(c, st));
    RT_TRY_OUT(comm_agree(c, comm_run_on(c, force_alone, &m)));
    RT_TRY_OUT(comm_agree(c, comm_run_on(c, make, &m)));
    *out = b;
    b = NULL; /* the caller's now */
out:
    comm_baseline_destroy(&b);
    return st;
}

static rt_status unmake(void *arg)
{
    struct comm_baseline *b = arg;

    if (b->add_bf16 != MPI_OP_NULL) MPI_Op_free(&b->add_bf16);
    if (b->mpi != MPI_COMM_NULL) MPI_Comm_free(&b->mpi);
    return RT_OK;
}

void comm_baseline_destroy(struct comm_baseline **b)
{
    if (*b == NULL) return;
    (void)!comm_run_on((*b)->c, unmake, *b);
    free((*b)->counts);
    free(*b);
    *b = NULL;
}

static MPI_Datatype mpi_type(rt_dtype t) { return t == RT_F32 ? MPI_FLOAT : MPI_UINT16_T; }

static rt_status allgather(struct comm_baseline *b, const struct comm_baseline_call *k)
{
    const int n = (int)k->slice;
    return comm_mpi(
        MPI_Allgather(MPI_IN_PLACE, n, mpi_type(k->type), k->out, n, mpi_type(k->type), b->mpi),
        "MPI_Allgather");
}

/* A collective that sums, on data that has its type. */
static rt_status reduce(struct comm_baseline *b, const struct comm_baseline_call *k, const void *in,
                        void *out)
{
    const MPI_Datatype type = mpi_type(k->type);
    const MPI_Op op = k->type == RT_F32 ? MPI_SUM : b->add_bf16;
    const int n = (int)k->slice;

    if (b->collective == COMM_MPI_ALLREDUCE)
        return comm_mpi(MPI_Allreduce(in, out, n * b->c->size, type, op, b->mpi), "MPI_Allreduce");
    if (b->collective == COMM_MPI_REDUCE_SCATTER_BLOCK)
        return comm_mpi(MPI_Reduce_scatter_block(in, out, n, type, op, b->mpi),
                        "MPI_Reduce_scatter_block");
    for (int r = 0; r < b->c->size; r++) b->counts[r] = n;
    return comm_mpi(MPI_Reduce_scatter(in, out, b->counts, type, op, b->mpi), "MPI_Reduce_scatter");
}

static rt_status place_own(const struct comm_baseline *b, const struct comm_baseline_call *k)
{
    char *to = (char *)k->out + (size_t)b->c->rank * k->slice * rt_dtype_bytes(k->type);
    if (k->in == NULL) return RT_OK;
    return rt_vector_cpu.cast(NULL, to, k->type, k->in, k->in_type, k->slice);
}

static rt_status call_once(struct comm_baseline *b, const struct comm_baseline_call *k)
{
    const void *in = k->in;
    void *out = k->out;

    if (b->collective == COMM_MPI_ALLGATHER) {
        RT_TRY(place_own(b, k));
        return allgather(b, k);
    }
    if (k->in_type != k->type) {
        RT_TRY(rt_vector_cpu.cast(NULL, k->cast, k->type, in, k->in_type,
                                  k->slice * (size_t)b->c->size));
        in = k->cast;
    }
    if (k->out_type != k->type) out = k->sums;
    RT_TRY(reduce(b, k, in, out));
    if (k->out_type == k->type) return RT_OK;
    return rt_vector_cpu.cast(NULL, k->out, k->out_type, k->sums, k->type, k->slice);
}

struct calling {
    struct comm_baseline *b;
    const struct comm *all;
    const struct comm_baseline_call *call;
    void (*work)(void *); /* NULL: none, and the collective blocks */
    void *context;
    double seconds;
};

static rt_status posted(struct calling *a)
{
    const struct comm_baseline_call *k = a->call;
    const MPI_Datatype type = mpi_type(k->type);
    const int n = (int)k->slice;
    MPI_Request request = MPI_REQUEST_NULL;

    RT_TRY(place_own(a->b, k));
    RT_TRY(comm_mpi(MPI_Iallgather(MPI_IN_PLACE, n, type, k->out, n, type, a->b->mpi, &request),
                    "MPI_Iallgather"));
    a->work(a->context);
    return comm_mpi(MPI_Wait(&request, MPI_STATUS_IGNORE), "MPI_Wait");
}

static rt_status call_timed(void *arg)
{
    struct calling *a = arg;

    RT_TRY(comm_traffic_meet(a->all));
    const double start = rt_now_s();
    RT_TRY(a->work == NULL ? call_once(a->b, a->call) : posted(a));
    a->seconds = rt_now_s() - start;
    return RT_OK;
}

static rt_status call(struct calling *a, double *seconds)
{
    if (a->call->slice > (size_t)INT_MAX / (size_t)a->b->c->size)
        return RT_FAIL(RT_EINVAL, "%zu elements a rank on %d ranks, MPI's counts end at %d",
                       a->call->slice, a->b->c->size, INT_MAX);
    RT_TRY(comm_run_on(a->b->c, call_timed, a));
    *seconds = a->seconds;
    return RT_OK;
}

rt_status comm_baseline_time(struct comm_baseline *b, const struct comm *all,
                             const struct comm_baseline_call *k, double *seconds)
{
    struct calling a = {.b = b, .all = all, .call = k};
    return call(&a, seconds);
}

rt_status comm_baseline_overlap(struct comm_baseline *b, const struct comm *all,
                                const struct comm_baseline_call *k, void (*work)(void *),
                                void *context, double *seconds)
{
    struct calling a = {.b = b, .all = all, .call = k, .work = work, .context = context};
    return call(&a, seconds);
}
