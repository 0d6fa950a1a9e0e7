/* model/model_backward.c - a block and the embedding, backward
 *
 * dx comes in as the gradient of `next` and leaves as that of x: the residual stream hands it
 * through, and each norm's backward adds its branch to it. A matrix product reads it rounded to
 * the compute dtype. dgu is written over gu, which nobody reads afterwards.
 */
#include <string.h>

#include "model/model_impl.h"

void model_zero_gaps(const struct model_layout *u, float *gradients)
{
    size_t end = 0;

    for (int p = 0; p < u->parts; p++) {
        memset(gradients + end, 0, (u->offset[p] - end) * sizeof *gradients);
        end = u->offset[p] + u->elements[p];
    }
}

rt_status model_embed_backward(struct model *m, const struct model_batch *b, int unit,
                               const struct model_lent *lent)
{
    (void)unit;
    return m->o.kernels->embedding_bwd(m->o.queue, lent->gradients, m->dx, b->tokens, b->N,
                                       m->c.dim, m->c.vocabulary);
}

/* dx rounded into dx_dt; in fp32 the two are one. */
static rt_status round_dx(struct model *m, const struct model_batch *b)
{
    if (m->dx_dt == m->dx) return RT_OK;
    return m->o.kernels->cast(m->o.queue, m->dx_dt, m->dx, (size_t)b->N * (size_t)m->c.dim,
                              m->o.compute);
}

static rt_status ffn_backward(struct model *m, const struct model_batch *b,
                              const struct model_block *k, const struct model_layout *u,
                              const struct model_lent *lent)
{
    const struct kernels *kernels = m->o.kernels;
    const int N = b->N, C = m->c.dim, F = m->c.ffn_dim;
    float *g = lent->gradients;
    void *dh = m->wide, *dgu = k->gu;

    RT_TRY(round_dx(m, b));
    RT_TRY(model_linear_dw(m, g + u->offset[PART_W2], m->dx_dt, k->h, NULL, N, C, F));
    RT_TRY(model_linear_dx(m, dh, m->dx_dt, model_part(m, lent, u, PART_W2), N, C, F));
    RT_TRY(kernels->swiglu_bwd(m->o.queue, dgu, dh, k->gu, N, F, m->o.compute));
    RT_TRY(model_linear_dw(m, g + u->offset[PART_GU], dgu, k->xn2, NULL, N, 2 * F, C));
    RT_TRY(model_linear_dx(m, m->dxn, dgu, model_part(m, lent, u, PART_GU), N, 2 * F, C));
    return kernels->rmsnorm_bwd(m->state, m->o.queue, m->dx, g + u->offset[PART_FFN_NORM], m->dxn,
                                k->mid, model_part(m, lent, u, PART_FFN_NORM), k->rstd2, N, C,
                                m->o.compute);
}

static rt_status attention_backward(struct model *m, const struct model_batch *b,
                                    const struct model_block *k, const struct model_layout *u,
                                    const struct model_lent *lent)
{
    const struct kernels *kernels = m->o.kernels;
    const struct kernels_attention a = {b->B, b->T, m->c.heads, m->c.kv_heads, m->D, m->o.compute};
    const int N = b->N, C = m->c.dim;
    float *g = lent->gradients;
    void *dattn = m->dxn, *dqkv = m->wide;

    RT_TRY(round_dx(m, b));
    RT_TRY(model_linear_dw(m, g + u->offset[PART_WO], m->dx_dt, k->attn, NULL, N, C, C));
    RT_TRY(model_linear_dx(m, dattn, m->dx_dt, model_part(m, lent, u, PART_WO), N, C, C));
    RT_TRY(kernels->attention_bwd(m->state, m->o.queue, dqkv, dattn, k->qkv, k->attn, k->lse, &a));
    RT_TRY(kernels->rope(m->o.queue, dqkv, m->rope, N, b->T, 0, a.H, a.K, a.D, true, a.dt));
    RT_TRY(model_linear_dw(m, g + u->offset[PART_QKV], dqkv, k->xn1, NULL, N, m->qkv_width, C));
    RT_TRY(model_linear_dx(m, m->dxn, dqkv, model_part(m, lent, u, PART_QKV), N, m->qkv_width, C));
    return kernels->rmsnorm_bwd(m->state, m->o.queue, m->dx, g + u->offset[PART_ATTENTION_NORM],
                                m->dxn, k->x, model_part(m, lent, u, PART_ATTENTION_NORM), k->rstd1,
                                N, C, m->o.compute);
}

rt_status model_block_backward(struct model *m, const struct model_batch *b, int unit,
                               const struct model_lent *lent)
{
    const struct model_block *k = &m->blocks[unit - 1];
    const struct model_layout u = model_layout_of(&m->c, unit);

    if (b->N == 0) {
        memset(lent->gradients, 0, u.total * sizeof *lent->gradients);
        return RT_OK;
    }
    model_zero_gaps(&u, lent->gradients);
    /* The shared set still holds the last block's activations when backward begins. */
    if (m->o.recompute == MODEL_RECOMPUTE_FULL && unit < m->c.layers)
        RT_TRY(model_block_inside(m, b, unit, lent));
    RT_TRY(ffn_backward(m, b, k, &u, lent));
    return attention_backward(m, b, k, &u, lent);
}
