/* model/kernels_ref.c - the table of the reference backend, and its state: one row of doubles */
#include "model/kernels_ref.h"
#include "model/kernels_impl.h"

const struct kernels kernels_ref = {
    .name = "ref",
    .scratch_bytes = scratch_bytes_ref,
    .open = open_ref,
    .close = close_ref,
    .matmul = matmul_ref,
    .rmsnorm_fwd = rmsnorm_fwd_ref,
    .rmsnorm_bwd = rmsnorm_bwd_ref,
    .rope = rope_ref,
    .attention_fwd = attention_fwd_ref,
    .attention_bwd = attention_bwd_ref,
    .attention_cached = attention_cached_ref,
    .swiglu_fwd = swiglu_fwd_ref,
    .swiglu_bwd = swiglu_bwd_ref,
    .embedding_fwd = embedding_fwd_ref,
    .embedding_bwd = embedding_bwd_ref,
    .crossentropy = crossentropy_ref,
    .cast = cast_ref,
};

/* The longest row that a reference kernel keeps: the scores of one query over the context, or two
 * sums of head dim. */
size_t scratch_bytes_ref(int rows, int dim, int ffn_dim, int vocabulary, int heads, int context,
                         rt_dtype dt)
{
    (void)rows;
    (void)ffn_dim;
    (void)vocabulary;
    (void)dt;
    return sizeof(struct kernels_state) +
           ((size_t)context + 2 * (size_t)(dim / heads)) * sizeof(double);
}

rt_status open_ref(void *scratch, size_t bytes, struct kernels_state **out)
{
    struct kernels_state *s = scratch;

    *out = NULL;
    if (bytes < sizeof *s)
        return RT_FAIL(RT_EINVAL, "scratch of the ref kernels is %zu bytes, needs at least %zu",
                       bytes, sizeof *s);
    s->row_count = (bytes - sizeof *s) / sizeof s->row[0];
    *out = s;
    return RT_OK;
}

void close_ref(struct kernels_state **s) { *s = NULL; }
