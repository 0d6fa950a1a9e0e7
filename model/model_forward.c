/* model/model_forward.c - linear layers, and a block forward
 *
 *     mid  = x + attention(rope(norm(x) wqkv^T)) wo^T
 *     next = mid + (silu(g) * u) w2^T,    g|u = norm(mid) w13^T
 *
 * The residual additions ride on the products that come before them (`add`).
 */
#include "model/model_impl.h"

rt_status model_linear(struct model *m, void *y, rt_dtype yt, const void *x, const void *w,
                       const float *add, int rows, int out_width, int in_width)
{
    const rt_dtype dt = m->o.compute;
    const struct kernels_matmul product = {.a = x,
                                           .b = w,
                                           .out = y,
                                           .add = add,
                                           .at = dt,
                                           .bt = dt,
                                           .ot = yt,
                                           .transpose_b = true,
                                           .M = rows,
                                           .N = out_width,
                                           .K = in_width};
    return m->o.kernels->matmul(m->state, m->o.queue, &product);
}

rt_status model_linear_dx(struct model *m, void *dx, const void *dy, const void *w, int rows,
                          int out_width, int in_width)
{
    const rt_dtype dt = m->o.compute;
    const struct kernels_matmul product = {.a = dy,
                                           .b = w,
                                           .out = dx,
                                           .at = dt,
                                           .bt = dt,
                                           .ot = dt,
                                           .M = rows,
                                           .N = in_width,
                                           .K = out_width};
    return m->o.kernels->matmul(m->state, m->o.queue, &product);
}

rt_status model_linear_dw(struct model *m, float *dw, const void *dy, const void *x,
                          const float *add, int rows, int out_width, int in_width)
{
    const rt_dtype dt = m->o.compute;
    const struct kernels_matmul product = {.a = dy,
                                           .b = x,
                                           .out = dw,
                                           .add = add,
                                           .at = dt,
                                           .bt = dt,
                                           .ot = RT_F32,
                                           .transpose_a = true,
                                           .M = out_width,
                                           .N = in_width,
                                           .K = rows};
    return m->o.kernels->matmul(m->state, m->o.queue, &product);
}

rt_status model_embed_forward(struct model *m, const struct model_batch *b, int unit,
                              const struct model_lent *lent)
{
    (void)unit;
    if (b->N == 0) return RT_OK;
    return m->o.kernels->embedding_fwd(m->o.queue, m->blocks[0].x, lent->weights, b->tokens, b->N,
                                       m->c.dim, m->o.compute);
}

static rt_status attention(struct model *m, const struct model_batch *b, int unit,
                           const struct model_block *k)
{
    const struct kernels_attention a = {b->B, b->T, m->c.heads, m->c.kv_heads, m->D, m->o.compute};

    RT_TRY(m->o.kernels->rope(m->o.queue, k->qkv, m->rope, b->N, b->T, b->position, a.H, a.K, a.D,
                              false, a.dt));
    if (b->cached) return model_cached_attention(m, b, unit, k);
    return m->o.kernels->attention_fwd(m->state, m->o.queue, k->attn, k->lse, k->qkv, &a);
}

rt_status model_block_inside(struct model *m, const struct model_batch *b, int unit,
                             const struct model_lent *lent)
{
    const struct kernels *kernels = m->o.kernels;
    const struct model_block *k = &m->blocks[unit - 1];
    const struct model_layout u = model_layout_of(&m->c, unit);
    const int N = b->N, C = m->c.dim, F = m->c.ffn_dim;
    const float eps = (float)m->c.norm_eps;
    const rt_dtype dt = m->o.compute;
    struct rt_queue *q = m->o.queue;

    RT_TRY(kernels->rmsnorm_fwd(q, k->xn1, k->rstd1, k->x,
                                model_part(m, lent, &u, PART_ATTENTION_NORM), N, C, eps, dt));
    RT_TRY(model_linear(m, k->qkv, dt, k->xn1, model_part(m, lent, &u, PART_QKV), NULL, N,
                        m->qkv_width, C));
    RT_TRY(attention(m, b, unit, k));
    RT_TRY(
        model_linear(m, k->mid, RT_F32, k->attn, model_part(m, lent, &u, PART_WO), k->x, N, C, C));
    RT_TRY(kernels->rmsnorm_fwd(q, k->xn2, k->rstd2, k->mid, model_part(m, lent, &u, PART_FFN_NORM),
                                N, C, eps, dt));
    RT_TRY(model_linear(m, k->gu, dt, k->xn2, model_part(m, lent, &u, PART_GU), NULL, N, 2 * F, C));
    return kernels->swiglu_fwd(q, k->h, k->gu, N, F, dt);
}

rt_status model_block_forward(struct model *m, const struct model_batch *b, int unit,
                              const struct model_lent *lent)
{
    const struct model_block *k = &m->blocks[unit - 1];
    const struct model_layout u = model_layout_of(&m->c, unit);

    if (b->N == 0) return RT_OK;
    RT_TRY(model_block_inside(m, b, unit, lent));
    return model_linear(m, k->next, RT_F32, k->h, model_part(m, lent, &u, PART_W2), k->mid, b->N,
                        m->c.dim, m->c.ffn_dim);
}
