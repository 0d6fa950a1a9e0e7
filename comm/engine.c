/* comm/engine.c - runs a schedule with MPI point-to-point calls */
#include "comm/engine.h"

#include <stdlib.h>

rt_status comm_run_init(struct comm_run *run, const struct comm *comm,
                        const struct comm_schedule *schedule, const struct rt_vector *vector,
                        int tag, size_t block_bytes)
{
    const size_t cuts = block_bytes / COMM_CUT_BYTES + 1;

    *run = (struct comm_run){.schedule = schedule,
                             .comm = comm,
                             .vector = vector,
                             .tag = tag,
                             .round = schedule->rounds_count,
                             .requests_capacity = comm_schedule_transfers(schedule) * cuts};
    run->requests = calloc(run->requests_capacity + 1, sizeof(MPI_Request));
    run->sources = calloc(comm_schedule_most_sources(schedule) + 1, sizeof *run->sources);
    if (run->requests == NULL || run->sources == NULL)
        return RT_FAIL(RT_ENOMEM, "the requests of %zu messages", run->requests_capacity);
    return RT_OK;
}

void comm_run_clear(struct comm_run *run)
{
    free(run->requests);
    free(run->sources);
    *run = (struct comm_run){0};
}

static rt_dtype type_of(const struct comm_run *run, comm_space space)
{
    return space == COMM_SPACE_UNIT   ? run->spaces.unit_type
           : space == COMM_SPACE_WIRE ? run->spaces.wire_type
                                      : RT_F32;
}

/* What local steps write and transfers move: every space but LOCAL. */
static char *address(const struct comm_run *run, struct comm_place p)
{
    const struct comm_spaces *s = &run->spaces;
    const size_t at = p.offset * s->block * rt_dtype_bytes(type_of(run, p.space));
    char *base = p.space == COMM_SPACE_UNIT    ? s->unit
                 : p.space == COMM_SPACE_OWN   ? (char *)s->own
                 : p.space == COMM_SPACE_STAGE ? (char *)s->stage
                                               : s->wire;
    return base + at;
}

static const void *source(const struct comm_run *run, struct comm_place p)
{
    if (p.space == COMM_SPACE_LOCAL)
        return run->spaces.local[p.buffer] + p.offset * run->spaces.block;
    return address(run, p);
}

static rt_status post(struct comm_run *run, const struct comm_step *step)
{
    const size_t bytes =
        step->count * run->spaces.block * rt_dtype_bytes(type_of(run, step->at.space));
    char *at = address(run, step->at);

    for (size_t done = 0; done < bytes; done += COMM_CUT_BYTES) {
        int n = (int)(bytes - done < COMM_CUT_BYTES ? bytes - done : COMM_CUT_BYTES);
        if (run->requests_count == run->requests_capacity)
            return RT_FAIL(RT_EINVAL, "a block of %zu bytes is larger than was announced", bytes);
        MPI_Request *request = &run->requests[run->requests_count++];
        *request = MPI_REQUEST_NULL;
        int code =
            step->kind == COMM_STEP_SEND
                ? MPI_Isend(at + done, n, MPI_BYTE, step->peer, run->tag, run->comm->mpi, request)
                : MPI_Irecv(at + done, n, MPI_BYTE, step->peer, run->tag, run->comm->mpi, request);
        RT_TRY(comm_mpi(code, step->kind == COMM_STEP_SEND ? "MPI_Isend" : "MPI_Irecv"));
    }
    return RT_OK;
}

static rt_status local(struct comm_run *run, const struct comm_step *step)
{
    const struct comm_place *from = &run->schedule->sources[step->source];
    const size_t n = step->count * run->spaces.block;
    char *to = address(run, step->at);

    if (step->kind == COMM_STEP_COPY)
        return run->vector->cast(NULL, to, type_of(run, step->at.space), source(run, from[0]),
                                 type_of(run, from[0].space), n);
    for (int k = 0; k < step->sources; k++) run->sources[k] = source(run, from[k]);
    return run->vector->sum(NULL, (float *)(void *)to, run->sources, step->sources, n,
                            step->at.space == COMM_SPACE_OWN && run->spaces.add);
}

/* The steps of the round under way: transfers are posted, or else local steps are done. */
static rt_status each(struct comm_run *run, bool transfers)
{
    const struct comm_schedule *s = run->schedule;
    const size_t next = run->round + 1;
    const size_t end = next < s->rounds_count ? s->rounds[next] : s->steps_count;

    for (size_t i = s->rounds[run->round]; i < end; i++) {
        const struct comm_step *step = &s->steps[i];
        if ((step->peer >= 0) != transfers) continue;
        RT_TRY(transfers ? post(run, step) : local(run, step));
    }
    return RT_OK;
}

rt_status comm_run_begin(struct comm_run *run, const struct comm_spaces *spaces)
{
    if (run->round < run->schedule->rounds_count)
        return RT_FAIL(RT_EINVAL, "an exchange is begun that has not ended (tag %d)", run->tag);
    run->spaces = *spaces;
    run->requests_count = 0;
    if (run->schedule->rounds_count == 0) return RT_OK;
    run->round = 0;
    return each(run, true);
}

rt_status comm_run_end(struct comm_run *run)
{
    while (run->round < run->schedule->rounds_count) {
        RT_TRY(each(run, false));
        RT_TRY(comm_mpi(MPI_Waitall((int)run->requests_count, run->requests, MPI_STATUSES_IGNORE),
                        "MPI_Waitall"));
        run->requests_count = 0;
        if (++run->round < run->schedule->rounds_count) RT_TRY(each(run, true));
    }
    return RT_OK;
}
