/* shard/order.h - the static schedule of one pass: which unit is lent when, from which slot, and
 * when that slot is filled
 *
 * Terms    use    one acquire and its release; uses are numbered in their order
 *          fill   one gather of a unit into a slot; begun in the order of their first uses
 * A fill is posted once this rank has released use `from`, and begins once all ranks of the node
 * have released use `after`, which had the slot before: so ranks of a node may be one use apart
 * without waiting for each other.
 */
#ifndef SHARD_ORDER_H
#define SHARD_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "shard/shard.h"

struct shard_use {
    int unit;
    bool backward;
    int slot;
    int fill; /* the fill that brought it; -1: it stands there from an earlier pass */
    int back; /* backward uses before this one */
};

struct shard_fill {
    int unit, slot;
    int use;   /* the first that needs it */
    int from;  /* -1: at the beginning of the pass */
    int after; /* -1: uses of earlier passes only */
};

struct shard_order {
    struct shard_use *uses; /* owned, as the next */
    int uses_count;
    struct shard_fill *fills;
    int fills_count;
    int backs_count;
};

/* keep: every unit has its own slot, which it never leaves (mode GRADS); stale: what stands there
 * is old, so that the first use of each unit fills it. Without keep: depth+1 slots, all empty at
 * the beginning. RT_ENOMEM. */
RT_NODISCARD rt_status shard_order_create(shard_pass pass, int units, int depth, bool keep,
                                          bool stale, struct shard_order *out);
void shard_order_clear(struct shard_order *o);
void shard_order_print(const struct shard_order *o, FILE *out);

#endif
