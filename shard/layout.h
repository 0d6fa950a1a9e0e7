/* shard/layout.h - which elements of which unit this rank owns, and where they lie
 *
 * Needs no MPI. Terms as in shard/shard.h.
 */
#ifndef SHARD_LAYOUT_H
#define SHARD_LAYOUT_H

#include "comm/exchange.h"
#include "shard/shard.h"

struct shard_layout {
    int size, rank; /* over which the layout is cut: hybrid, the node's local ranks */
    int replicas;   /* of the whole: hybrid, nodes; else 1 */
    int units;
    size_t *slice; /* (units) elements: replicas * ceil(n_u / (size * replicas)) */
    size_t *own;   /* (units) where the unit's slice begins in the own arrays */
    size_t own_elements;
    size_t slice_max; /* a slice is `replicas` equal blocks: its sum over them has equal parts */
    struct shard_extent *extents; /* sorted by own */
    size_t extents_count;
};

RT_NODISCARD rt_status shard_layout_create(const struct rt_tensors *t, int size, int rank,
                                           int replicas, struct shard_layout *out);
/* As the mode wants it on these nodes, which need have no MPI behind them. */
RT_NODISCARD rt_status shard_layout_on(const struct rt_tensors *t, shard_mode mode,
                                       const struct comm_nodes *nodes, struct shard_layout *out);
void shard_layout_clear(struct shard_layout *l);

/* Bytes of every buffer, and where things lie in the node's window:
 *     [ slots ][ local rank 0: gradient buffers 0, 1 ][ local rank 1 ] ... */
struct shard_sizes {
    int depth, slots;    /* prefetch, no more than there are other units */
    size_t *slot;        /* (slots) offset in the window, bytes */
    size_t slots_bytes;  /* of the window; page multiples, as the next two */
    size_t buffer_bytes; /* one unit gradient buffer; 0 unless training */
    size_t window_bytes;
    size_t own_bytes;      /* one own array */
    size_t partials_bytes; /* exact: the sums of some micro-steps */
    size_t staging_bytes;
};

enum { SHARD_BUFFERS = 2 }; /* unit gradient buffers a rank */

/* What the exchange of such a shard is asked for, but for its staging. */
struct comm_exchange_options shard_exchange_options(const struct shard_layout *l,
                                                    const struct shard_options *o, int depth);

/* RT_EINVAL: options out of range. `nodes` need have no MPI behind it. */
RT_NODISCARD rt_status shard_sizes_create(const struct shard_layout *l,
                                          const struct shard_options *o,
                                          const struct comm_nodes *nodes, struct shard_sizes *out);
void shard_sizes_clear(struct shard_sizes *z);

#endif
