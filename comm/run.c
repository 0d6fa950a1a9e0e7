/* comm/run.c - one chunk of a schedule, run with MPI point-to-point calls */
#include "comm/run.h"

#include <stdlib.h>

/* How many requests a transfer of count blocks of block_bytes can become. */
static size_t cuts(size_t count, size_t block_bytes)
{
    const size_t whole = COMM_CUT_BYTES / (block_bytes + 1);

    if (whole == 0) return count * (block_bytes / COMM_CUT_BYTES + 1);
    return count / whole + 1;
}

static size_t most_requests(const struct comm_schedule *s, size_t block_bytes)
{
    size_t most = 0;

    for (size_t r = 0; r < s->rounds_count; r++) {
        size_t n = 0;
        for (size_t i = s->rounds[r]; i < comm_schedule_round_end(s, r); i++)
            if (s->steps[i].peer >= 0) n += cuts(s->steps[i].count, block_bytes);
        if (n > most) most = n;
    }
    return most;
}

rt_status comm_run_init(struct comm_run *run, const struct comm *comm,
                        const struct comm_schedule *schedule, const struct rt_vector *vector,
                        size_t block_bytes)
{
    const size_t n = most_requests(schedule, block_bytes);
    const size_t sources = comm_schedule_most_sources(schedule) + 1;

    *run = (struct comm_run){
        .schedule = schedule, .comm = comm, .vector = vector, .requests_capacity = (int)n};
    run->requests = calloc(n + 1, sizeof(MPI_Request));
    run->transfers = calloc(n + 1, sizeof *run->transfers);
    run->statuses = calloc(n + 1, sizeof(MPI_Status));
    run->indices = calloc(n + 1, sizeof *run->indices);
    run->sources = calloc(sources, sizeof *run->sources);
    run->types = calloc(sources, sizeof *run->types);
    if (run->requests == NULL || run->transfers == NULL || run->statuses == NULL ||
        run->indices == NULL || run->sources == NULL || run->types == NULL)
        return RT_FAIL(RT_ENOMEM, "the requests of %zu messages", n);
    return RT_OK;
}

void comm_run_clear(struct comm_run *run)
{
    free(run->requests);
    free(run->transfers);
    free(run->statuses);
    free(run->indices);
    free((void *)run->sources);
    free(run->types);
    *run = (struct comm_run){0};
}

static rt_dtype type_of(const struct comm_run *run, comm_space space)
{
    switch (space) {
    case COMM_SPACE_UNIT: return run->spaces.unit_type;
    case COMM_SPACE_LOCAL: return run->spaces.local_type;
    case COMM_SPACE_WIRE: return run->spaces.wire_type;
    default: return RT_F32;
    }
}

static bool is_private(comm_space space)
{
    return space == COMM_SPACE_STAGE || space == COMM_SPACE_WIRE;
}

/* Elements from one block of a space to the next. */
static size_t pitch(const struct comm_run *run, comm_space space)
{
    return is_private(space) ? run->n : run->spaces.slice;
}

/* Where block i of a place begins, in elements from the space's first. */
static size_t element(const struct comm_run *run, struct comm_place p, size_t i)
{
    if (run->spaces.fold) return 0;
    return (p.offset + i * p.stride) * pitch(run, p.space) + (is_private(p.space) ? 0 : run->from);
}

static char *writable(const struct comm_run *run, struct comm_place p, size_t i)
{
    const struct comm_spaces *s = &run->spaces;
    char *base = p.space == COMM_SPACE_UNIT    ? s->unit
                 : p.space == COMM_SPACE_OWN   ? (char *)s->own
                 : p.space == COMM_SPACE_STAGE ? s->stage
                                               : s->wire;
    return base + element(run, p, i) * rt_dtype_bytes(type_of(run, p.space));
}

static const void *readable(const struct comm_run *run, struct comm_place p, size_t i)
{
    if (p.space != COMM_SPACE_LOCAL) return writable(run, p, i);
    return (const char *)run->spaces.local[p.buffer] +
           element(run, p, i) * rt_dtype_bytes(run->spaces.local_type);
}

