/* runtime/data/loader.c - see loader.h
 *
 * Sample i lies in block i / 1024. A keyed permutation of the block's 1024 places says which place
 * it takes; each source owns as many consecutive places as its share. The j-th place of source s
 * in block b is that source's visit b * share + j; visits run through its samples in a keyed
 * permutation, a new one each epoch.
 *     weights are rounded to whole samples of a block (largest remainder, at least one each)
 */
#include "runtime/data/loader.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/data/loader_ahead.h"
#include "runtime/log.h"
#include "runtime/rng.h"

enum { BLOCK = 1024 };

struct source {
    const struct tokens *tokens; /* lent */
    uint64_t samples;            /* an epoch */
    uint64_t share;              /* places of a block */
    uint64_t first;              /* of its places */
    struct rt_rng_key order;
};

struct loader {
    struct source *sources; /* (count) */
    size_t count;
    tokens_split split;
    int context;
    uint64_t samples; /* an epoch of all */
    struct rt_rng_key mix;
    struct ahead *ahead; /* or NULL */
};

/* The key of the n-th thing under a key. */
static struct rt_rng_key key_of(struct rt_rng_key key, uint64_t n)
{
    const uint64_t bits = rt_rng_u64(key, n);
    return (struct rt_rng_key){{(uint32_t)bits, (uint32_t)(bits >> 32)}};
}

/* Give the source that lags most behind its weight one place more, or take one from the source
 * that is most ahead, until the shares fill a block. */
static void settle_shares(struct loader *l, const struct loader_source *sources, double total,
                          uint64_t used)
{
    while (used != BLOCK) {
        const double sign = used < BLOCK ? 1 : -1;
        size_t best = l->count;
        double most = -INFINITY;
        for (size_t s = 0; s < l->count; s++) {
            const double exact = sources[s].weight / total * BLOCK;
            const double lag = sign * (exact - (double)l->sources[s].share);
            if (lag > most && (sign > 0 || l->sources[s].share > 1)) {
                most = lag;
                best = s;
            }
        }
        if (sign > 0) {
            l->sources[best].share++;
            used++;
        } else {
            l->sources[best].share--;
            used--;
        }
    }
}

static rt_status set_shares(struct loader *l, const struct loader_source *sources)
{
    double total = 0;
    uint64_t used = 0, first = 0;

    if (l->count < 1 || l->count > BLOCK)
        return RT_FAIL(RT_EINVAL, "%zu data sources, must be from 1 to %d", l->count, BLOCK);
    for (size_t s = 0; s < l->count; s++) {
        if (!(sources[s].weight > 0) || !isfinite(sources[s].weight))
            return RT_FAIL(RT_EINVAL, "%s: weight is %g, must be above 0",
                           tokens_path(sources[s].tokens), sources[s].weight);
        total += sources[s].weight;
    }
    for (size_t s = 0; s < l->count; s++) {
        const double exact = sources[s].weight / total * BLOCK;
        l->sources[s].share = exact < 1 ? 1 : (uint64_t)exact;
        used += l->sources[s].share;
    }
    settle_shares(l, sources, total, used);
    for (size_t s = 0; s < l->count; s++) {
        const double exact = sources[s].weight / total * BLOCK;
        l->sources[s].first = first;
        first += l->sources[s].share;
        if (fabs((double)l->sources[s].share - exact) > 0.05 * exact)
            rt_log_once(RT_LOG_WARN,
                        "%s: weight of %.6f is rounded to %" PRIu64 "/%d of the samples",
                        tokens_path(sources[s].tokens), sources[s].weight / total,
                        l->sources[s].share, BLOCK);
    }
    return RT_OK;
}

