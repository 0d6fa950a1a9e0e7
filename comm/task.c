/* comm/task.c - one operation under way */
#include "comm/task.h"

#include "comm/engine.h"
#include "runtime/trace.h"

static void end_with(struct comm_task *t, rt_status st)
{
    t->status = st;
    atomic_store_explicit(&t->state, COMM_TASK_ENDED, memory_order_relaxed);
}

static void enter(struct comm_task *t, comm_task_state state)
{
    atomic_store_explicit(&t->state, state, memory_order_relaxed);
}

void comm_task_accept(struct comm_task *t)
{
    t->begun = t->ended = 0;
    t->status = RT_OK;
    if (!t->check || t->comm->size == 1) {
        enter(t, COMM_TASK_WAITING);
        return;
    }
    t->sizes[0] = (int64_t)t->slice;
    t->sizes[1] = -(int64_t)t->slice;
    enter(t, COMM_TASK_CHECKING);
    const rt_status st = comm_mpi(MPI_Iallreduce(MPI_IN_PLACE, t->sizes, 2, MPI_INT64_T, MPI_MIN,
                                                 t->comm->mpi, &t->check_request),
                                  "MPI_Iallreduce");
    if (st != RT_OK) end_with(t, st);
}

static rt_status compare_sizes(struct comm_task *t, bool *moved)
{
    int done = 0;

    RT_TRY(comm_mpi(MPI_Test(&t->check_request, &done, MPI_STATUS_IGNORE), "MPI_Test"));
    if (!done) return RT_OK;
    *moved = true;
    enter(t, COMM_TASK_WAITING);
    if (t->sizes[0] == -t->sizes[1]) return RT_OK;
    return RT_FAIL(RT_EINVAL,
                   "the ranks disagree on the size of unit %d: a slice of %lld elements on some, "
                   "of %lld on others, %zu on this one; all ranks must run the same model",
                   t->name, (long long)t->sizes[0], (long long)-t->sizes[1], t->slice);
}

static rt_status cast_own(const struct comm_task *t, size_t from, size_t n)
{
    const rt_dtype type = t->spaces.unit_type;
    const size_t at = t->own_block * t->slice + from;
    char *unit = t->spaces.unit;

    if (t->own == NULL) return RT_OK;
    return t->vector->cast(NULL, unit + (t->spaces.fold ? 0 : at) * rt_dtype_bytes(type), type,
                           t->own + from, RT_F32, n);
}

static rt_status begin_chunk(struct comm_task *t, int slot)
{
    const size_t from = t->begun, left = t->slice - from;
    const size_t n = left < t->chunk ? left : t->chunk;
    const size_t stage_bytes = t->schedule->stage_blocks * n * sizeof(float);
    struct comm_spaces spaces = t->spaces;

    if (t->stage != NULL) {
        spaces.stage = t->stage + (size_t)slot * t->stage_bytes;
        spaces.wire = (char *)spaces.stage + (spaces.fold ? 0 : stage_bytes);
    }
    t->begun += n;
    RT_TRY(cast_own(t, from, n));
    RT_TRY(comm_run_begin(&t->runs[slot], &spaces, from, n, t->tag + slot));
    if (!t->runs[slot].active) t->ended += n;
    return RT_OK;
}

/* Chunks that began together would share every link in step, each round after the other on all of
 * them; so a chunk begins once the one before has its share of the rounds behind it, and the rounds
 * inside nodes go on beside those between nodes. */
static bool is_too_close(const struct comm_task *t, int slot)
{
    const size_t rounds = t->schedule->rounds_count, depth = (size_t)t->depth;
    const struct comm_run *before = &t->runs[(slot + t->depth - 1) % t->depth];

    return t->begun > 0 && rounds > 1 && depth > 1 && before->active &&
           before->round < (rounds + depth - 1) / depth;
}

/* Chunk k goes to slot k mod depth, so that the messages of a tag come in the chunks' order. */
static rt_status advance_chunks(struct comm_task *t, bool test, bool *moved)
{
    for (int slot = 0; slot < t->depth; slot++) {
        struct comm_run *run = &t->runs[slot];
        if (!run->active) continue;
        RT_TRY(comm_run_advance(run, test, moved));
        if (!run->active) t->ended += run->n;
    }
    if (*moved)
        comm_records_round(comm_engine_records(t->comm->engine), t->record,
                           (int)t->runs[0].round + 1, (int)t->schedule->rounds_count);
    while (t->begun < t->slice) {
        const int slot = (int)(t->begun / t->chunk % (size_t)t->depth);
        if (t->runs[slot].active || is_too_close(t, slot)) break;
        RT_TRY(begin_chunk(t, slot));
        *moved = true;
    }
    return RT_OK;
}

static bool neighbours_are_done(const struct comm_flag *f)
{
    return f->window == NULL || comm_window_reached_elsewhere(f->window, f->flag, f->value);
}

void comm_task_advance(struct comm_task *t, bool test, bool *moved)
{
    rt_status st = RT_OK;
    int state = atomic_load_explicit(&t->state, memory_order_relaxed);

    if (state == COMM_TASK_CHECKING) st = compare_sizes(t, moved);
    state = atomic_load_explicit(&t->state, memory_order_relaxed);
    if (st == RT_OK && state == COMM_TASK_WAITING) {
        const struct comm_flag *f = &t->start;
        if (f->window != NULL && !comm_window_reached(f->window, f->flag, f->value)) return;
        if (t->schedule->for_node && !neighbours_are_done(&t->done)) return;
        enter(t, COMM_TASK_RUNNING);
        t->start_s = rt_now_s();
        *moved = true;
        state = COMM_TASK_RUNNING;
    }
    if (st == RT_OK && state == COMM_TASK_RUNNING) {
        st = advance_chunks(t, test, moved);
        if (st == RT_OK && t->ended == t->slice) {
            t->seconds = rt_now_s() - t->start_s;
            end_with(t, RT_OK);
        }
    }
    if (st != RT_OK) end_with(t, st);
}

size_t comm_task_requests(const struct comm_task *t)
{
    size_t n = 0;

    for (int slot = 0; slot < t->depth; slot++)
        if (t->runs[slot].active) n += (size_t)t->runs[slot].requests_count;
    return n;
}
