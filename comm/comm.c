/* comm/comm.c - groups of ranks: starting and ending, splitting, agreement
 *
 * Every MPI call is made on the thread that owns MPI: comm_run_on hands a function over. What waits
 * for other ranks is a non-blocking call and a wait in which everything under way moves on.
 */
#include "comm/group.h"

#include <stdlib.h>

#include "comm/engine.h"
#include "comm/fabric_pml.h"
#include "comm/pause.h"
#include "runtime/log.h"

rt_status comm_mpi(int code, const char *call)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;

    if (code == MPI_SUCCESS) return RT_OK;
    MPI_Error_string(code, text, &length);
    return RT_FAIL(RT_ECOMM, "%s: %s", call, text);
}

rt_status comm_run_on(const struct comm *c, rt_status (*f)(void *), void *arg)
{
    return comm_engine_call(c->engine, f, arg);
}

rt_status comm_run_operation(const struct comm *c, const char *op, uint64_t bytes,
                             rt_status (*f)(void *), void *arg)
{
    struct comm_records *records = comm_engine_records(c->engine);
    const uint64_t record = comm_engine_enter(c->engine, op, -1, bytes);

    comm_records_wait(records, record, true);
    const rt_status st = comm_run_on(c, f, arg);
    comm_records_wait(records, record, false);
    comm_records_leave(records, record);
    return st;
}

rt_status comm_wait_request(const struct comm *c, MPI_Request *request, const char *call)
{
    struct comm_pause pause = {0};
    int done = 0;

    if (comm_engine_blocking(c->engine))
        return comm_mpi(MPI_Wait(request, MPI_STATUS_IGNORE), call);
    for (;;) {
        RT_TRY(comm_mpi(MPI_Test(request, &done, MPI_STATUS_IGNORE), call));
        if (done) return RT_OK;
        if (comm_engine_progress(c->engine))
            pause = (struct comm_pause){0};
        else
            comm_pause(&pause);
    }
}

const char *comm_library(const struct comm *c) { return comm_engine_library(c->engine); }

