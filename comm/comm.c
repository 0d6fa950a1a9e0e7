/* comm/comm.c - groups of ranks, agreement, scalars and small data, on MPI's blocking calls */
#include "comm/group.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/log.h"

enum { TAG_GATHER = 1 };

rt_status comm_mpi(int code, const char *call)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;

    if (code == MPI_SUCCESS) return RT_OK;
    MPI_Error_string(code, text, &length);
    return RT_FAIL(RT_ECOMM, "%s: %s", call, text);
}

const char *comm_library(void)
{
    static char text[MPI_MAX_LIBRARY_VERSION_STRING]; /* the same for the whole process */
    int length = 0;

    if (text[0] == '\0') {
        MPI_Get_library_version(text, &length);
        text[strcspn(text, ",\n")] = '\0'; /* what follows is who built the package */
    }
    return text;
}

/* Takes mpi over: into *out, or freed. */
static rt_status wrap(MPI_Comm mpi, struct comm *c)
{
    c->mpi = mpi;
    RT_TRY(comm_mpi(MPI_Comm_set_errhandler(mpi, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler"));
    RT_TRY(comm_mpi(MPI_Comm_rank(mpi, &c->rank), "MPI_Comm_rank"));
    return comm_mpi(MPI_Comm_size(mpi, &c->size), "MPI_Comm_size");
}

rt_status comm_split(const struct comm *parent, int color, int key, struct comm **out)
{
    struct comm *c = calloc(1, sizeof *c);
    MPI_Comm mpi = MPI_COMM_NULL;
    rt_status st = c == NULL ? RT_FAIL(RT_ENOMEM, "a group of ranks") : RT_OK;

    *out = NULL;
    if (c != NULL) c->mpi = MPI_COMM_NULL; /* which need not be all zero bits */
    RT_TRY_OUT(comm_agree(parent, st));
    RT_TRY_OUT(comm_mpi(MPI_Comm_split(parent->mpi, color < 0 ? MPI_UNDEFINED : color, key, &mpi),
                        "MPI_Comm_split"));
    if (mpi == MPI_COMM_NULL) goto out;
    RT_TRY_OUT(wrap(mpi, c));
    *out = c;
    c = NULL; /* the caller's now */
out:
    comm_destroy(&c);
    return st;
}

void comm_destroy(struct comm **c)
{
    if (*c == NULL) return;
    if ((*c)->mpi != MPI_COMM_NULL) MPI_Comm_free(&(*c)->mpi);
    free(*c);
    *c = NULL;
}

/* The same ranks in an order in which those that share memory are neighbours: by the first rank
 * of the node, then by rank. *world is replaced where the order changes. */
static rt_status order_by_node(struct comm **world)
{
    struct comm *w = *world, *ordered = NULL;
    int *first = calloc((size_t)w->size, sizeof *first);
    bool neighbours = true;
    rt_status st = first == NULL ? RT_FAIL(RT_ENOMEM, "a table of %d ranks", w->size) : RT_OK;

    RT_TRY_OUT(comm_agree(w, st));
    RT_TRY_OUT(comm_shared_with(w, first));
    for (int r = 1; r < w->size; r++) neighbours &= first[r] >= first[r - 1];
    if (neighbours) goto out;
    /* The key is the node: MPI keeps the old order among equal keys. */
    RT_TRY_OUT(comm_split(w, 0, first[w->rank], &ordered));
    comm_destroy(world);
    *world = ordered;
out:
    free(first);
    return st;
}

static rt_status make_world(struct comm **out)
{
    struct comm *c = calloc(1, sizeof *c);
    MPI_Comm mpi = MPI_COMM_NULL;
    rt_status st = RT_OK;

    if (c == NULL) return RT_FAIL(RT_ENOMEM, "the group of all ranks");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    c->mpi = MPI_COMM_NULL;
    RT_TRY_OUT(comm_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &mpi), "MPI_Comm_dup"));
    RT_TRY_OUT(wrap(mpi, c));
    RT_TRY_OUT(comm_launch_check(c->size));
    RT_TRY_OUT(order_by_node(&c));
    *out = c;
    c = NULL; /* the caller's now */
out:
    comm_destroy(&c);
    return st;
}

rt_status comm_init(int *argc, char ***argv, struct comm **world)
{
    int level = MPI_THREAD_SINGLE;
    rt_status st = RT_OK;

    *world = NULL;
    comm_launch_defaults();
    RT_TRY(comm_mpi(MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &level), "MPI_Init_thread"));
    if (level < MPI_THREAD_FUNNELED) {
        st = RT_FAIL(RT_ECOMM, "%s gives no MPI_THREAD_FUNNELED, which threads beside MPI need",
                     comm_library());
        goto out;
    }
    RT_TRY_OUT(make_world(world));
    rt_log_init((*world)->rank, (*world)->size);
out:
    if (st != RT_OK) MPI_Finalize();
    return st;
}

