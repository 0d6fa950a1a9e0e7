/* jobs/train/batch.c - this rank's samples: token files, the reader ahead, made-up tokens */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jobs/train/train_impl.h"
#include "runtime/data/tokenizer.h"
#include "runtime/rng.h"

static rt_status open_file(const struct runfile *r, size_t i, struct train *t)
{
    const char *file = r->data.sources[i].file;
    const struct tokens_info *info;

    if (access(file, F_OK) != 0)
        return RT_FAIL(RT_EMISSING,
                       "%s: no such token file (data.sources); `recua data prepare` makes one, and "
                       "for the run files tiny and small run jobs/quickstart",
                       file);
    RT_TRY(tokens_open(file, &t->files[i]));
    info = tokens_info(t->files[i]);
    if (info->vocabulary > r->model.vocabulary)
        return RT_FAIL(
            RT_EDATA,
            "%s: its tokens are of a vocabulary of %d, model.vocabulary is %d: set it to "
            "%d, or prepare the text with a smaller tokenizer",
            file, info->vocabulary, r->model.vocabulary, info->vocabulary);
    const uint64_t first = tokens_info(t->files[0])->tokenizer_digest;
    if (info->tokenizer_digest != first)
        return RT_FAIL(RT_EDATA,
                       "%s: made with tokenizer %016llx, %s with %016llx: prepare all sources with "
                       "one tokenizer",
                       file, (unsigned long long)info->tokenizer_digest, r->data.sources[0].file,
                       (unsigned long long)first);
    return RT_OK;
}

static rt_status check_tokenizer(const struct runfile *r, const struct train *t)
{
    const uint64_t wanted = tokens_info(t->files[0])->tokenizer_digest;
    struct tokenizer *tokenizer = NULL;

    if (r->data.tokenizer[0] == '\0') return RT_OK;
    if (access(r->data.tokenizer, F_OK) != 0)
        return RT_FAIL(RT_EMISSING,
                       "%s: no such tokenizer (data.tokenizer); `recua tokenizer train` makes one, "
                       "and for the run files tiny and small run jobs/quickstart",
                       r->data.tokenizer);
    RT_TRY(tokenizer_load(r->data.tokenizer, &tokenizer));
    const uint64_t digest = tokenizer_digest(tokenizer);
    tokenizer_destroy(&tokenizer);
    if (digest != wanted)
        return RT_FAIL(RT_EDATA,
                       "%s (digest %016llx) and %s (made with %016llx) do not belong together: "
                       "prepare the text with this tokenizer, or name the one it was made with",
                       r->data.tokenizer, (unsigned long long)digest, r->data.sources[0].file,
                       (unsigned long long)wanted);
    return RT_OK;
}

static uint64_t mix(uint64_t digest, uint64_t value)
{
    return rt_rng_u64(rt_rng_key(digest, "data"), value);
}

/* Of all files in their order, with their weights where there are several: the same only for the
 * same data. */
static uint64_t digest_of(const struct runfile *r, struct tokens *const *files)
{
    uint64_t digest = tokens_info(files[0])->data_digest, weight;

    _Static_assert(sizeof weight == sizeof r->data.sources[0].weight, "the bits of a weight");
    for (size_t i = 0; r->data.source_count > 1 && i < r->data.source_count; i++) {
        if (i > 0) digest = mix(digest, tokens_info(files[i])->data_digest);
        memcpy(&weight, &r->data.sources[i].weight, sizeof weight);
        digest = mix(digest, weight);
    }
    return digest;
}

/* Read all of a split for the check of tokens_read: a token beyond the vocabulary must not wait for
 * the step that draws it. */
static rt_status check_split(const struct tokens *file, tokens_split split, uint64_t count)
{
    enum { STRETCH = 16384 };
    int32_t stretch[STRETCH];

    for (uint64_t i = 0; i < count; i += STRETCH) {
        const uint64_t left = count - i;
        RT_TRY(tokens_read(file, split, i, left < STRETCH ? (size_t)left : STRETCH, stretch));
    }
    return RT_OK;
}

rt_status train_check_tokens(const struct train *t)
{
    const struct runfile *r = t->run;

    for (size_t i = 0; i < r->data.source_count; i++) {
        const struct tokens_info *info = tokens_info(t->files[i]);
        RT_TRY(check_split(t->files[i], TOKENS_TRAIN, info->train));
        if (r->evaluate.interval > 0)
            RT_TRY(check_split(t->files[i], TOKENS_HELDOUT, info->heldout));
    }
    return RT_OK;
}

