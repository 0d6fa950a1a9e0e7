/* runtime/data/loader.h - which tokens make up global sample i: a pure function of (seed, i)
 *
 * A sample is `context`+1 consecutive tokens of one source: inputs are the first `context`,
 * targets the last. Sources are mixed by weight in blocks of 1024 samples, each block with its
 * exact share, permuted by key; a source's samples are visited in a keyed permutation, a new
 * one each epoch. So any number of ranks sees the same global batches, and the only state of a
 * run's data is one integer: the next global sample.
 * Batches are read ahead on a thread.
 */
#ifndef DATA_LOADER_H
#define DATA_LOADER_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/data/tokens.h"
#include "runtime/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct loader_source {
    const struct tokens *tokens; /* lent for the life of the loader */
    double weight;               /* > 0, need not add up to 1 */
};

struct loader;

/* RT_EDATA: a source has fewer tokens than one sample (file, count and need in the message). */
RT_NODISCARD rt_status loader_create(const struct loader_source *sources, size_t count,
                                     tokens_split split, int context, uint64_t seed,
                                     struct loader **out);
void loader_destroy(struct loader **l);

uint64_t loader_samples_per_epoch(const struct loader *l); /* all sources, once each */

/* Where sample i comes from. */
struct loader_place {
    size_t source;
    uint64_t first_token;
    uint64_t epoch;
};
void loader_place(const struct loader *l, uint64_t i, struct loader_place *out);

/* Sample i: inputs (context), targets (context). */
RT_NODISCARD rt_status loader_read(const struct loader *l, uint64_t i, int32_t *inputs,
                                   int32_t *targets);

/* Say which samples will be wanted next: i[0..count). A thread reads them. Then loader_next
 * gives them in that order (waits if need be). At most one announcement may be outstanding
 * beyond the one being consumed. `count` <= the capacity given at loader_ahead_start. */
RT_NODISCARD rt_status loader_ahead_start(struct loader *l, size_t capacity);
RT_NODISCARD rt_status loader_announce(struct loader *l, const uint64_t *i, size_t count);
RT_NODISCARD rt_status loader_next(struct loader *l, int32_t *inputs, int32_t *targets);
size_t loader_ahead_bytes(int context, size_t capacity); /* for the plan */

#ifdef __cplusplus
}
#endif
#endif