/* Takes mpi over: into *c, or freed. */
static rt_status wrap(MPI_Comm mpi, struct comm *c)
{
    c->mpi = mpi;
    RT_TRY(comm_mpi(MPI_Comm_set_errhandler(mpi, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler"));
    RT_TRY(comm_mpi(MPI_Comm_rank(mpi, &c->rank), "MPI_Comm_rank"));
    return comm_mpi(MPI_Comm_size(mpi, &c->size), "MPI_Comm_size");
}

struct split {
    const struct comm *parent;
    int color, key;
    struct comm *c; /* filled where this rank is in a group */
    bool member;
};

static rt_status split(void *arg)
{
    struct split *s = arg;
    MPI_Comm mpi = MPI_COMM_NULL;

    RT_TRY(comm_mpi(
        MPI_Comm_split(s->parent->mpi, s->color < 0 ? MPI_UNDEFINED : s->color, s->key, &mpi),
        "MPI_Comm_split"));
    s->member = mpi != MPI_COMM_NULL;
    return s->member ? wrap(mpi, s->c) : RT_OK;
}

rt_status comm_split(const struct comm *parent, int color, int key, struct comm **out)
{
    struct comm *c = calloc(1, sizeof *c);
    struct split s = {.parent = parent, .color = color, .key = key, .c = c};
    rt_status st = c == NULL ? RT_FAIL(RT_ENOMEM, "a group of ranks") : RT_OK;

    *out = NULL;
    if (c != NULL) *c = (struct comm){.mpi = MPI_COMM_NULL, .engine = parent->engine};
    RT_TRY_OUT(comm_agree(parent, st));
    RT_TRY_OUT(comm_run_on(parent, split, &s));
    if (!s.member) goto out;
    *out = c;
    c = NULL; /* the caller's now */
out:
    comm_destroy(&c);
    return st;
}

static rt_status free_group(void *arg)
{
    struct comm *c = arg;
    return comm_mpi(MPI_Comm_free(&c->mpi), "MPI_Comm_free");
}

void comm_destroy(struct comm **c)
{
    if (*c == NULL) return;
    if ((*c)->mpi != MPI_COMM_NULL) (void)!comm_run_on(*c, free_group, *c);
    free((*c)->leaf);
    free(*c);
    *c = NULL;
}

static rt_status wrap_world(void *arg)
{
    struct comm *c = arg;
    MPI_Comm mpi = MPI_COMM_NULL;

    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    RT_TRY(comm_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &mpi), "MPI_Comm_dup"));
    return wrap(mpi, c);
}

static rt_status check_pml(void *arg)
{
    (void)arg;
    comm_pml_check();
    return RT_OK;
}

static rt_status make_world(struct comm_engine *e, struct comm **out)
{
    struct comm *c = calloc(1, sizeof *c);
    rt_status st = RT_OK;

    *out = NULL;
    if (c == NULL) return RT_FAIL(RT_ENOMEM, "the group of all ranks");
    *c = (struct comm){.mpi = MPI_COMM_NULL, .engine = e};
    RT_TRY_OUT(comm_run_on(c, wrap_world, c));
    RT_TRY_OUT(comm_launch_check(c));
    *out = c;
    c = NULL; /* the caller's now */
out:
    comm_destroy(&c);
    return st;
}

static void end_lost_job(void *engine) { comm_engine_abort(engine, COMM_WATCH_EXIT); }

/* The watchdog over all ranks. Collective. */
static rt_status watch(struct comm *w, const struct comm_watch_settings *settings)
{
    struct comm_beat_address mine, *all = calloc((size_t)w->size, sizeof *all);
    struct comm_records *records = NULL;
    struct comm_watch *watch = NULL;
    struct comm_nodes *nodes = NULL;
    rt_status st = all == NULL ? RT_FAIL(RT_ENOMEM, "%d addresses", w->size) : RT_OK;

    RT_TRY_OUT(comm_agree(w, st));
    RT_TRY_OUT(comm_nodes_create(w, 0, &nodes));
    st = comm_records_create(&records);
    if (st == RT_OK)
        st = comm_watch_open(settings, w->size, nodes->node, nodes->nodes, &watch, &mine);
    RT_TRY_OUT(comm_agree(w, st));
    RT_TRY_OUT(comm_allgather(w, &mine, all, sizeof mine));
    const struct comm_watch_job job = {.rank = w->rank,
                                       .size = w->size,
                                       .addresses = all,
                                       .records = records,
                                       .on_verdict = end_lost_job,
                                       .context = w->engine};
    st = comm_watch_start(&watch, &job);
    RT_TRY_OUT(comm_agree(w, st));
    comm_engine_watch(w->engine, records, watch);
    records = NULL; /* the engine's now, as the watchdog */
    watch = NULL;
out:
    comm_watch_finish(&watch);
    comm_records_destroy(&records);
    comm_nodes_destroy(&nodes);
    free(all);
    return st;
}

rt_status comm_init(int *argc, char ***argv, struct comm **world)
{
    struct comm_start_options o = {0};
    struct comm_watch_settings settings;
    struct comm_watch_init *init = NULL;

    *world = NULL;
    RT_TRY(comm_watch_settings_read(&settings));
    RT_TRY(comm_launch_defaults());
    RT_TRY(comm_launch_progress(&o.thread));
    RT_TRY(comm_watch_init_begin(&settings, &init));
    rt_status st = comm_start(&o, argc, argv, world);
    comm_watch_init_end(&init);
    if (st != RT_OK) return st;
    st = comm_order_by_place(world);
    if (st == RT_OK && (*world)->size > 1) st = comm_run_on(*world, check_pml, NULL);
    if (st == RT_OK) rt_log_init((*world)->rank, (*world)->size);
    if (st == RT_OK) st = watch(*world, &settings);
    if (st != RT_OK) comm_finish(world);
    return st;
}

rt_status comm_start(const struct comm_start_options *o, int *argc, char ***argv,
                     struct comm **world)
{
    const struct comm_engine_options options = {.thread = o->thread, .blocking = o->blocking};
    struct comm_engine *e = NULL;

    *world = NULL;
    RT_TRY(comm_engine_start(&options, argc, argv, &e));
    const rt_status st = make_world(e, world);
    if (st != RT_OK) comm_engine_finish(&e);
    return st;
}

void comm_finish(struct comm **world)
{
    if (*world == NULL) return;
    struct comm_engine *e = (*world)->engine;
    comm_destroy(world);
    comm_engine_finish(&e);
}

void comm_abort(struct comm *world, int exit_code) { comm_engine_abort(world->engine, exit_code); }

int comm_rank(const struct comm *c) { return c->rank; }
int comm_size(const struct comm *c) { return c->size; }
bool comm_threaded(const struct comm *c) { return comm_engine_threaded(c->engine); }
void comm_poll(const struct comm *c) { comm_engine_poll(c->engine); }

void comm_step(const struct comm *c, uint64_t step) { comm_engine_step(c->engine, step); }

void comm_phase_begin(const struct comm *c, const char *name, double limit_s)
{
    comm_watch_phase_begin(comm_engine_watched(c->engine), name, limit_s);
}

void comm_phase_end(const struct comm *c) { comm_watch_phase_end(comm_engine_watched(c->engine)); }
