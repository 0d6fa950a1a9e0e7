/* jobs/generate.c - see generate.h */
#include "jobs/generate.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "checkpoint/checkpoint.h"
#include "jobs/train/lend.h"
#include "jobs/train/runfile.h"
#include "model/kernels.h"
#include "shard/shard.h"

struct generator {
    struct comm *world; /* lent */
    struct comm_nodes *nodes;
    struct checkpoint *checkpoint;
    struct runfile *run; /* as it lies in the checkpoint */
    struct tokenizer *tokenizer;
    struct rt_tensors *tensors;
    struct rt_memory *memory;
    struct shard *shard;
    struct model *model;
    int sequences;
    int32_t *column; /* (sequences, context): what is fed */
    float *logits;   /* (sequences, V) */
};

/* SentencePiece reads files, so the bytes out of the checkpoint pass through one in memory. */
static rt_status load_tokenizer(const struct checkpoint *c, struct tokenizer **out)
{
    char path[64];
    void *bytes = NULL;
    size_t count = 0;
    int fd = -1;
    rt_status st;

    RT_TRY_OUT(checkpoint_file(c, "tokenizer.model", &bytes, &count));
    fd = memfd_create("recua-tokenizer", MFD_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (fd < 0 || write(fd, bytes, count) != (ssize_t)count) {
        st = RT_FAIL(RT_EIO, "the tokenizer of %s could not be put into memory: %s",
                     checkpoint_path(c), strerror(errno));
        goto out;
    }
    st = tokenizer_load(path, out);
out:
    if (fd >= 0) (void)close(fd);
    free(bytes);
    return st;
}

static rt_status load_run(const struct checkpoint *c, struct runfile **out)
{
    void *text = NULL;
    size_t bytes = 0;
    char name[4096];
    rt_status st;

    RT_TRY_OUT(checkpoint_file(c, "run.yaml", &text, &bytes));
    snprintf(name, sizeof name, "%s/run.yaml", checkpoint_path(c));
    st = runfile_parse(text, bytes, name, NULL, 0, out);
out:
    free(text);
    return st;
}

/* What one rank can do alone: files and checks. */
static rt_status open_files(struct generator *g)
{
    RT_TRY(load_run(g->checkpoint, &g->run));
    RT_TRY(load_tokenizer(g->checkpoint, &g->tokenizer));
    if (tokenizer_vocabulary(g->tokenizer) > g->run->model.vocabulary)
        return RT_FAIL(RT_EDATA, "%s: the tokenizer has %d tokens, the model %d",
                       checkpoint_path(g->checkpoint), tokenizer_vocabulary(g->tokenizer),
                       g->run->model.vocabulary);
    RT_TRY(model_tensors_create(&g->run->model, &g->tensors));
    const size_t rows = (size_t)g->sequences, C = (size_t)g->run->model.context;
    g->column = malloc(rows * C * sizeof *g->column);
    g->logits = malloc(rows * (size_t)g->run->model.vocabulary * sizeof *g->logits);
    if (g->column == NULL || g->logits == NULL)
        return RT_FAIL(RT_ENOMEM, "logits of %d sequences", g->sequences);
    return RT_OK;
}

static rt_status build(struct generator *g, const struct kernels *kernels,
                       const struct rt_vector *vector)
{
    const struct comm_nodes *n = g->nodes;
    const struct model_options mo = {.kernels = kernels,
                                     .compute = g->run->compute,
                                     .max_sequences = g->sequences,
                                     .cache_sequences = g->sequences};
    const struct shard_options so = {.mode = SHARD_GRADS,
                                     .compute = g->run->compute,
                                     .wire = RT_F32,
                                     .algorithm = "auto",
                                     .vector = vector};
    const struct shard_shape shape = {.size = comm_size(g->world),
                                      .rank = comm_rank(g->world),
                                      .nodes = n->nodes,
                                      .local_size = n->local_size,
                                      .first = n->first};
    struct rt_plan plan = {0};
    rt_status st;

    st = shard_plan(g->tensors, &so, &shape, &plan);
    if (st == RT_OK) st = model_plan(&g->run->model, &mo, &plan);
    if (st == RT_OK) st = rt_memory_create(&plan, &g->memory);
    rt_plan_clear(&plan);
    RT_TRY(comm_agree(g->world, st));
    RT_TRY(shard_create(g->tensors, &so, n, g->memory, &g->shard));
    st = model_create(&g->run->model, &mo, g->tensors, g->memory, &g->model);
    return comm_agree(g->world, st);
}

static rt_status load_weights(struct generator *g)
{
    struct checkpoint_state state = {.tensors = g->tensors, .master = shard_master(g->shard)};

    state.extents = shard_extents(g->shard, &state.extent_count);
    RT_TRY(checkpoint_load(g->world, g->checkpoint, &state));
    shard_weights_changed(g->shard);
    return RT_OK;
}

rt_status generator_open(const char *checkpoint, struct comm *world, int sequences,
                         const char *kernels, struct generator **out)
{
    struct generator *g = calloc(1, sizeof *g);
    const struct kernels *k = NULL;
    const struct rt_vector *v = NULL;
    rt_status st;

    *out = NULL;
    st = g == NULL ? RT_FAIL(RT_ENOMEM, "a generator") : RT_OK;
    RT_TRY_OUT(comm_agree(world, st));
    g->world = world;
    g->sequences = sequences;
    RT_TRY_OUT(checkpoint_open_all(world, checkpoint, &g->checkpoint));
    RT_TRY_OUT(comm_agree(world, open_files(g)));
    if (kernels == NULL) kernels = g->run->kernels;
    st = kernels_find(kernels, &k);
    if (st == RT_OK) st = rt_vector_find(kernels, &v);
    RT_TRY_OUT(comm_agree(world, st));
    RT_TRY_OUT(comm_nodes_create(world, 0, &g->nodes));
    RT_TRY_OUT(build(g, k, v));
    RT_TRY_OUT(load_weights(g));
    *out = g;
    g = NULL; /* the caller's now */
out:
    generator_close(&g);
    return st;
}

void generator_close(struct generator **g)
{
    if (*g == NULL) return;
    model_destroy(&(*g)->model);
    shard_destroy(&(*g)->shard);
    rt_memory_destroy(&(*g)->memory);
    model_tensors_destroy(&(*g)->tensors);
    comm_nodes_destroy(&(*g)->nodes);
    tokenizer_destroy(&(*g)->tokenizer);
    runfile_destroy(&(*g)->run);
    checkpoint_close(&(*g)->checkpoint);
    free((*g)->column);
    free((*g)->logits);
    free(*g);
    *g = NULL;
}

const struct tokenizer *generator_tokenizer(const struct generator *g) { return g->tokenizer; }
const struct model_config *generator_config(const struct generator *g) { return &g->run->model; }
const char *generator_path(const struct generator *g) { return checkpoint_path(g->checkpoint); }

/* Feed t tokens a sequence (g->column) at `position`; g->logits are those behind the last. */
static rt_status feed(struct generator *g, int t, int position)
{
    const struct model_weights w = lend_weights(g->shard);

    RT_TRY(shard_begin(g->shard, SHARD_PASS_FORWARD, 0));
    RT_TRY(model_decode(g->model, &w, g->column, g->sequences, t, position, g->logits));
    return shard_end(g->shard);
}

/* Draw one token for every sequence that goes on; *open: how many still do after it. */
static rt_status draw_row(struct generator *g, struct sampler *s, int i, int most, int32_t *tokens,
                          double *logprobs, int *lengths, int *open)
{
    const size_t V = (size_t)g->run->model.vocabulary;

    *open = 0;
    for (int b = 0; b < g->sequences; b++) {
        const size_t at = (size_t)b * (size_t)most + (size_t)i;
        g->column[b] = TOKENIZER_EOS;
        const bool ended = i > 0 && tokens[at - 1] == TOKENIZER_EOS;
        if (lengths[b] < i || ended) continue;
        RT_TRY(sampler_draw(s, g->logits + (size_t)b * V, (uint64_t)b, (uint64_t)i, &tokens[at],
                            &logprobs[at]));
        g->column[b] = tokens[at];
        lengths[b] = i + 1;
        if (tokens[at] != TOKENIZER_EOS) (*open)++;
    }
    return RT_OK;
}

/* Rank 0 draws, all feed what it drew: ranks whose last bits differ still go on together. */
static rt_status draw_together(struct generator *g, struct sampler *s, int i, int most,
                               int32_t *tokens, double *logprobs, int *lengths, int *open)
{
    rt_status st = RT_OK;

    if (comm_rank(g->world) == 0) st = draw_row(g, s, i, most, tokens, logprobs, lengths, open);
    RT_TRY(comm_agree(g->world, st));
    RT_TRY(comm_bcast(g->world, 0, g->column, (size_t)g->sequences * sizeof *g->column));
    return comm_bcast(g->world, 0, open, sizeof *open);
}

rt_status generator_run(struct generator *g, struct sampler *s, const int32_t *prompt, size_t count,
                        int most, int32_t *tokens, double *logprobs, int *lengths)
{
    const int context = g->run->model.context, B = g->sequences;

    if (count >= (size_t)context)
        return RT_FAIL(RT_EINVAL,
                       "the prompt has %zu tokens with <s>, the model's context is %d: shorten it "
                       "to at most %d",
                       count, context, context - 1);
    const int t = (int)count;
    const int steps = most < context - t ? most : context - t;
    for (int b = 0; b < B; b++) {
        lengths[b] = 0;
        for (int i = 0; i < t; i++) g->column[b * t + i] = prompt[i];
    }
    RT_TRY(feed(g, t, 0));
    for (int i = 0, open = B; i < steps && open > 0; i++) {
        RT_TRY(draw_together(g, s, i, most, tokens, logprobs, lengths, &open));
        if (i + 1 < steps && open > 0) RT_TRY(feed(g, 1, t + i));
    }
    return RT_OK;
}
