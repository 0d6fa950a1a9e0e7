/* shard/layout.c - which elements of which unit this rank owns, and where they lie */
#include "shard/layout.h"

#include <stdlib.h>

/* The part of tensor t that lies in this rank's slice of its unit, at most one. */
static bool extent_of(const struct shard_layout *l, const struct rt_tensor *t, size_t index,
                      struct shard_extent *out)
{
    const size_t slice = l->slice[t->unit], from = slice * (size_t)l->rank, to = from + slice;
    const size_t start = t->offset > from ? t->offset : from;
    const size_t stop = t->offset + rt_tensor_count(t) < to ? t->offset + rt_tensor_count(t) : to;

    if (start >= stop) return false;
    *out = (struct shard_extent){.tensor = index,
                                 .start = start - t->offset,
                                 .count = stop - start,
                                 .own = l->own[t->unit] + (start - from)};
    return true;
}

/* Elements of a slice of a unit of n: `replicas` equal blocks. */
static size_t slice_of(size_t n, int size, int replicas)
{
    const size_t blocks = (size_t)size * (size_t)replicas;

    return (n + blocks - 1) / blocks * (size_t)replicas;
}

rt_status shard_layout_create(const struct rt_tensors *t, int size, int rank, int replicas,
                              struct shard_layout *out)
{
    struct shard_layout l = {.size = size, .rank = rank, .replicas = replicas, .units = t->units};
    const size_t units = (size_t)t->units;

    *out = (struct shard_layout){0};
    if (size < 1 || rank < 0 || rank >= size || replicas < 1 || t->units < 1)
        return RT_FAIL(RT_EINVAL, "rank %d of %d with %d units: no such shard", rank, size,
                       t->units);
    l.slice = calloc(units, sizeof *l.slice);
    l.own = calloc(units, sizeof *l.own);
    l.extents = calloc(t->count + 1, sizeof *l.extents);
    if (l.slice == NULL || l.own == NULL || l.extents == NULL) {
        shard_layout_clear(&l);
        return RT_FAIL(RT_ENOMEM, "the layout of %zu tensors", t->count);
    }
    for (size_t u = 0; u < units; u++) {
        l.slice[u] = slice_of(t->unit_elements[u], size, replicas);
        l.own[u] = l.own_elements;
        l.own_elements += l.slice[u];
        if (l.slice[u] > l.slice_max) l.slice_max = l.slice[u];
    }
    /* Tensors are sorted by (unit, offset), so extents come out sorted by own. */
    for (size_t i = 0; i < t->count; i++)
        l.extents_count += extent_of(&l, &t->items[i], i, &l.extents[l.extents_count]);
    *out = l;
    return RT_OK;
}

rt_status shard_layout_on(const struct rt_tensors *t, shard_mode mode,
                          const struct comm_nodes *nodes, struct shard_layout *out)
{
    if (mode == SHARD_HYBRID)
        return shard_layout_create(t, nodes->local_size, nodes->local_rank, nodes->nodes, out);
    return shard_layout_create(t, nodes->first[nodes->nodes],
                               nodes->first[nodes->node] + nodes->local_rank, 1, out);
}

size_t shard_planned_elements(const struct rt_tensors *t, shard_mode mode,
                              const struct shard_shape *shape)
{
    const bool hybrid = mode == SHARD_HYBRID;
    size_t own = 0;

    for (int u = 0; u < t->units; u++)
        own += slice_of(t->unit_elements[u], hybrid ? shape->local_size : shape->size,
                        hybrid ? shape->nodes : 1);
    return own;
}

void shard_layout_clear(struct shard_layout *l)
{
    free(l->slice);
    free(l->own);
    free(l->extents);
    *l = (struct shard_layout){0};
}
