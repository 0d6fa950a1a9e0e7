/* model/model.c - the passes over the units: training, evaluation, logits, generation */
#include "model/model.h"

#include "model/model_impl.h"
#include "runtime/device.h"

/* Acquire one unit, work on it, give it back. A failure leaves it lent: the pass is over. */
static rt_status visit(struct model *m, const struct model_weights *w, const struct model_batch *b,
                       int unit, model_pass pass, model_visit *work)
{
    const rt_phase phase = pass == MODEL_FORWARD ? RT_PHASE_FORWARD : RT_PHASE_BACKWARD;
    const char *name = unit == 0 ? "embedding" : unit <= m->c.layers ? "block" : "head";
    struct model_lent lent = {0};
    rt_status st;

    rt_trace_begin(m->o.trace, phase, name, unit);
    RT_TRY_OUT(w->acquire(w->context, unit, pass, &lent));
    RT_TRY_OUT(work(m, b, unit, &lent));
    RT_TRY_OUT(rt_queue_wait(m->o.queue));
    RT_TRY_OUT(w->release(w->context, unit, pass));
out:
    rt_trace_end(m->o.trace);
    return st;
}

/* Units 0..L. */
static rt_status forward(struct model *m, const struct model_weights *w,
                         const struct model_batch *b)
{
    RT_TRY(visit(m, w, b, 0, MODEL_FORWARD, model_embed_forward));
    for (int u = 1; u <= m->c.layers; u++)
        RT_TRY(visit(m, w, b, u, MODEL_FORWARD, model_block_forward));
    return RT_OK;
}

/* Units L..0. */
static rt_status backward(struct model *m, const struct model_weights *w,
                          const struct model_batch *b)
{
    for (int u = m->c.layers; u >= 1; u--)
        RT_TRY(visit(m, w, b, u, MODEL_BACKWARD, model_block_backward));
    return visit(m, w, b, 0, MODEL_BACKWARD, model_embed_backward);
}

static rt_status check_ids(const struct model *m, const char *what, const int32_t *ids, int B,
                           int T, bool negative_allowed)
{
    for (int i = 0; i < B * T; i++)
        if (ids[i] >= m->c.vocabulary || (ids[i] < 0 && !negative_allowed))
            return RT_FAIL(RT_EDATA,
                           "%s %d of sequence %d is %d, must be below model.vocabulary %d%s: the "
                           "token file does not belong to this model",
                           what, i % T, i / T, ids[i], m->c.vocabulary,
                           ids[i] < 0 ? " and not negative" : "");
    return RT_OK;
}

/* The batch fits the model; sets N. An empty one is never looked at. */
static rt_status check_batch(const struct model *m, struct model_batch *b)
{
    if (b->B == 0) return RT_OK;
    if (b->T < 1 || b->position < 0 || b->T > m->c.context - b->position)
        return RT_FAIL(RT_EINVAL, "%d tokens from position %d on do not fit model.context %d", b->T,
                       b->position, m->c.context);
    if (b->B < 0 || b->B > m->rows / b->T)
        return RT_FAIL(RT_EINVAL, "%d sequences of %d tokens, the model was made for %d rows", b->B,
                       b->T, m->rows);
    b->N = b->B * b->T;
    RT_TRY(check_ids(m, "token", b->tokens, b->B, b->T, false));
    if (b->targets != NULL) RT_TRY(check_ids(m, "target", b->targets, b->B, b->T, true));
    return RT_OK;
}

rt_status model_train(struct model *m, const struct model_weights *w, const int32_t *tokens,
                      const int32_t *targets, int B, int T, float scale, struct rt_exact *loss,
                      uint64_t *valid)
{
    struct model_batch b = {.tokens = tokens,
                            .targets = targets,
                            .B = B,
                            .T = T,
                            .scale = scale,
                            .loss = loss,
                            .valid = valid};

    if (!m->o.training) return RT_FAIL(RT_EINVAL, "this model was made without training");
    RT_TRY(check_batch(m, &b));
    RT_TRY(forward(m, w, &b));
    RT_TRY(visit(m, w, &b, m->c.layers + 1, MODEL_BACKWARD, model_head_train));
    return backward(m, w, &b);
}

rt_status model_evaluate(struct model *m, const struct model_weights *w, const int32_t *tokens,
                         const int32_t *targets, int B, int T, float *logprobs,
                         struct rt_exact *loss, uint64_t *valid)
{
    struct model_batch b = {.tokens = tokens,
                            .targets = targets,
                            .B = B,
                            .T = T,
                            .logprobs = logprobs,
                            .loss = loss,
                            .valid = valid};

    RT_TRY(check_batch(m, &b));
    RT_TRY(forward(m, w, &b));
    return visit(m, w, &b, m->c.layers + 1, MODEL_FORWARD, model_head_evaluate);
}

rt_status model_logits(struct model *m, const struct model_weights *w, const int32_t *tokens, int B,
                       int T, float *logits)
{
    struct model_batch b = {.tokens = tokens, .B = B, .T = T, .logits = logits};

    RT_TRY(check_batch(m, &b));
    RT_TRY(forward(m, w, &b));
    return visit(m, w, &b, m->c.layers + 1, MODEL_FORWARD, model_head_logits);
}

rt_status model_decode(struct model *m, const struct model_weights *w, const int32_t *tokens, int B,
                       int t, int position, float *logits)
{
    struct model_batch b = {
        .tokens = tokens, .B = B, .T = t, .cached = true, .position = position, .logits = logits};

    if (B > m->o.cache_sequences)
        return RT_FAIL(RT_EINVAL, "%d sequences to generate, the KV cache was made for %d", B,
                       m->o.cache_sequences);
    RT_TRY(check_batch(m, &b));
    RT_TRY(forward(m, w, &b));
    return visit(m, w, &b, m->c.layers + 1, MODEL_FORWARD, model_head_last);
}
