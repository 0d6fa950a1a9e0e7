/* checkpoint/load.c - this rank's extents out of whatever extents the file was written in
 *
 * For each run of elements that this rank owns: find the saved extents it meets, read the blocks
 * it touches, check each, copy the part that is wanted. A block that is wanted whole is read in
 * place. Cost: own bytes, plus at most two blocks an extent and kind that are read in part.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/block.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/file.h"
#include "checkpoint/opened.h"
#include "runtime/log.h"

struct loading {
    const struct manifest *m;
    const struct checkpoint_state *state;
    int kinds;     /* wanted */
    size_t *place; /* (tensors) index of each wanted tensor in the manifest */
    float *block;  /* (MANIFEST_BLOCK), for blocks wanted in part */
    char path[PATH_MAX];
    int fd;
};

static size_t find(const struct manifest *m, const char *name, size_t guess)
{
    if (guess < m->tensor_count && strcmp(m->tensors[guess].name, name) == 0) return guess;
    size_t i = 0;
    while (i < m->tensor_count && strcmp(m->tensors[i].name, name) != 0) i++;
    return i;
}

static rt_status compare_shape(const struct loading *l, const struct manifest_tensor *saved,
                               const struct rt_tensor *t)
{
    const uint64_t columns = t->dims == 2 ? t->shape[1] : 1;

    if (saved->dims == t->dims && saved->shape[0] == t->shape[0] && saved->shape[1] == columns)
        return RT_OK;
    return RT_FAIL(RT_EDATA,
                   "%s is of another model: tensor %s is (%" PRIu64 " x %" PRIu64
                   ") there and (%zu x %" PRIu64 ") here",
                   l->path, t->name, saved->shape[0], saved->shape[1], t->shape[0], columns);
}

/* Find every tensor of this model in the manifest, and no other there. */
static rt_status compare_models(struct loading *l)
{
    const struct rt_tensors *tensors = l->state->tensors;

    for (size_t i = 0; i < tensors->count; i++) {
        const struct rt_tensor *t = &tensors->items[i];
        const size_t at = find(l->m, t->name, i);
        if (at == l->m->tensor_count)
            return RT_FAIL(RT_EDATA, "%s is of another model: it has no tensor %s", l->path,
                           t->name);
        RT_TRY(compare_shape(l, &l->m->tensors[at], t));
        l->place[i] = at;
    }
    for (size_t i = 0; i < l->m->tensor_count; i++) {
        size_t k = i < tensors->count && l->place[i] == i ? i : 0;
        while (k < tensors->count && l->place[k] != i) k++;
        if (k == tensors->count)
            return RT_FAIL(RT_EDATA, "%s is of another model: its tensor %s is unknown here",
                           l->path, l->m->tensors[i].name);
    }
    if (l->kinds > l->m->kinds)
        return RT_FAIL(RT_EDATA,
                       "%s holds weights only, no moments to resume from; start from it anew with "
                       "init: %s",
                       l->path, l->path);
    return RT_OK;
}

/* Elements [first, last) of the tensor, all within extent x, to values. */
static rt_status load_from(const struct loading *l, const struct block_source *s,
                           const struct manifest_extent *x, uint64_t first, uint64_t last,
                           float *values)
{
    for (uint64_t at = first; at < last;) {
        const size_t b = (size_t)((at - x->start) / MANIFEST_BLOCK);
        const uint64_t begin = x->start + (uint64_t)b * MANIFEST_BLOCK;
        const uint64_t end = begin + block_count(x, b);
        const uint64_t until = end < last ? end : last;
        float *to = values + (at - first);

        if (at == begin && until == end) {
            RT_TRY(block_read(s, x, b, to));
        } else {
            RT_TRY(block_read(s, x, b, l->block));
            memcpy(to, l->block + (at - begin), (size_t)(until - at) * sizeof *to);
        }
        at = until;
    }
    return RT_OK;
}

/* The extent of t that holds element `at`. */
static size_t extent_at(const struct manifest *m, const struct manifest_tensor *t, uint64_t at)
{
    size_t low = t->first_extent, high = low + t->extent_count; /* at is in [low, high) */

    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (m->extents[middle].start <= at)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static rt_status load_extent(const struct loading *l, const struct shard_extent *want, int kind,
                             float *values)
{
    const struct manifest_tensor *t = &l->m->tensors[l->place[want->tensor]];
    const struct block_source s = {l->m, t, kind, l->fd, l->path};
    const uint64_t last = want->start + want->count;
    uint64_t at = want->start;

    for (size_t e = extent_at(l->m, t, at); at < last; e++) {
        const struct manifest_extent *x = &l->m->extents[e];
        const uint64_t end = x->start + x->count < last ? x->start + x->count : last;
        RT_TRY(load_from(l, &s, x, at, end, values + (at - want->start)));
        at = end;
    }
    return RT_OK;
}

static rt_status check_wanted(const struct checkpoint_state *state)
{
    if ((state->exp_avg == NULL) != (state->exp_avg_sq == NULL))
        return RT_FAIL(RT_EINVAL, "both moments are loaded, or none");
    for (size_t i = 0; i < state->extent_count; i++) {
        const struct shard_extent *x = &state->extents[i];
        if (x->tensor >= state->tensors->count || x->count == 0 ||
            x->start + x->count > rt_tensor_count(&state->tensors->items[x->tensor]))
            return RT_FAIL(RT_EINVAL, "extent %zu lies outside its tensor", i);
    }
    return RT_OK;
}

/* All that one rank does. */
static rt_status load(struct loading *l)
{
    const struct checkpoint_state *state = l->state;
    float *const own[MANIFEST_KINDS] = {state->master, state->exp_avg, state->exp_avg_sq};

    RT_TRY(check_wanted(state));
    RT_TRY(compare_models(l));
    RT_TRY(file_open(l->path, O_RDONLY, &l->fd));
    for (int kind = 0; kind < l->kinds; kind++)
        for (size_t i = 0; i < state->extent_count; i++)
            RT_TRY(load_extent(l, &state->extents[i], kind, own[kind] + state->extents[i].own));
    return RT_OK;
}

rt_status checkpoint_load(struct comm *world, const struct checkpoint *c,
                          const struct checkpoint_state *state)
{
    struct loading l = {.m = opened_manifest(c), .state = state, .fd = -1};
    rt_status st;

    l.kinds = state->exp_avg == NULL ? 1 : MANIFEST_KINDS;
    l.place = malloc((state->tensors->count + 1) * sizeof *l.place);
    l.block = malloc(MANIFEST_BLOCK_BYTES);
    if (l.place == NULL || l.block == NULL)
        st = RT_FAIL(RT_ENOMEM, "buffers to read %s", checkpoint_path(c));
    else
        st = file_path(l.path, checkpoint_path(c), MANIFEST_STATE);
    if (st == RT_OK) st = load(&l);
    if (l.fd >= 0) close(l.fd);
    free(l.block);
    free(l.place);
    return comm_agree(world, st);
}
