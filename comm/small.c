/* comm/small.c - agreement, scalars and small data over the ranks of a group */
#include <stdlib.h>
#include <string.h>

#include "comm/engine.h"

enum { TAG_GATHER = 1 };

/* What one call hands to the thread that owns MPI. */
struct small {
    const struct comm *c;
    void *data;
    const void *in;
    size_t bytes, count;
    int root;
    MPI_Datatype type;
    MPI_Op op;
};

static int cut(size_t bytes) { return (int)(bytes < COMM_CUT_BYTES ? bytes : COMM_CUT_BYTES); }

static rt_status allreduce_on(void *arg)
{
    const struct small *s = arg;
    const size_t most = COMM_CUT_BYTES / s->bytes;
    char *at = s->data;

    for (size_t done = 0; done < s->count; done += most) {
        const size_t n = s->count - done < most ? s->count - done : most;
        MPI_Request request = MPI_REQUEST_NULL;
        if (comm_engine_blocking(s->c->engine)) { /* SMPI's other one sends P * P messages */
            RT_TRY(comm_mpi(MPI_Allreduce(MPI_IN_PLACE, at + done * s->bytes, (int)n, s->type,
                                          s->op, s->c->mpi),
                            "MPI_Allreduce"));
            continue;
        }
        RT_TRY(comm_mpi(MPI_Iallreduce(MPI_IN_PLACE, at + done * s->bytes, (int)n, s->type, s->op,
                                       s->c->mpi, &request),
                        "MPI_Iallreduce"));
        RT_TRY(comm_wait_request(s->c, &request, "MPI_Iallreduce"));
    }
    return RT_OK;
}

static rt_status allreduce(const struct comm *c, const char *name, void *values, size_t n,
                           size_t bytes, MPI_Datatype type, MPI_Op op)
{
    struct small s = {.c = c, .data = values, .count = n, .bytes = bytes, .type = type, .op = op};

    if (c->size == 1) return RT_OK;
    return comm_run_operation(c, name, n * bytes, allreduce_on, &s);
}

rt_status comm_agree(const struct comm *c, rt_status mine)
{
    int worst = (int)mine;

    RT_TRY(allreduce(c, "agree", &worst, 1, sizeof worst, MPI_INT, MPI_MIN));
    return (rt_status)worst;
}

static rt_status barrier_on(void *arg)
{
    const struct comm *c = arg;
    MPI_Request request = MPI_REQUEST_NULL;

    RT_TRY(comm_mpi(MPI_Ibarrier(c->mpi, &request), "MPI_Ibarrier"));
    return comm_wait_request(c, &request, "MPI_Ibarrier");
}

rt_status comm_barrier(const struct comm *c)
{
    struct comm group = *c;
    return c->size == 1 ? RT_OK : comm_run_operation(c, "barrier", 0, barrier_on, &group);
}

static rt_status bcast_on(void *arg)
{
    const struct small *s = arg;
    char *at = s->data;

    for (size_t done = 0; done < s->bytes; done += COMM_CUT_BYTES) {
        MPI_Request request = MPI_REQUEST_NULL;
        RT_TRY(comm_mpi(
            MPI_Ibcast(at + done, cut(s->bytes - done), MPI_BYTE, s->root, s->c->mpi, &request),
            "MPI_Ibcast"));
        RT_TRY(comm_wait_request(s->c, &request, "MPI_Ibcast"));
    }
    return RT_OK;
}

rt_status comm_bcast(const struct comm *c, int root, void *data, size_t bytes)
{
    struct small s = {.c = c, .data = data, .bytes = bytes, .root = root};
    return c->size == 1 ? RT_OK : comm_run_operation(c, "broadcast", bytes, bcast_on, &s);
}

static rt_status allgather_on(void *arg)
{
    const struct small *s = arg;
    MPI_Request request = MPI_REQUEST_NULL;

    RT_TRY(comm_mpi(MPI_Iallgather(s->in, (int)s->bytes, MPI_BYTE, s->data, (int)s->bytes, MPI_BYTE,
                                   s->c->mpi, &request),
                    "MPI_Iallgather"));
    return comm_wait_request(s->c, &request, "MPI_Iallgather");
}