static rt_status make_loaders(const struct runfile *r, struct train *t,
                              const struct loader_source *sources)
{
    const size_t n = r->data.source_count;
    struct loader_source *held = calloc(n, sizeof *held);
    size_t held_count = 0;
    rt_status st;

    if (held == NULL) return RT_FAIL(RT_ENOMEM, "%zu sources", n);
    for (size_t i = 0; i < n; i++)
        if (tokens_info(t->files[i])->heldout > (uint64_t)r->model.context)
            held[held_count++] = sources[i];
    RT_TRY_OUT(loader_create(sources, n, TOKENS_TRAIN, r->model.context, r->seed, &t->samples));
    RT_TRY_OUT(loader_ahead_start(t->samples, (size_t)t->work.count));
    if (held_count > 0)
        st =
            loader_create(held, held_count, TOKENS_HELDOUT, r->model.context, r->seed, &t->heldout);
out:
    free(held);
    return st;
}

rt_status train_open_data(struct train *t)
{
    const struct runfile *r = t->run;
    const size_t n = r->data.source_count;
    struct loader_source *sources = NULL;
    rt_status st;

    if (n == 0)
        return RT_FAIL(RT_EINVAL, "data.sources is empty: name a token file with data.file");
    t->files = calloc(n, sizeof(struct tokens *));
    sources = calloc(n, sizeof *sources);
    if (t->files == NULL || sources == NULL) RT_TRY_OUT(RT_FAIL(RT_ENOMEM, "%zu sources", n));
    for (size_t i = 0; i < n; i++) {
        RT_TRY_OUT(open_file(r, i, t));
        sources[i] = (struct loader_source){t->files[i], r->data.sources[i].weight};
    }
    RT_TRY_OUT(check_tokenizer(r, t));
    t->data_digest = digest_of(r, t->files);
    st = make_loaders(r, t, sources);
out:
    free(sources);
    return st;
}

void train_close_data(struct train *t)
{
    loader_destroy(&t->samples);
    loader_destroy(&t->heldout);
    for (size_t i = 0; t->files != NULL && i < t->run->data.source_count; i++)
        tokens_close(&t->files[i]);
    free(t->files);
    t->files = NULL;
}

/* The global samples of this rank in the step that begins with sample `start`, in the order of its
 * micro-steps. */
static void list_wanted(struct train *t, uint64_t start)
{
    size_t n = 0;
    int first;

    for (int m = 0; m < t->work.micro_steps; m++) {
        const int count = work_micro(&t->work, m, &first);
        for (int i = 0; i < count; i++) t->wanted[n++] = start + (uint64_t)(first + i);
    }
}

/* Tell the reader which samples the step that begins with global sample `start` wants. */
static rt_status announce(struct train *t, uint64_t start)
{
    list_wanted(t, start);
    RT_TRY(loader_announce(t->samples, t->wanted, (size_t)t->work.count));
    t->announced = true;
    return RT_OK;
}

/* Token k of made-up sample i is a function of the seed and both. */
static void make_sample(const struct train *t, uint64_t i, int32_t *inputs, int32_t *targets)
{
    const uint64_t T = (uint64_t)t->run->model.context, V = (uint64_t)t->run->model.vocabulary;
    const struct rt_rng_key key = rt_rng_key(t->run->seed, "train:synthetic");

    for (uint64_t k = 0; k <= T; k++) {
        const int32_t token = (int32_t)(rt_rng_u64(key, i * (T + 1) + k) % V);
        if (k < T) inputs[k] = token;
        if (k > 0) targets[k - 1] = token;
    }
}

rt_status train_read_batch(struct train *t, uint64_t *valid)
{
    const size_t T = (size_t)t->run->model.context;
    const uint64_t G = (uint64_t)t->run->batch.global_sequences;

    if (t->samples != NULL && !t->announced) RT_TRY(announce(t, t->next_sample));
    if (t->samples == NULL) list_wanted(t, t->next_sample);
    for (size_t i = 0; i < (size_t)t->work.count; i++) {
        int32_t *inputs = t->inputs + i * T, *targets = t->targets + i * T;
        if (t->samples != NULL)
            RT_TRY(loader_next(t->samples, inputs, targets));
        else
            make_sample(t, t->wanted[i], inputs, targets);
    }
    if (t->samples != NULL) RT_TRY(announce(t, t->next_sample + G));
    *valid = 0;
    for (size_t i = 0; i < (size_t)t->work.count * T; i++)
        if (t->targets[i] >= 0) (*valid)++;
    return RT_OK;
}
