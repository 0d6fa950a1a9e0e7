/* model/kernels.h - the arithmetic of the transformer, once per kind of hardware
 *
 * The model calls k->rmsnorm_fwd(...) and never asks which hardware that is. A backend is one
 * constant table; jobs picks it by name and passes it down. No #ifdef outside kernels.c, no NULL.
 *
 * Shapes   row-major. B sequences, T tokens, N = B*T rows, C dim, H heads, K kv heads, D head
 *          dim, F ffn dim, V vocabulary. `dt` is the compute dtype of every void pointer beside it;
 *          float pointers are f32 always. Formulas and sources: <op>_ref.c.
 * Queue    work is put on q and may not have run on return. CPU backends run at once, q = NULL.
 * Scratch  user-mode scratch memory is lent by the caller when a state is opened.
 * Errors   RT_EDEVICE: the library or launch failed. Sizes are the caller's promise.
 */
#ifndef MODEL_KERNELS_H
#define MODEL_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/dtype.h"
#include "runtime/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct rt_queue;

/* What a backend keeps between calls: cached matmul plans and scratch memory. Made by
 * k->open, lent to every call. One per model; not shared between threads. */
struct kernels_state;

/* out (M,N) = op(a) (M,K) @ op(b) (K,N) [+ add (M,N)]; op transposes when the flag is set: then a
 * is stored (K,M), b (N,K). lda, ldb, ldo: elements between stored rows; 0 means dense. out is
 * ot; add is f32 and only with ot == RT_F32 (it may be out itself); f32 sums inside. */
struct kernels_matmul {
    const void *a, *b;
    void *out;
    const float *add;
    rt_dtype at, bt, ot;
    bool transpose_a, transpose_b;
    int M, N, K;
    int lda, ldb, ldo;
};

/* q, k, v are slices of one qkv (N, (H+2K)*D): head h of q at column h*D, of k at (H+h)*D, of v at
 * (H+K+h)*D. */
struct kernels_attention {
    int B, T, H, K, D;
    rt_dtype dt;
};

struct kernels {
    const char *name; /* ref, cpu, cuda */

    /* scratch_bytes: what open wants for these limits (largest matmul dims and rows), lent at
     * open for the life of the state. */
    size_t (*scratch_bytes)(int rows, int dim, int ffn_dim, int vocabulary, int heads, int context,
                            rt_dtype dt);
    RT_NODISCARD rt_status (*open)(void *scratch, size_t bytes, struct kernels_state **out);
    void (*close)(struct kernels_state **s);

    RT_NODISCARD rt_status (*matmul)(struct kernels_state *s, struct rt_queue *q,
                                     const struct kernels_matmul *m);

    /* y (N,C) dt, rstd (N)  <-  x (N,C) f32, w (C) dt:  y = w * x * rstd */
    RT_NODISCARD rt_status (*rmsnorm_fwd)(struct rt_queue *q, void *y, float *rstd, const float *x,
                                          const void *w, int N, int C, float eps, rt_dtype dt);
    /* dx (N,C) f32 += d rmsnorm / dx;  dw (C) f32 is written.  dy (N,C) dt. scratch of state. */
    RT_NODISCARD rt_status (*rmsnorm_bwd)(struct kernels_state *s, struct rt_queue *q, float *dx,
                                          float *dw, const void *dy, const float *x, const void *w,
                                          const float *rstd, int N, int C, rt_dtype dt);

    /* Rotate adjacent pairs of the q and k parts of qkv (N,(H+2K)*D) in place; row n has position
     * position0 + n % T. inverse: rotate back (backward). table (context, D/2, 2) f32: cos, sin. */
    RT_NODISCARD rt_status (*rope)(struct rt_queue *q, void *qkv, const float *table, int N, int T,
                                   int position0, int H, int K, int D, bool inverse, rt_dtype dt);

    /* out (N, H*D) dt, lse (N,H) f32  <-  qkv (N,(H+2K)*D) dt; causal; scale 1/sqrt(D). */
    RT_NODISCARD rt_status (*attention_fwd)(struct kernels_state *s, struct rt_queue *q, void *out,
                                            float *lse, const void *qkv,
                                            const struct kernels_attention *a);
    /* dqkv (N,(H+2K)*D) dt is written. out, lse as forward left them; dout (N,H*D) dt. */
    RT_NODISCARD rt_status (*attention_bwd)(struct kernels_state *s, struct rt_queue *q, void *dqkv,
                                            const void *dout, const void *qkv, const void *out,
                                            const float *lse, const struct kernels_attention *a);
    /* Generation: t new rows a sequence against the cache. qkv (B*t,(H+2K)*D) holds the new rows,
     * roped; keys, values (B, context, K, D) dt hold positions 0..position+t-1 (the new ones
     * already appended). Row i of a sequence sees positions 0..position+i. */
    RT_NODISCARD rt_status (*attention_cached)(struct kernels_state *s, struct rt_queue *q,
                                               void *out, const void *qkv, const void *keys,
                                               const void *values, int t, int position, int context,
                                               const struct kernels_attention *a);

    /* h (N,F) <- silu(gate) * up; gu (N,2F): gate in columns 0..F-1, up behind. */
    RT_NODISCARD rt_status (*swiglu_fwd)(struct rt_queue *q, void *h, const void *gu, int N, int F,
                                         rt_dtype dt);
    /* dgu (N,2F) is written; may be gu itself. */
    RT_NODISCARD rt_status (*swiglu_bwd)(struct rt_queue *q, void *dgu, const void *dh,
                                         const void *gu, int N, int F, rt_dtype dt);

    /* x (N,C) f32 <- rows of w (V,C) dt */
    RT_NODISCARD rt_status (*embedding_fwd)(struct rt_queue *q, float *x, const void *w,
                                            const int32_t *tokens, int N, int C, rt_dtype dt);
    /* dw (V,C) f32 is written: zero, then rows of dx added in the order of n. */
    RT_NODISCARD rt_status (*embedding_bwd)(struct rt_queue *q, float *dw, const float *dx,
                                            const int32_t *tokens, int N, int C, int V);

    /* Rows of logits (n,V) f32: losses[i] = logsumexp - logits[target], 0 if target < 0. If dlogits
     * is not NULL: dlogits (n,V) dt = scale * (softmax - onehot), 0 if target < 0; it may be the
     * logits themselves when dt is f32. */
    RT_NODISCARD rt_status (*crossentropy)(struct rt_queue *q, float *losses, void *dlogits,
                                           const float *logits, const int32_t *targets, int n,
                                           int V, float scale, rt_dtype dt);

    /* y (n) dt <- x (n) f32, nearest even */
    RT_NODISCARD rt_status (*cast)(struct rt_queue *q, void *y, const float *x, size_t n,
                                   rt_dtype dt);
};

extern const struct kernels kernels_ref; /* written to be read; the truth of every test */
extern const struct kernels kernels_cpu; /* oneDNN, vectors and threads                 */

/* Every backend of this build, ref first, NULL last. */
extern const struct kernels *const kernels_built[];

/* The table called `name`. RT_EMISSING: none is; the message lists those there are. */
RT_NODISCARD rt_status kernels_find(const char *name, const struct kernels **out);

#ifdef __cplusplus
}
#endif
#endif
