/* comm/window.c - memory that the ranks of a node share, and flags in it
 *
 *   [ flags of local rank 0 | flags of rank 1 | ... ] page [ bytes ... ]
 *
 * A flag has a cache line of its own. Each rank reserves and touches an equal part, so that pages
 * lie near the core that took them and running out is an error on every rank.
 */
#include "comm/window.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "comm/engine.h"
#include "comm/pause.h"
#include "comm/share.h"

enum { LINE_BYTES = 64 };

struct comm_window {
    char *map; /* the whole file */
    size_t map_bytes;
    size_t flags_bytes; /* before base */
    int flags, local_rank, local_size;
    const struct comm *world; /* lent */
    char place[PATH_MAX];
};

static size_t pages(size_t bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (bytes + page - 1) / page * page;
}

/* This rank's part of the file, in whole pages. */
static void part(const struct comm_window *w, size_t *from, size_t *bytes)
{
    const size_t each = pages(w->map_bytes / (size_t)w->local_size + 1);

    *from = each * (size_t)w->local_rank;
    if (*from > w->map_bytes) *from = w->map_bytes;
    *bytes = w->map_bytes - *from < each ? w->map_bytes - *from : each;
}

/* Write to each page, so that it is mapped and counted; what a page holds stays. */
static void touch(const struct comm_window *w)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t from = 0, bytes = 0;

    part(w, &from, &bytes);
#ifdef MADV_POPULATE_WRITE
    if (madvise(w->map + from, bytes, MADV_POPULATE_WRITE) == 0) return;
#endif
    for (size_t i = 0; i < bytes; i += page) {
        _Atomic(char) *at = (_Atomic(char) *)(w->map + from + i);
        atomic_fetch_or_explicit(at, 0, memory_order_relaxed);
    }
}

/* Every rank of the node brings 0 or an errno; all get the largest. */
static rt_status worst_errno(const struct comm *local, int mine, int *worst)
{
    double value = mine;

    RT_TRY(comm_max_f64(local, &value, 1));
    *worst = (int)value;
    return RT_OK;
}

/* Why each place that was tried will not do, for the message. */
struct refusals {
    char text[2048];
};

static void note(struct refusals *all, const char *place, const char *why)
{
    size_t used = strlen(all->text);
    snprintf(all->text + used, sizeof all->text - used, "%s%.255s: %.255s", used > 0 ? "; " : "",
             place, why);
}

/* The first rank makes the file in the next place that has the room, and tells the others. */
static rt_status offer(const struct comm_nodes *nodes, const struct comm_window *w, int *next,
                       struct comm_share *s, int *fd, struct refusals *why)
{
    char reason[COMM_SHARE_WHY] = "";

    *fd = -1;
    *s = (struct comm_share){0};
    while (nodes->local_rank == 0 && *fd < 0) {
        const char *place = comm_share_place((*next)++);
        if (place == NULL) break;
        *fd = comm_share_make(place, w->map_bytes, s, reason);
        if (*fd < 0) note(why, place, reason);
    }
    return comm_bcast(nodes->local, 0, s, sizeof *s);
}

/* Then the others open it and each reserves its part. *fd is -1 where the place will not do. */
static rt_status settle(const struct comm_nodes *nodes, const struct comm_window *w,
                        const struct comm_share *s, int *fd, struct refusals *why)
{
    char reason[COMM_SHARE_WHY];
    int code = 0, worst = 0;
    size_t from = 0, bytes = 0;

    if (nodes->local_rank > 0) *fd = comm_share_open(s);
    code = *fd < 0 ? errno : 0;
    RT_TRY(worst_errno(nodes->local, code, &worst)); /* its name stays until all have it open */
    if (nodes->local_rank == 0) comm_share_unlink(s);
    if (worst == 0) {
        part(w, &from, &bytes);
        code = comm_share_reserve(*fd, from, bytes);
        RT_TRY(worst_errno(nodes->local, code, &worst));
    }
    if (worst == 0) return RT_OK;
    if (*fd >= 0) close(*fd); /* gives back what was reserved */
    *fd = -1;
    snprintf(reason, sizeof reason, "%.120s, %" PRIu64 " bytes free", strerror(worst),
             comm_share_free(s->place));
    note(why, s->place, reason);
    return RT_OK;
}

static rt_status no_place(size_t bytes, const char *why)
{
    return RT_FAIL(RT_ENOMEM,
                   "no place for %zu bytes that the ranks of a node share (%s): enlarge /dev/shm "
                   "(containers: --shm-size), name a roomier directory in RECUA_WINDOW, lower "
                   "shard.prefetch, or use more nodes",
                   bytes, why);
}