rt_status comm_allgather(const struct comm *c, const void *in, void *out, size_t bytes)
{
    struct small s = {.c = c, .in = in, .data = out, .bytes = bytes};
    char *to = out;

    if (bytes == 0) return RT_OK;
    if (bytes <= COMM_CUT_BYTES / (size_t)c->size)
        return comm_run_operation(c, "allgather", bytes, allgather_on, &s);
    /* Libraries add the bytes of all ranks up in an int: large pieces go one rank at a time. */
    memcpy(to + (size_t)c->rank * bytes, in, bytes);
    for (int r = 0; r < c->size; r++) RT_TRY(comm_bcast(c, r, to + (size_t)r * bytes, bytes));
    return RT_OK;
}

/* Between this rank and s->root, one of them the receiver of all: out of s->in, or into s->data. */
static rt_status transfer_on(void *arg)
{
    const struct small *s = arg;
    const bool send = s->data == NULL;
    const char *in = s->in;
    char *out = s->data;

    for (size_t done = 0; done < s->bytes; done += COMM_CUT_BYTES) {
        const int n = cut(s->bytes - done);
        MPI_Request request = MPI_REQUEST_NULL;
        const int code =
            send ? MPI_Isend(in + done, n, MPI_BYTE, s->root, TAG_GATHER, s->c->mpi, &request)
                 : MPI_Irecv(out + done, n, MPI_BYTE, s->root, TAG_GATHER, s->c->mpi, &request);
        RT_TRY(comm_mpi(code, send ? "MPI_Isend" : "MPI_Irecv"));
        RT_TRY(comm_wait_request(s->c, &request, send ? "MPI_Isend" : "MPI_Irecv"));
    }
    return RT_OK;
}

static rt_status receive_all(const struct comm *c, const void *mine, const uint64_t *sizes,
                             char *to)
{
    for (int r = 0; r < c->size; r++) {
        struct small s = {.c = c, .data = to, .bytes = (size_t)sizes[r], .root = r};
        if (r != c->rank)
            RT_TRY(comm_run_on(c, transfer_on, &s));
        else if (sizes[r] > 0)
            memcpy(to, mine, (size_t)sizes[r]);
        to += sizes[r];
    }
    return RT_OK;
}

rt_status comm_gather_bytes(const struct comm *c, int root, const void *in, size_t bytes,
                            void **out, size_t *total)
{
    uint64_t *sizes = calloc((size_t)c->size, sizeof *sizes), mine = bytes;
    size_t sum = 0;
    char *all = NULL;
    rt_status st = sizes == NULL ? RT_FAIL(RT_ENOMEM, "a table of %d ranks", c->size) : RT_OK;

    *out = NULL;
    *total = 0;
    RT_TRY_OUT(comm_agree(c, st));
    RT_TRY_OUT(comm_allgather(c, &mine, sizes, sizeof mine));
    for (int r = 0; r < c->size; r++) sum += (size_t)sizes[r];
    if (c->rank == root) {
        all = malloc(sum + 1);
        if (all == NULL) st = RT_FAIL(RT_ENOMEM, "%zu bytes gathered from %d ranks", sum, c->size);
    }
    RT_TRY_OUT(comm_agree(c, st));
    if (c->rank != root) {
        struct small s = {.c = c, .in = in, .bytes = bytes, .root = root};
        st = comm_run_on(c, transfer_on, &s);
        goto out;
    }
    RT_TRY_OUT(receive_all(c, in, sizes, all));
    *out = all;
    *total = sum;
    all = NULL; /* the caller's now */
out:
    free(all);
    free(sizes);
    return st;
}

rt_status comm_max_f64(const struct comm *c, double *values, size_t n)
{
    return allreduce(c, "max", values, n, sizeof *values, MPI_DOUBLE, MPI_MAX);
}

rt_status comm_sum_u64(const struct comm *c, uint64_t *values, size_t n)
{
    return allreduce(c, "sum", values, n, sizeof *values, MPI_UINT64_T, MPI_SUM);
}

rt_status comm_sum_exact(const struct comm *c, struct rt_exact *values, size_t n)
{
    _Static_assert(sizeof *values == RT_EXACT_WORDS * sizeof(int64_t), "only words in rt_exact");

    for (size_t i = 0; i < n; i++) rt_exact_normalize(&values[i]);
    RT_TRY(allreduce(c, "exact sum", values, n * RT_EXACT_WORDS, sizeof(int64_t), MPI_INT64_T,
                     MPI_SUM));
    for (size_t i = 0; i < n; i++) rt_exact_normalize(&values[i]);
    return RT_OK;
}
