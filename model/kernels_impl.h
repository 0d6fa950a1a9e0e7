/* model/kernels_impl.h - the functions behind the kernel tables, one set a backend
 *
 * What each does is said in kernels.h, its formula in <op>_ref.c. Only the backends include this.
 */
#ifndef MODEL_KERNELS_IMPL_H
#define MODEL_KERNELS_IMPL_H

#include "model/kernels.h"

/* clang-format off */
#define KERNELS_DECLARE(be)                                                                        \
    size_t scratch_bytes_##be(int rows, int dim, int ffn_dim, int vocabulary, int heads,           \
                              int context, rt_dtype dt);                                           \
    RT_NODISCARD rt_status open_##be(void *scratch, size_t bytes, struct kernels_state **out);     \
    void close_##be(struct kernels_state **s);                                                     \
    RT_NODISCARD rt_status matmul_##be(struct kernels_state *s, struct rt_queue *q,                \
                                       const struct kernels_matmul *m);                            \
    RT_NODISCARD rt_status rmsnorm_fwd_##be(struct rt_queue *q, void *y, float *rstd,              \
                                            const float *x, const void *w, int N, int C,           \
                                            float eps, rt_dtype dt);                               \
    RT_NODISCARD rt_status rmsnorm_bwd_##be(struct kernels_state *s, struct rt_queue *q,           \
                                            float *dx, float *dw, const void *dy, const float *x,  \
                                            const void *w, const float *rstd, int N, int C,        \
                                            rt_dtype dt);                                          \
    RT_NODISCARD rt_status rope_##be(struct rt_queue *q, void *qkv, const float *table, int N,     \
                                     int T, int position0, int H, int K, int D, bool inverse,      \
                                     rt_dtype dt);                                                 \
    RT_NODISCARD rt_status attention_fwd_##be(struct kernels_state *s, struct rt_queue *q,         \
                                              void *out, float *lse, const void *qkv,              \
                                              const struct kernels_attention *a);                  \
    RT_NODISCARD rt_status attention_bwd_##be(struct kernels_state *s, struct rt_queue *q,         \
                                              void *dqkv, const void *dout, const void *qkv,       \
                                              const void *out, const float *lse,                   \
                                              const struct kernels_attention *a);                  \
    RT_NODISCARD rt_status attention_cached_##be(struct kernels_state *s, struct rt_queue *q,      \
                                                 void *out, const void *qkv, const void *keys,     \
                                                 const void *values, int t, int position,          \
                                                 int context, const struct kernels_attention *a);  \
    RT_NODISCARD rt_status swiglu_fwd_##be(struct rt_queue *q, void *h, const void *gu, int N,     \
                                           int F, rt_dtype dt);                                    \
    RT_NODISCARD rt_status swiglu_bwd_##be(struct rt_queue *q, void *dgu, const void *dh,          \
                                           const void *gu, int N, int F, rt_dtype dt);             \
    RT_NODISCARD rt_status embedding_fwd_##be(struct rt_queue *q, float *x, const void *w,         \
                                              const int32_t *tokens, int N, int C, rt_dtype dt);   \
    RT_NODISCARD rt_status embedding_bwd_##be(struct rt_queue *q, float *dw, const float *dx,      \
                                              const int32_t *tokens, int N, int C, int V);         \
    RT_NODISCARD rt_status crossentropy_##be(struct rt_queue *q, float *losses, void *dlogits,     \
                                             const float *logits, const int32_t *targets, int n,   \
                                             int V, float scale, rt_dtype dt);                     \
    RT_NODISCARD rt_status cast_##be(struct rt_queue *q, void *y, const float *x, size_t n,        \
                                     rt_dtype dt)
/* clang-format on */

KERNELS_DECLARE(ref);
KERNELS_DECLARE(cpu);

/* Element i of an array of dt, as a number. Plain kernels read and write through these; the
 * store rounds to nearest even, once from double to f32 and once to bf16. */
static inline double kernels_load(const void *p, size_t i, rt_dtype dt)
{
    return dt == RT_F32 ? (double)((const float *)p)[i]
                        : (double)rt_bf16_to_f32(((const rt_bf16 *)p)[i]);
}

static inline void kernels_store(void *p, size_t i, rt_dtype dt, double x)
{
    if (dt == RT_F32)
        ((float *)p)[i] = (float)x;
    else
        ((rt_bf16 *)p)[i] = rt_bf16_from_f32((float)x);
}

#endif