void comm_finish(struct comm **world)
{
    if (*world == NULL) return;
    comm_destroy(world);
    MPI_Finalize();
}

void comm_abort(struct comm *world, int exit_code)
{
    MPI_Abort(world->mpi, exit_code);
    _Exit(exit_code); /* MPI_Abort of some libraries returns */
}

int comm_rank(const struct comm *c) { return c->rank; }
int comm_size(const struct comm *c) { return c->size; }

rt_status comm_agree(const struct comm *c, rt_status mine)
{
    int worst = (int)mine;

    RT_TRY(comm_mpi(MPI_Allreduce(MPI_IN_PLACE, &worst, 1, MPI_INT, MPI_MIN, c->mpi),
                    "MPI_Allreduce"));
    return (rt_status)worst;
}

rt_status comm_barrier(const struct comm *c)
{
    return comm_mpi(MPI_Barrier(c->mpi), "MPI_Barrier");
}

static int cut(size_t bytes) { return (int)(bytes < COMM_CUT_BYTES ? bytes : COMM_CUT_BYTES); }

rt_status comm_bcast(const struct comm *c, int root, void *data, size_t bytes)
{
    char *at = data;

    for (size_t done = 0; done < bytes; done += COMM_CUT_BYTES)
        RT_TRY(
            comm_mpi(MPI_Bcast(at + done, cut(bytes - done), MPI_BYTE, root, c->mpi), "MPI_Bcast"));
    return RT_OK;
}

rt_status comm_allgather(const struct comm *c, const void *in, void *out, size_t bytes)
{
    char *to = out;

    if (bytes == 0) return RT_OK;
    if (bytes <= COMM_CUT_BYTES / (size_t)c->size)
        return comm_mpi(MPI_Allgather(in, (int)bytes, MPI_BYTE, out, (int)bytes, MPI_BYTE, c->mpi),
                        "MPI_Allgather");
    /* Libraries add the bytes of all ranks up in an int: large pieces go one rank at a time. */
    memcpy(to + (size_t)c->rank * bytes, in, bytes);
    for (int r = 0; r < c->size; r++) RT_TRY(comm_bcast(c, r, to + (size_t)r * bytes, bytes));
    return RT_OK;
}

static rt_status send_bytes(const struct comm *c, int to, const char *data, size_t bytes)
{
    for (size_t done = 0; done < bytes; done += COMM_CUT_BYTES)
        RT_TRY(comm_mpi(MPI_Send(data + done, cut(bytes - done), MPI_BYTE, to, TAG_GATHER, c->mpi),
                        "MPI_Send"));
    return RT_OK;
}

static rt_status receive_bytes(const struct comm *c, int from, char *data, size_t bytes)
{
    for (size_t done = 0; done < bytes; done += COMM_CUT_BYTES)
        RT_TRY(comm_mpi(MPI_Recv(data + done, cut(bytes - done), MPI_BYTE, from, TAG_GATHER, c->mpi,
                                 MPI_STATUS_IGNORE),
                        "MPI_Recv"));
    return RT_OK;
}

static rt_status receive_all(const struct comm *c, const void *mine, const uint64_t *sizes,
                             char *to)
{
    for (int r = 0; r < c->size; r++) {
        if (r != c->rank)
            RT_TRY(receive_bytes(c, r, to, (size_t)sizes[r]));
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
        st = send_bytes(c, root, in, bytes);
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

static rt_status allreduce(const struct comm *c, void *values, size_t n, size_t bytes,
                           MPI_Datatype type, MPI_Op op)
{
    const size_t most = COMM_CUT_BYTES / bytes;
    char *at = values;

    for (size_t done = 0; done < n; done += most) {
        size_t count = n - done < most ? n - done : most;
        RT_TRY(
            comm_mpi(MPI_Allreduce(MPI_IN_PLACE, at + done * bytes, (int)count, type, op, c->mpi),
                     "MPI_Allreduce"));
    }
    return RT_OK;
}

rt_status comm_max_f64(const struct comm *c, double *values, size_t n)
{
    return allreduce(c, values, n, sizeof *values, MPI_DOUBLE, MPI_MAX);
}

rt_status comm_sum_u64(const struct comm *c, uint64_t *values, size_t n)
{
    return allreduce(c, values, n, sizeof *values, MPI_UINT64_T, MPI_SUM);
}

rt_status comm_sum_exact(const struct comm *c, struct rt_exact *values, size_t n)
{
    _Static_assert(sizeof *values == RT_EXACT_WORDS * sizeof(int64_t), "only words in rt_exact");

    for (size_t i = 0; i < n; i++) rt_exact_normalize(&values[i]);
    RT_TRY(allreduce(c, values, n * RT_EXACT_WORDS, sizeof(int64_t), MPI_INT64_T, MPI_SUM));
    for (size_t i = 0; i < n; i++) rt_exact_normalize(&values[i]);
    return RT_OK;
}