/* One request: `bytes` at `at` of `type` elements, each one_bytes. */
static rt_status post_one(struct comm_run *run, const struct comm_step *step, void *at, int count,
                          MPI_Datatype type, size_t bytes)
{
    const bool send = step->kind == COMM_STEP_SEND;

    if (run->requests_count == run->requests_capacity)
        return RT_FAIL(RT_EINVAL, "a message of %zu bytes is larger than was announced", bytes);
    MPI_Request *request = &run->requests[run->requests_count];
    run->transfers[run->requests_count++] =
        (struct comm_transfer){.bytes = send ? 0 : bytes, .peer = step->peer};
    run->pending++;
    if (!send) run->receive_bytes += bytes;
    *request = MPI_REQUEST_NULL;
    if (send)
        return comm_mpi(MPI_Isend(at, count, type, step->peer, run->tag, run->comm->mpi, request),
                        "MPI_Isend");
    return comm_mpi(MPI_Irecv(at, count, type, step->peer, run->tag, run->comm->mpi, request),
                    "MPI_Irecv");
}

/* Several blocks that do not lie side by side, as one vector type. */
static rt_status post_vector(struct comm_run *run, const struct comm_step *step, void *at,
                             size_t count, size_t block_bytes, size_t stride_bytes)
{
    MPI_Datatype type = MPI_DATATYPE_NULL;
    rt_status st = comm_mpi(MPI_Type_create_hvector((int)count, (int)block_bytes,
                                                    (MPI_Aint)stride_bytes, MPI_BYTE, &type),
                            "MPI_Type_create_hvector");

    if (st != RT_OK) return st;
    st = comm_mpi(MPI_Type_commit(&type), "MPI_Type_commit");
    if (st == RT_OK) st = post_one(run, step, at, 1, type, count * block_bytes);
    MPI_Type_free(&type); /* MPI keeps it until the transfer is done */
    return st;
}

static rt_status post(struct comm_run *run, const struct comm_step *step)
{
    const size_t size = rt_dtype_bytes(type_of(run, step->at.space));
    const size_t block = run->n * size;
    const size_t stride =
        run->spaces.fold ? block : step->at.stride * pitch(run, step->at.space) * size;
    const size_t together = COMM_CUT_BYTES / (block + 1);

    if (together == 0) { /* a block larger than a message */
        for (size_t i = 0; i < step->count; i++)
            for (size_t done = 0; done < block; done += COMM_CUT_BYTES) {
                size_t n = block - done < COMM_CUT_BYTES ? block - done : COMM_CUT_BYTES;
                RT_TRY(post_one(run, step, writable(run, step->at, i) + done, (int)n, MPI_BYTE, n));
            }
        return RT_OK;
    }
    for (size_t i = 0; i < step->count; i += together) {
        const size_t n = step->count - i < together ? step->count - i : together;
        char *at = writable(run, step->at, i);
        if (n == 1 || stride == block || run->spaces.fold)
            RT_TRY(post_one(run, step, at, (int)(n * block), MPI_BYTE, n * block));
        else
            RT_TRY(post_vector(run, step, at, n, block, stride));
    }
    return RT_OK;
}

static rt_status local(struct comm_run *run, const struct comm_step *step)
{
    const struct comm_place *from = &run->schedule->sources[step->source];
    const rt_dtype type = type_of(run, step->at.space);
    const bool add = step->at.space == COMM_SPACE_OWN && run->spaces.add;

    for (size_t i = 0; i < step->count; i++) {
        void *to = writable(run, step->at, i);
        if (step->kind == COMM_STEP_COPY) {
            RT_TRY(run->vector->cast(NULL, to, type, readable(run, from[0], i),
                                     type_of(run, from[0].space), run->n));
            continue;
        }
        for (int k = 0; k < step->sources; k++) {
            run->sources[k] = readable(run, from[k], i);
            run->types[k] = type_of(run, from[k].space);
        }
        RT_TRY(run->vector->reduce(NULL, to, type, run->sources, run->types, step->sources, run->n,
                                   run->spaces.tree, add));
    }
    return RT_OK;
}

