/* jobs/train/state.c - the state of a job: first values, saved, resumed */
#include <stdlib.h>
#include <string.h>

#include "jobs/train/train_impl.h"
#include "runtime/log.h"
#include "runtime/rng.h"

static void model_json(const struct model_config *c, char *out, size_t bytes)
{
    snprintf(out, bytes,
             "{\"layers\": %d, \"dim\": %d, \"heads\": %d, \"kv_heads\": %d, \"ffn_dim\": %d, "
             "\"vocabulary\": %d, \"context\": %d, \"rope_theta\": %.17g, \"norm_eps\": %.17g}",
             c->layers, c->dim, c->heads, c->kv_heads, c->ffn_dim, c->vocabulary, c->context,
             c->rope_theta, c->norm_eps);
}

static void fill_meta(const struct train *t, struct checkpoint_meta *meta)
{
    *meta = (struct checkpoint_meta){
        .step = t->steps,
        .next_sample = t->next_sample,
        .tokens_total = t->tokens_total,
        .seed = t->run->seed,
        .data_digest = t->data_digest,
        .tokenizer_digest = train_tokenizer_digest(t),
        .ranks = comm_size(t->world),
    };
    model_json(&t->run->model, meta->model, sizeof meta->model);
    /* The same model, data and seed are the same run: no clock, so the same bits come out. */
    snprintf(
        meta->run_id, sizeof meta->run_id, "%016llx",
        (unsigned long long)rt_rng_u64(rt_rng_key(meta->seed, meta->model), meta->data_digest));
}

static void fill_state(struct train *t, bool moments, struct checkpoint_state *state)
{
    *state = (struct checkpoint_state){.tensors = t->tensors, .master = shard_master(t->shard)};
    state->extents = shard_extents(t->shard, &state->extent_count);
    if (moments) {
        state->exp_avg = optim_exp_avg(t->optim);
        state->exp_avg_sq = optim_exp_avg_sq(t->optim);
    }
}

enum { CHECKPOINT_S = 3600 }; /* a save that takes longer hangs: the watchdog ends the job */

rt_status train_save(struct train *t, const char *checkpoints_dir, struct checkpoint_report *report)
{
    struct checkpoint_meta meta;
    struct checkpoint_state state;
    struct checkpoint_files files = {0};
    char *run_yaml = NULL;
    void *tokenizer = NULL;
    rt_status st;

    rt_trace_begin(t->trace, RT_PHASE_CHECKPOINT, "save", -1);
    comm_phase_begin(t->world, "checkpoint", CHECKPOINT_S);
    st = runfile_print(t->run, &run_yaml);
    if (st == RT_OK && t->files != NULL)
        st = tokens_tokenizer(t->files[0], &tokenizer, &files.tokenizer_bytes);
    RT_TRY_OUT(comm_agree(t->world, st));
    files.run_yaml = run_yaml;
    files.run_yaml_bytes = strlen(run_yaml);
    files.tokenizer = tokenizer;
    fill_meta(t, &meta);
    fill_state(t, true, &state);
    if (shard_replica(t->shard) > 0) state.extent_count = 0; /* replica 0 writes every element */
    st = checkpoint_save(t->world, checkpoints_dir, &meta, &files, &state, t->run->checkpoint.keep,
                         report);
out:
    comm_phase_end(t->world);
    rt_trace_end(t->trace);
    free(run_yaml);
    free(tokenizer);
    return st;
}

static rt_status differs(const char *path, const char *what, uint64_t had, uint64_t now)
{
    if (had == now) return RT_OK;
    return RT_FAIL(RT_EDATA, "%s: was made with %s %016llx, this run has %016llx", path, what,
                   (unsigned long long)had, (unsigned long long)now);
}

static rt_status check_model(const struct train *t, const struct checkpoint *c)
{
    char model[sizeof(checkpoint_meta(c)->model)];

    model_json(&t->run->model, model, sizeof model);
    if (strcmp(model, checkpoint_meta(c)->model) == 0) return RT_OK;
    return RT_FAIL(RT_EDATA, "%s: holds another model: %s, the run file says %s",
                   checkpoint_path(c), checkpoint_meta(c)->model, model);
}

static rt_status check_meta(const struct train *t, const struct checkpoint *c)
{
    const struct checkpoint_meta *m = checkpoint_meta(c);
    const char *path = checkpoint_path(c);

    RT_TRY(check_model(t, c));
    RT_TRY(differs(path, "seed", m->seed, t->run->seed));
    RT_TRY(differs(path, "data of digest", m->data_digest, t->data_digest));
    return differs(path, "a tokenizer of digest", m->tokenizer_digest, train_tokenizer_digest(t));
}

/* All ranks the same one; what is wrong with it is said once. On failure *c may be open. */
static rt_status open_checked(const struct train *t, const char *path,
                              rt_status (*check)(const struct train *, const struct checkpoint *),
                              struct checkpoint **c)
{
    rt_status st;

    RT_TRY(checkpoint_open_all(t->world, path, c));
    rt_log_common(true);
    st = check(t, *c);
    rt_log_common(false);
    return comm_agree(t->world, st);
}

/* What to do about a checkpoint whose values turn out damaged. */
static rt_status load(const struct train *t, const struct checkpoint *c,
                      const struct checkpoint_state *state)
{
    const rt_status st = checkpoint_load(t->world, c, state);

    if (st == RT_EDATA)
        rt_log_once(RT_LOG_WARN,
                    "%s is damaged: remove or rename it, and the same command goes on from the "
                    "checkpoint before it",
                    checkpoint_path(c));
    return st;
}

rt_status train_resume(struct train *t, const char *checkpoint_path_, int *ranks)
{
    struct checkpoint *c = NULL;
    struct checkpoint_state state;
    rt_status st;

    RT_TRY_OUT(open_checked(t, checkpoint_path_, check_meta, &c));
    fill_state(t, true, &state);
    RT_TRY_OUT(load(t, c, &state));
    shard_weights_changed(t->shard);
    t->steps = checkpoint_meta(c)->step;
    t->next_sample = checkpoint_meta(c)->next_sample;
    t->tokens_total = checkpoint_meta(c)->tokens_total;
    if (ranks != NULL) *ranks = checkpoint_meta(c)->ranks;
out:
    checkpoint_close(&c);
    return st;
}

static rt_status init_from(struct train *t, const char *path)
{
    struct checkpoint *c = NULL;
    struct checkpoint_state state;
    rt_status st;

    RT_TRY_OUT(open_checked(t, path, check_model, &c));
    fill_state(t, false, &state);
    RT_TRY_OUT(load(t, c, &state));
    shard_weights_changed(t->shard);
out:
    checkpoint_close(&c);
    return st;
}

rt_status train_init(struct train *t)
{
    size_t count;
    const struct shard_extent *e = shard_extents(t->shard, &count);
    float *master = shard_master(t->shard);

    if (strcmp(t->run->init, "random") != 0) return init_from(t, t->run->init);
    for (size_t i = 0; i < count; i++)
        model_init_values(&t->tensors->items[e[i].tensor], t->run->seed, (size_t)e[i].start,
                          (size_t)e[i].count, master + e[i].own);
    shard_weights_changed(t->shard);
    return RT_OK;
}
