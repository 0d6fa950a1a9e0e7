/* model/model_head.c - final norm, logits and loss, in chunks of rows
 *
 * The logits of a micro-batch are far larger than any other activation, so they exist only
 * head_rows at a time. In training the chunk goes forward and backward at once:
 *
 *     logits = xn w^T;  dlogits from the loss;  dxn = dlogits w;  dw += dlogits^T xn
 *
 * and the norm's backward follows over all rows.
 */
#include <string.h>

#include "model/model_impl.h"
#include "runtime/device.h"

rt_status model_final_norm(struct model *m, const struct model_batch *b, const void *w)
{
    return m->o.kernels->rmsnorm_fwd(m->o.queue, m->xn, m->rstd, m->x_last, w, b->N, m->c.dim,
                                     (float)m->c.norm_eps, m->o.compute);
}

/* Add up the losses of rows first..first+n-1, which lie in m->losses. */
static void count_losses(const struct model *m, const struct model_batch *b, int first, int n)
{
    for (int i = 0; i < n; i++) {
        if (b->logprobs != NULL) b->logprobs[first + i] = -m->losses[i];
        if (b->targets[first + i] < 0) continue;
        rt_exact_add(b->loss, (double)m->losses[i]);
        ++*b->valid;
    }
}

/* Logits and losses of one chunk, and dlogits in its place when `dlogits` is given. */
static rt_status chunk_forward(struct model *m, const struct model_batch *b, int unit, int first,
                               int n, const void *w, void *dlogits)
{
    const int C = m->c.dim, V = m->c.vocabulary;
    const void *xn = model_at(m->o.compute, m->xn, (size_t)first * (size_t)C);
    rt_status st;

    rt_trace_begin(m->o.trace, RT_PHASE_FORWARD, "head", unit);
    RT_TRY_OUT(model_linear(m, m->logits, RT_F32, xn, w, NULL, n, V, C));
    RT_TRY_OUT(m->o.kernels->crossentropy(m->o.queue, m->losses, dlogits, m->logits,
                                          b->targets + first, n, V, b->scale, m->o.compute));
    RT_TRY_OUT(rt_queue_wait(m->o.queue));
    count_losses(m, b, first, n);
out:
    rt_trace_end(m->o.trace);
    return st;
}

static rt_status chunk_backward(struct model *m, int first, int n, const void *w, float *dw)
{
    const int C = m->c.dim, V = m->c.vocabulary;
    const size_t at = (size_t)first * (size_t)C;
    const rt_dtype dt = m->o.compute;

    RT_TRY(model_linear_dw(m, dw, m->dlogits, model_at(dt, m->xn, at), first == 0 ? NULL : dw, n, V,
                           C));
    return model_linear_dx(m, model_at(dt, m->dxn, at), m->dlogits, w, n, V, C);
}

rt_status model_head_train(struct model *m, const struct model_batch *b, int unit,
                           const struct model_lent *lent)
{
    const struct model_layout u = model_layout_of(&m->c, unit);
    const void *norm = model_part(m, lent, &u, PART_NORM);
    const void *head = model_part(m, lent, &u, PART_HEAD);
    float *g = lent->gradients;

    if (b->N == 0) {
        memset(g, 0, u.total * sizeof *g);
        return RT_OK;
    }
    model_zero_gaps(&u, g);
    RT_TRY(model_final_norm(m, b, norm));
    for (int first = 0; first < b->N; first += m->head_rows) {
        const int n = b->N - first < m->head_rows ? b->N - first : m->head_rows;
        RT_TRY(chunk_forward(m, b, unit, first, n, head, m->dlogits));
        RT_TRY(chunk_backward(m, first, n, head, g + u.offset[PART_HEAD]));
    }
    memset(m->dx, 0, (size_t)b->N * (size_t)m->c.dim * sizeof *m->dx);
    return m->o.kernels->rmsnorm_bwd(m->state, m->o.queue, m->dx, g + u.offset[PART_NORM], m->dxn,
                                     m->x_last, norm, m->rstd, b->N, m->c.dim, m->o.compute);
}

rt_status model_head_evaluate(struct model *m, const struct model_batch *b, int unit,
                              const struct model_lent *lent)
{
    const struct model_layout u = model_layout_of(&m->c, unit);
    const void *head = model_part(m, lent, &u, PART_HEAD);

    if (b->N == 0) return RT_OK;
    RT_TRY(model_final_norm(m, b, model_part(m, lent, &u, PART_NORM)));
    for (int first = 0; first < b->N; first += m->head_rows) {
        const int n = b->N - first < m->head_rows ? b->N - first : m->head_rows;
        RT_TRY(chunk_forward(m, b, unit, first, n, head, NULL));
    }
    return RT_OK;
}

rt_status model_head_logits(struct model *m, const struct model_batch *b, int unit,
                            const struct model_lent *lent)
{
    const struct model_layout u = model_layout_of(&m->c, unit);

    if (b->N == 0) return RT_OK;
    RT_TRY(model_final_norm(m, b, model_part(m, lent, &u, PART_NORM)));
    return model_linear(m, b->logits, RT_F32, m->xn, model_part(m, lent, &u, PART_HEAD), NULL, b->N,
                        m->c.vocabulary, m->c.dim);
}
