/* model/crossentropy_ref.c - loss of a row of logits and its gradient, written to be read
 *
 *     loss[i]      = log(sum_v exp(z[i,v])) - z[i,t],    t = targets[i]
 *     dlogits[i,v] = scale * (exp(z[i,v]) / sum_u exp(z[i,u]) - [v == t])
 *     both 0 where t < 0
 *
 * Shapes    logits z, dlogits (n,V); targets, losses (n)
 * Numbers   the largest logit is taken out first; float64 sums. Other backends: losses within
 *           1e-5 * max(1, loss), dlogits relative error (L2) <= 1e-5 in fp32, 1e-2 in bf16
 *           (test_kernels)
 */
#include "model/kernels_impl.h"

#include <math.h>

static double logsumexp(const float *z_V, int V)
{
    double top = z_V[0], sum = 0;

    for (int v = 1; v < V; v++) top = fmax(top, (double)z_V[v]);
    for (int v = 0; v < V; v++) sum += exp((double)z_V[v] - top);
    return top + log(sum);
}

rt_status crossentropy_ref(struct rt_queue *q, float *losses, void *dlogits, const float *logits,
                           const int32_t *targets, int n, int V, float scale, rt_dtype dt)
{
    (void)q;
    for (size_t i = 0; i < (size_t)n; i++) {
        const float *z_V = logits + i * (size_t)V;
        const double lse = logsumexp(z_V, V);

        losses[i] = targets[i] < 0 ? 0 : (float)(lse - z_V[targets[i]]);
        if (dlogits == NULL) continue;
        for (int v = 0; v < V; v++) {
            const double p = exp((double)z_V[v] - lse) - (v == targets[i] ? 1 : 0);
            kernels_store(dlogits, i * (size_t)V + (size_t)v, dt,
                          targets[i] < 0 ? 0 : (double)scale * p);
        }
    }
    return RT_OK;
}
