/* model/model_impl.h - what the files of the model share
 *
 * model_config.c   checks and counts           model_forward.c   linear layers; a block, forward
 * model_tensors.c  names, places, values       model_backward.c  a block, backward
 * model_plan.c     buffers: plan and create    model_head.c      last norm, logits, loss
 * model.c          the passes over the units   model_decode.c    generation with the KV cache
 */
#ifndef MODEL_MODEL_IMPL_H
#define MODEL_MODEL_IMPL_H

#include "model/kernels.h"
#include "model/model.h"

/* Where the parts of a unit lie in its flat buffer, in elements. */
enum { MODEL_PARTS = 6 };
enum { PART_ATTENTION_NORM, PART_QKV, PART_WO, PART_FFN_NORM, PART_GU, PART_W2 }; /* blocks */
enum { PART_NORM, PART_HEAD };                                                    /* the last */
struct model_layout {
    size_t offset[MODEL_PARTS], elements[MODEL_PARTS];
    int parts;
    size_t total;
};
struct model_layout model_layout_of(const struct model_config *c, int unit);

/* The activations of one block. In training without recompute each block has its own; else all
 * share one set, but each keeps its x. Outside training x, mid and next are one buffer. */
struct model_block {
    float *x;     /* (N,C) residual stream coming in       */
    void *xn1;    /* (N,C) dt                              */
    float *rstd1; /* (N)                                   */
    void *qkv;    /* (N,(H+2K)*D) dt, q and k turned       */
    void *attn;   /* (N,C) dt                              */
    float *lse;   /* (N,H)                                 */
    float *mid;   /* (N,C) residual stream after attention */
    void *xn2;    /* (N,C) dt                              */
    float *rstd2; /* (N)                                   */
    void *gu;     /* (N,2F) dt; its gradient in backward   */
    void *h;      /* (N,F) dt                              */
    float *next;  /* (N,C) residual stream going out       */
};

enum { MODEL_BUFFERS = 5 };
struct model {
    struct model_config c;
    struct model_options o;
    struct rt_memory *memory; /* lent */
    const char *taken[MODEL_BUFFERS];
    int taken_count;
    struct kernels_state *state; /* in "model/kernels" */
    int D, qkv_width;            /* head dim; (H+2K)*D */
    int rows, head_rows;         /* room for N; rows of a chunk of the head */

    struct model_block *blocks; /* (layers) */
    float *rope;                /* (context, D/2, 2) */

    /* head */
    float *x_last; /* (N,C): next of the last block */
    void *xn;      /* (N,C) dt */
    float *rstd;   /* (N) */
    float *logits; /* (head_rows,V) */
    void *dlogits; /* (head_rows,V) dt; the logits themselves in fp32 */
    float *losses; /* (head_rows) */

    /* backward, shared by all units */
    float *dx;   /* (N,C) gradient of the residual stream */
    void *dx_dt; /* (N,C) dt: the same, rounded; dx itself in fp32 */
    void *dxn;   /* (N,C) dt: of what a norm or the attention gave */
    void *wide;  /* (N, max(F, (H+2K)*D)) dt: of h, then of qkv */

    void *keys, *values; /* (layers, cache_sequences, context, K, D) dt */
};

/* What one pass works on. */
struct model_batch {
    const int32_t *tokens, *targets; /* (B,T) */
    int B, T, N;
    bool cached;  /* generation: attention reads the cache */
    int position; /* of the first token of each sequence */
    float scale;
    float *logprobs, *logits;
    struct rt_exact *loss;
    uint64_t *valid;
};

/* The work on one unit between acquire and release. */
typedef rt_status model_visit(struct model *m, const struct model_batch *b, int unit,
                              const struct model_lent *lent);

RT_NODISCARD model_visit model_embed_forward, model_embed_backward;
RT_NODISCARD model_visit model_block_forward, model_block_backward;
RT_NODISCARD model_visit model_head_train, model_head_evaluate, model_head_logits, model_head_last;

/* A block up to and with h: all that its backward pass reads. */
RT_NODISCARD rt_status model_block_inside(struct model *m, const struct model_batch *b, int unit,
                                          const struct model_lent *lent);

/* attn of a block: its new keys and values go into the cache, its queries read the cache. */
RT_NODISCARD rt_status model_cached_attention(struct model *m, const struct model_batch *b,
                                              int unit, const struct model_block *k);

/* The gaps between the parts of a unit's gradients are zero. */
void model_zero_gaps(const struct model_layout *u, float *gradients);

/* Final norm over all rows: x_last -> xn, rstd. */
RT_NODISCARD rt_status model_final_norm(struct model *m, const struct model_batch *b,
                                        const void *w);

/* The three products of a linear layer y = x w^T [+ add], w (out_width, in_width):
 * y (f32 with add or where the caller says so, else dt), dx (dt), dw (f32). */
RT_NODISCARD rt_status model_linear(struct model *m, void *y, rt_dtype yt, const void *x,
                                    const void *w, const float *add, int rows, int out_width,
                                    int in_width);
RT_NODISCARD rt_status model_linear_dx(struct model *m, void *dx, const void *dy, const void *w,
                                       int rows, int out_width, int in_width);
RT_NODISCARD rt_status model_linear_dw(struct model *m, float *dw, const void *dy, const void *x,
                                       const float *add, int rows, int out_width, int in_width);

/* The address of element i of an array of dt. */
static inline void *model_at(rt_dtype dt, void *p, size_t i)
{
    return (char *)p + i * rt_dtype_bytes(dt);
}

/* A part of the weights lent. */
static inline const void *model_part(const struct model *m, const struct model_lent *lent,
                                     const struct model_layout *u, int part)
{
    return (const char *)lent->weights + u->offset[part] * rt_dtype_bytes(m->o.compute);
}

#endif