/* Post receives from where the round's last one was, as long as there may be more outstanding. */
static rt_status post_receives(struct comm_run *run)
{
    const size_t end = comm_schedule_round_end(run->schedule, run->round);

    for (; run->next_receive < end; run->next_receive++) {
        const struct comm_step *step = &run->schedule->steps[run->next_receive];
        if (step->kind != COMM_STEP_RECV) continue;
        const size_t bytes = step->count * run->n * rt_dtype_bytes(type_of(run, step->at.space));
        if (run->receive_bytes > 0 && run->receive_bytes + bytes > COMM_RUN_RECEIVE_BYTES) break;
        RT_TRY(post(run, step));
    }
    return RT_OK;
}

static rt_status enter_round(struct comm_run *run)
{
    const struct comm_schedule *s = run->schedule;
    const size_t end = comm_schedule_round_end(s, run->round);

    run->requests_count = 0;
    run->next_receive = s->rounds[run->round];
    RT_TRY(post_receives(run));
    for (size_t i = s->rounds[run->round]; i < end; i++)
        if (s->steps[i].kind == COMM_STEP_SEND) RT_TRY(post(run, &s->steps[i]));
    for (size_t i = s->rounds[run->round]; i < end; i++)
        if (s->steps[i].peer < 0) RT_TRY(local(run, &s->steps[i]));
    return RT_OK;
}

rt_status comm_run_begin(struct comm_run *run, const struct comm_spaces *spaces, size_t from,
                         size_t n, int tag)
{
    run->spaces = *spaces;
    run->from = from;
    run->n = n;
    run->tag = tag;
    run->round = 0;
    run->pending = 0;
    run->receive_bytes = 0;
    run->active = run->schedule->rounds_count > 0 && n > 0;
    return run->active ? enter_round(run) : RT_OK;
}

rt_status comm_run_complete(struct comm_run *run, int index, const MPI_Status *status)
{
    const struct comm_transfer *t = &run->transfers[index];
    int got = 0;

    run->requests[index] = MPI_REQUEST_NULL;
    run->pending--;
    if (t->bytes == 0) return RT_OK;
    run->receive_bytes -= t->bytes;
    RT_TRY(comm_mpi(MPI_Get_count(status, MPI_BYTE, &got), "MPI_Get_count"));
    if ((size_t)got == t->bytes) return RT_OK;
    return RT_FAIL(RT_EDATA,
                   "rank %d sent %d bytes where this rank expects %zu: the ranks disagree on the "
                   "size of a unit",
                   t->peer, got, t->bytes);
}

/* What has completed meanwhile. */
static rt_status test_requests(struct comm_run *run)
{
    int done = 0;
    const int code =
        MPI_Testsome(run->requests_count, run->requests, &done, run->indices, run->statuses);

    if (code != MPI_SUCCESS && done != MPI_UNDEFINED)
        for (int i = 0; i < done; i++) {
            const struct comm_transfer *t = &run->transfers[run->indices[i]];
            if (run->statuses[i].MPI_ERROR == MPI_ERR_TRUNCATE)
                return RT_FAIL(RT_EDATA,
                               "rank %d sent more than the %zu bytes that this rank expects: the "
                               "ranks disagree on the size of a unit",
                               t->peer, t->bytes);
        }
    RT_TRY(comm_mpi(code, "MPI_Testsome"));
    for (int i = 0; done != MPI_UNDEFINED && i < done; i++)
        RT_TRY(comm_run_complete(run, run->indices[i], &run->statuses[i]));
    return RT_OK;
}

rt_status comm_run_advance(struct comm_run *run, bool test, bool *moved)
{
    while (run->active) {
        const int before = run->pending;
        if (test && run->pending > 0) RT_TRY(test_requests(run));
        if (run->pending != before) *moved = true;
        RT_TRY(post_receives(run));
        if (run->pending > 0) return RT_OK;
        *moved = true;
        if (++run->round < run->schedule->rounds_count)
            RT_TRY(enter_round(run));
        else
            run->active = false;
    }
    return RT_OK;
}
