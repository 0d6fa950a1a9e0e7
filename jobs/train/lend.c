/* jobs/train/lend.c - see lend.h */
#include "jobs/train/lend.h"

static rt_status acquire(void *context, int unit, model_pass pass, struct model_lent *out)
{
    struct shard_lent lent;

    RT_TRY(shard_acquire(context, unit, pass == MODEL_BACKWARD, &lent));
    *out = (struct model_lent){.weights = lent.weights, .gradients = lent.gradients};
    return RT_OK;
}

static rt_status release(void *context, int unit, model_pass pass)
{
    return shard_release(context, unit, pass == MODEL_BACKWARD);
}

struct model_weights lend_weights(struct shard *s)
{
    return (struct model_weights){.acquire = acquire, .release = release, .context = s};
}
