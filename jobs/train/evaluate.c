/* jobs/train/evaluate.c - held-out loss: the same samples every time, split over the ranks */
#include "jobs/train/lend.h"
#include "jobs/train/train_impl.h"

/* Samples [first, first+B) of the held-out ones; B may be 0: every rank makes as many passes. */
static rt_status evaluate_pass(struct train *t, int first, int B, struct rt_exact *loss,
                               uint64_t *valid)
{
    const size_t T = (size_t)t->run->model.context;
    const struct model_weights weights = lend_weights(t->shard);

    rt_status st = RT_OK;

    for (int b = 0; b < B && st == RT_OK; b++)
        st = loader_read(t->heldout, (uint64_t)(first + b), t->inputs + (size_t)b * T,
                         t->targets + (size_t)b * T);
    RT_TRY(comm_agree(t->world, st));
    RT_TRY(shard_begin(t->shard, SHARD_PASS_FORWARD, 0));
    RT_TRY(model_evaluate(t->model, &weights, t->inputs, t->targets, B, (int)T, NULL, loss, valid));
    return shard_end(t->shard);
}

rt_status train_evaluate(struct train *t, int sequences, double *loss, uint64_t *tokens)
{
    struct rt_exact sum = {0};
    uint64_t valid = 0, there;
    rt_status st = RT_OK;

    if (t->heldout == NULL)
        return RT_FAIL(RT_EMISSING, "there is no held-out sample of %d tokens",
                       t->run->model.context + 1);
    there = loader_samples_per_epoch(t->heldout);
    const int samples = there < (uint64_t)sequences ? (int)there : sequences;
    const int micro = t->work.micro, rank = comm_rank(t->world), P = comm_size(t->world);
    rt_trace_begin(t->trace, RT_PHASE_EVALUATE, "evaluate", -1);
    for (int base = 0; base < samples && st == RT_OK; base += P * micro) {
        const int first = base + rank * micro, left = samples - first;
        st = evaluate_pass(t, first, left < 0 ? 0 : left < micro ? left : micro, &sum, &valid);
    }
    rt_trace_end(t->trace);
    RT_TRY(st);
    RT_TRY(comm_sum_exact(t->world, &sum, 1));
    RT_TRY(comm_sum_u64(t->world, &valid, 1));
    *loss = rt_exact_value(&sum) / (double)valid;
    *tokens = valid;
    return RT_OK;
}