/* Map the file into *w. Collective over nodes->local; the status may differ by node. */
static rt_status map_somewhere(const struct comm_nodes *nodes, struct comm_window *w)
{
    struct refusals why = {""};
    struct comm_share *s = calloc(1, sizeof *s);
    int fd = -1, next = 0;
    rt_status st = s == NULL ? RT_FAIL(RT_ENOMEM, "the name of a window") : RT_OK;

    RT_TRY_OUT(comm_agree(nodes->local, st));
    do {
        RT_TRY_OUT(offer(nodes, w, &next, s, &fd, &why));
        if (s->place[0] != '\0') RT_TRY_OUT(settle(nodes, w, s, &fd, &why));
    } while (fd < 0 && s->place[0] != '\0');
    if (fd < 0) {
        st = nodes->local_rank == 0 ? no_place(w->map_bytes, why.text) : RT_ENOMEM;
        goto out;
    }
    void *map = mmap(NULL, w->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        st = RT_FAIL(RT_ENOMEM, "mapping %zu bytes of %s: %s", w->map_bytes, s->place,
                     strerror(errno));
        goto out;
    }
    w->map = map;
    snprintf(w->place, sizeof w->place, "%s", s->place);
    touch(w);
out:
    if (fd >= 0) close(fd);
    free(s);
    return st;
}

rt_status comm_window_create(const struct comm_nodes *nodes, size_t bytes, int flags,
                             struct comm_window **out)
{
    struct comm_window *w = calloc(1, sizeof *w);
    rt_status st = w == NULL ? RT_FAIL(RT_ENOMEM, "a window") : RT_OK;

    *out = NULL;
    RT_TRY_OUT(comm_agree(nodes->world, st));
    w->flags = flags;
    w->local_rank = nodes->local_rank;
    w->local_size = nodes->local_size;
    w->world = nodes->world;
    w->flags_bytes = pages((size_t)nodes->local_size * (size_t)flags * LINE_BYTES);
    w->map_bytes = w->flags_bytes + pages(bytes);
    st = map_somewhere(nodes, w);
    RT_TRY_OUT(comm_agree(nodes->world, st));
    *out = w;
    w = NULL; /* the caller's now */
out:
    comm_window_destroy(&w);
    return st;
}

void comm_window_destroy(struct comm_window **w)
{
    if (*w == NULL) return;
    if ((*w)->map != NULL) munmap((*w)->map, (*w)->map_bytes);
    free(*w);
    *w = NULL;
}

void *comm_window_base(const struct comm_window *w) { return w->map + w->flags_bytes; }
const char *comm_window_place(const struct comm_window *w) { return w->place; }

static _Atomic(uint64_t) *flag_at(const struct comm_window *w, int local_rank, int flag)
{
    const size_t line = (size_t)local_rank * (size_t)w->flags + (size_t)flag;
    return (_Atomic(uint64_t) *)(void *)(w->map + line * LINE_BYTES);
}

void comm_window_signal(struct comm_window *w, int flag, uint64_t value)
{
    atomic_store_explicit(flag_at(w, w->local_rank, flag), value, memory_order_release);
}

static bool has_reached(const struct comm_window *w, int local_rank, int flag, uint64_t value)
{
    return atomic_load_explicit(flag_at(w, local_rank, flag), memory_order_acquire) >= value;
}

bool comm_window_reached(const struct comm_window *w, int flag, uint64_t value)
{
    return has_reached(w, w->local_rank, flag, value) &&
           comm_window_reached_elsewhere(w, flag, value);
}

bool comm_window_reached_elsewhere(const struct comm_window *w, int flag, uint64_t value)
{
    for (int r = 0; r < w->local_size; r++)
        if (r != w->local_rank && !has_reached(w, r, flag, value)) return false;
    return true;
}

void comm_window_await(const struct comm_window *w, int flag, uint64_t value)
{
    struct comm_pause pause = {0};

    if (comm_window_reached(w, flag, value)) return;
    struct comm_records *records = comm_engine_records(w->world->engine);
    comm_records_wait(records, 0, true);
    comm_engine_waits(w->world->engine, true);
    for (int r = 0; r < w->local_size;) {
        if (has_reached(w, r, flag, value)) {
            r++;
            continue;
        }
        comm_poll(w->world); /* or the rank that would set it might wait for us */
        comm_pause_long(&pause);
    }
    comm_engine_waits(w->world->engine, false);
    comm_records_wait(records, 0, false);
}