static rt_status set_sources(struct loader *l, const struct loader_source *sources, uint64_t seed)
{
    const char *split = l->split == TOKENS_TRAIN ? "train" : "heldout";
    char purpose[64];

    for (size_t s = 0; s < l->count; s++) {
        const struct tokens_info *info = tokens_info(sources[s].tokens);
        const uint64_t tokens = l->split == TOKENS_TRAIN ? info->train : info->heldout;
        if (tokens < (uint64_t)l->context + 1)
            return RT_FAIL(RT_EDATA,
                           "%s: %s has %" PRIu64 " tokens, one sample needs %d (the context and "
                           "one); give more text or a shorter context",
                           tokens_path(sources[s].tokens), split, tokens, l->context + 1);
        snprintf(purpose, sizeof purpose, "data:%s:source:%zu", split, s);
        l->sources[s].tokens = sources[s].tokens;
        l->sources[s].samples = (tokens - 1) / (uint64_t)l->context;
        l->sources[s].order = rt_rng_key(seed, purpose);
        l->samples += l->sources[s].samples;
    }
    snprintf(purpose, sizeof purpose, "data:%s:mix", split);
    l->mix = rt_rng_key(seed, purpose);
    return RT_OK;
}

rt_status loader_create(const struct loader_source *sources, size_t count, tokens_split split,
                        int context, uint64_t seed, struct loader **out)
{
    struct loader *l = calloc(1, sizeof *l);
    rt_status st;

    *out = NULL;
    if (context < 1) {
        st = RT_FAIL(RT_EINVAL, "context is %d, must be at least 1", context);
        goto out;
    }
    if (l != NULL) l->sources = calloc(count > 0 ? count : 1, sizeof *l->sources);
    if (l == NULL || l->sources == NULL) {
        st = RT_FAIL(RT_ENOMEM, "a loader of %zu sources", count);
        goto out;
    }
    l->count = count;
    l->split = split;
    l->context = context;
    RT_TRY_OUT(set_shares(l, sources));
    RT_TRY_OUT(set_sources(l, sources, seed));
    *out = l;
    l = NULL;
out:
    loader_destroy(&l);
    return st;
}

void loader_destroy(struct loader **l)
{
    if (*l == NULL) return;
    ahead_destroy(&(*l)->ahead);
    free((*l)->sources);
    free(*l);
    *l = NULL;
}

uint64_t loader_samples_per_epoch(const struct loader *l) { return l->samples; }

void loader_place(const struct loader *l, uint64_t i, struct loader_place *out)
{
    const uint64_t block = i / BLOCK;
    const uint64_t place = rt_rng_permute(key_of(l->mix, block), BLOCK, i % BLOCK);
    size_t s = 0;

    while (s + 1 < l->count && place >= l->sources[s + 1].first) s++;
    const struct source *source = &l->sources[s];
    const uint64_t visit = block * source->share + (place - source->first);
    const uint64_t epoch = visit / source->samples;
    const uint64_t sample =
        rt_rng_permute(key_of(source->order, epoch), source->samples, visit % source->samples);
    *out = (struct loader_place){s, sample * (uint64_t)l->context, epoch};
}

/* Inputs and targets are the same tokens, one apart: both are read, so that a token beyond the
 * vocabulary is refused at either end. */
rt_status loader_read(const struct loader *l, uint64_t i, int32_t *inputs, int32_t *targets)
{
    const size_t n = (size_t)l->context;
    struct loader_place p;

    loader_place(l, i, &p);
    const struct tokens *t = l->sources[p.source].tokens;
    RT_TRY(tokens_read(t, l->split, p.first_token, n, inputs));
    memcpy(targets, inputs + 1, (n - 1) * sizeof *targets);
    return tokens_read(t, l->split, p.first_token + n, 1, &targets[n - 1]);
}

rt_status loader_ahead_start(struct loader *l, size_t capacity)
{
    if (l->ahead != NULL) return RT_FAIL(RT_EINVAL, "this loader reads ahead already");
    return ahead_create(l, l->context, capacity, &l->ahead);
}

rt_status loader_announce(struct loader *l, const uint64_t *i, size_t count)
{
    if (l->ahead == NULL) return RT_FAIL(RT_EINVAL, "this loader does not read ahead");
    return ahead_announce(l->ahead, i, count);
}

rt_status loader_next(struct loader *l, int32_t *inputs, int32_t *targets)
{
    if (l->ahead == NULL) return RT_FAIL(RT_EINVAL, "this loader does not read ahead");
    return ahead_next(l->ahead, inputs, targets);
}
