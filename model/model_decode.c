/* model/model_decode.c - generation with the KV cache
 *
 * keys and values (layers, cache_sequences, context, K, D): a layer appends the new rows of k
 * and v, then the new queries read all positions so far. Only the last row of each sequence
 * reaches the head.
 */
#include <string.h>

#include "model/model_impl.h"

/* Rows [position, position+T) of sequence s: `from` is the first column of k or v in qkv. */
static void append(const struct model *m, const struct model_batch *b, void *cache, const void *qkv,
                   int from)
{
    const size_t width = (size_t)m->c.kv_heads * (size_t)m->D;
    const size_t bytes = rt_dtype_bytes(m->o.compute);

    for (size_t s = 0; s < (size_t)b->B; s++) {
        for (size_t t = 0; t < (size_t)b->T; t++) {
            const size_t to = (s * (size_t)m->c.context + (size_t)b->position + t) * width;
            const size_t at = (s * (size_t)b->T + t) * (size_t)m->qkv_width + (size_t)from;
            memcpy((char *)cache + to * bytes, (const char *)qkv + at * bytes, width * bytes);
        }
    }
}

rt_status model_cached_attention(struct model *m, const struct model_batch *b, int unit,
                                 const struct model_block *k)
{
    const struct kernels_attention a = {b->B, b->T, m->c.heads, m->c.kv_heads, m->D, m->o.compute};
    const size_t layer = (size_t)(unit - 1) * (size_t)m->o.cache_sequences * (size_t)m->c.context *
                         (size_t)(a.K * a.D);
    void *keys = model_at(a.dt, m->keys, layer), *values = model_at(a.dt, m->values, layer);

    append(m, b, keys, k->qkv, a.H * a.D);
    append(m, b, values, k->qkv, (a.H + a.K) * a.D);
    return m->o.kernels->attention_cached(m->state, m->o.queue, k->attn, k->qkv, keys, values, b->T,
                                          b->position, m->c.context, &a);
}

/* The last rows lie T rows apart in xn. */
rt_status model_head_last(struct model *m, const struct model_batch *b, int unit,
                          const struct model_lent *lent)
{
    const struct model_layout u = model_layout_of(&m->c, unit);
    const rt_dtype dt = m->o.compute;

    if (b->N == 0) return RT_OK;
    RT_TRY(model_final_norm(m, b, model_part(m, lent, &u, PART_NORM)));
    const struct kernels_matmul product = {
        .a = model_at(dt, m->xn, (size_t)(b->T - 1) * (size_t)m->c.dim),
        .b = model_part(m, lent, &u, PART_HEAD),
        .out = b->logits,
        .at = dt,
        .bt = dt,
        .ot = RT_F32,
        .transpose_b = true,
        .M = b->B,
        .N = m->c.vocabulary,
        .K = m->c.dim,
        .lda = b->T * m->c.dim};
    return m->o.kernels->matmul(m->state, m->o.queue, &product);
}
