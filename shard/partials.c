/* shard/partials.c - see partials.h
 *
 * An even micro-step ends at the lowest level and is written there; an odd one is written into the
 * gradients, which hold nothing else before the last, and is added to the levels below its own.
 */
#include "shard/partials.h"

#include <stdbool.h>

enum { LEVELS = 31 }; /* of any int */

rt_status shard_partials_levels(int steps, int *out)
{
    int levels = 0;

    if (steps < 1 || (steps & (steps - 1)) != 0)
        return RT_FAIL(RT_EINVAL,
                       "exact sums want 1, 2, 4, 8, ... micro-steps, here are %d: change "
                       "batch.global_sequences or batch.micro_sequences, or set reduce to fast",
                       steps);
    while (1 << levels < steps) levels++;
    *out = levels;
    return RT_OK;
}

static float *level(const struct shard_partials *p, int k) { return p->levels + (size_t)k * p->n; }

static bool is_last(const struct shard_partials *p, int m) { return m == p->steps - 1; }

float *shard_partials_target(const struct shard_partials *p, int m)
{
    return m % 2 == 0 && !is_last(p, m) ? level(p, 0) : p->gradients;
}

rt_status shard_partials_push(const struct shard_partials *p, int m, const struct rt_vector *vector)
{
    const void *parts[LEVELS + 1] = {p->gradients};
    rt_dtype types[LEVELS + 1];
    int full = 0; /* levels that this micro-step completes */

    for (; m >> full & 1; full++) parts[full + 1] = level(p, full);
    if (full == 0) return RT_OK;
    for (int k = 0; k <= full; k++) types[k] = RT_F32;
    /* The newest comes first: a + b and b + a are the same bits, and so the whole chain
     * level[1] + (level[0] + new) is one pass. */
    return vector->reduce(NULL, is_last(p, m) ? p->gradients : level(p, full), RT_F32, parts, types,
                          full + 1, p->n, false, false);
}
