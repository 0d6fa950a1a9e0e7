/* jobs/train/step.c - one training step, top to bottom
 *
 *     data -> micro-steps (forward, backward, reduce) -> loss and norm over all ranks -> clip,
 *     AdamW on the own slice
 *
 * Numbers   the loss is the exact sum of -log p over all valid tokens of the global batch,
 *           divided by their number; each token's gradient carries 1 / that number, so gradients
 *           add up over micro-steps and ranks. Loss and norm depend on no order.
 */
#include <math.h>

#include "jobs/train/lend.h"
#include "jobs/train/train_impl.h"

/* One micro-step: forward and backward through the lent units; the own gradients grow. *done: this
 * rank's sequences before it, and then with it. */
static rt_status micro_step(struct train *t, int m, float scale, int *done, struct rt_exact *loss)
{
    const size_t T = (size_t)t->run->model.context;
    const struct model_weights weights = lend_weights(t->shard);
    int first;
    const int B = work_micro(&t->work, m, &first);
    const size_t at = B > 0 ? (size_t)*done * T : 0;
    uint64_t valid = 0;

    *done += B;
    RT_TRY(shard_begin(t->shard, SHARD_PASS_TRAIN, m));
    RT_TRY(model_train(t->model, &weights, t->inputs + at, t->targets + at, B, (int)T, scale, loss,
                       &valid));
    return shard_end(t->shard);
}

/* What all ranks must know before the optimizer touches anything. */
struct sums {
    struct rt_exact loss, squares, stop;
};
_Static_assert(sizeof(struct sums) == 3 * sizeof(struct rt_exact), "summed as an array");

static rt_status check_finite(const struct train *t, const struct train_step_result *out)
{
    if (isfinite(out->loss) && isfinite(out->grad_norm)) return RT_OK;
    if (comm_rank(t->world) != 0) return RT_ENONFINITE;
    return RT_FAIL(RT_ENONFINITE,
                   "step %llu: loss is %g, gradient norm %g: the weights stay as before this step; "
                   "lower optimizer.learning_rate or lengthen schedule.warmup",
                   (unsigned long long)out->step, out->loss, out->grad_norm);
}

static rt_status update(struct train *t, const struct train_step_result *out)
{
    const float clip = optim_clip_factor(t->optim, out->grad_norm);

    RT_TRY(optim_step(t->optim, NULL, shard_master(t->shard), shard_gradients(t->shard), clip,
                      out->learning_rate, out->step));
    shard_weights_changed(t->shard);
    return RT_OK;
}

static void finish(struct train *t, const struct train_step_result *out)
{
    t->steps = out->step;
    t->next_sample += (uint64_t)t->run->batch.global_sequences;
    t->tokens_total = out->tokens_total;
}

rt_status train_step(struct train *t, struct train_step_result *out)
{
    const double start_s = rt_now_s();
    struct sums sums = {0};
    struct shard_counters counters;
    uint64_t valid = 0;

    rt_trace_take(t->trace, out->phase_s);
    comm_step(t->world, t->steps + 1);

    rt_trace_begin(t->trace, RT_PHASE_DATA, "batch", -1);
    const rt_status read = train_read_batch(t, &valid);
    rt_trace_end(t->trace);
    RT_TRY(comm_agree(t->world, read));
    RT_TRY(comm_sum_u64(t->world, &valid, 1));

    const float scale = 1.0f / (float)(valid > 0 ? valid : 1);
    for (int m = 0, done = 0; m < t->work.micro_steps; m++)
        RT_TRY(micro_step(t, m, scale, &done, &sums.loss));

    rt_trace_begin(t->trace, RT_PHASE_OPTIMIZER, "norm", -1);
    if (shard_replica(t->shard) == 0)
        RT_TRY(t->vector->squares(NULL, &sums.squares, shard_gradients(t->shard),
                                  shard_own_elements(t->shard)));
    if (t->stop != NULL && *t->stop) rt_exact_add(&sums.stop, 1);
    RT_TRY(comm_sum_exact(t->world, &sums.loss, 3));
    rt_trace_end(t->trace);

    out->step = t->steps + 1;
    out->valid_tokens = valid;
    out->tokens_total = t->tokens_total + valid;
    out->loss = rt_exact_value(&sums.loss) / (double)(valid > 0 ? valid : 1);
    out->grad_norm = sqrt(rt_exact_value(&sums.squares));
    out->learning_rate = optim_learning_rate(&t->schedule, out->step);
    out->stop = rt_exact_value(&sums.stop) > 0;
    RT_TRY(check_finite(t, out));

    rt_trace_begin(t->trace, RT_PHASE_OPTIMIZER, "adamw", -1);
    RT_TRY(update(t, out));
    rt_trace_end(t->trace);

    finish(t, out);
    shard_take_counters(t->shard, &counters);
    out->gathered_bytes = counters.gathered_bytes;
    out->reduced_bytes = counters.reduced_bytes;
    out->gather_under_way_s = counters.gather_s;
    rt_trace_take(t->trace, out->phase_s);
    out->step_s = rt_now_s() - start_s;
    return RT_OK;
}
