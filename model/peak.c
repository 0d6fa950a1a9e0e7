/* model/peak.c - the matmul peak of this machine: the best of a fixed list of shapes
 *
 * How      through the backend's own matmul, into out of the compute dtype. A shape runs twice to warm
 *          up and then for at least 0.2 s; its figure is the mean over that time, and the peak is the
 *          best shape's. Three square shapes, always; the forward, input-gradient and
 *          weight-gradient products of a block and the head when a model is given, with sides cut
 *          to 4096 and rows to about 34 GFLOP a product, beyond which nothing gets faster.
 */
#include "model/peak.h"

#include <stdlib.h>
#include <time.h>

enum { WARM_UPS = 2, ROWS_DEFAULT = 2048, SIDE_MAX = 4096, PRODUCT_MAX_LOG2 = 34 };
static const double seconds_each = 0.2;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void list(struct model_peak *p, int M, int N, int K, bool transpose_a, bool transpose_b)
{
    p->rows[p->count++] = (struct model_peak_row){M, N, K, transpose_a, transpose_b, 0};
}

static int at_most(int n, long long most) { return n < most ? n : (int)most; }

/* y = x w^T, dx = dy w and dw = dy^T x of an (out,in) matrix. */
static void list_matrix(struct model_peak *p, int rows, int out, int in)
{
    out = at_most(out, SIDE_MAX);
    in = at_most(in, SIDE_MAX);
    rows = at_most(rows, (1LL << PRODUCT_MAX_LOG2) / ((long long)out * in));
    list(p, rows, out, in, false, true);
    list(p, rows, in, out, false, false);
    list(p, out, in, rows, true, false);
}

static void list_shapes(struct model_peak *p, const struct model_config *c, int rows)
{
    p->count = 0;
    list(p, 1024, 1024, 1024, false, false);
    list(p, 1024, 1024, 1024, false, true);
    list(p, 2048, 2048, 2048, false, true);
    if (c == NULL) {
        list_matrix(p, ROWS_DEFAULT, 512, 512);
        list_matrix(p, ROWS_DEFAULT, 1536, 512);
        return;
    }
    list_matrix(p, rows, (c->heads + 2 * c->kv_heads) * (c->dim / c->heads), c->dim);
    list_matrix(p, rows, c->dim, c->dim);
    list_matrix(p, rows, 2 * c->ffn_dim, c->dim);
    list_matrix(p, rows, c->dim, c->ffn_dim);
    list(p, at_most(rows, 512), at_most(c->vocabulary, SIDE_MAX), at_most(c->dim, SIDE_MAX), false,
         true);
}

/* Elements of the largest operand of any shape. */
static size_t largest(const struct model_peak *p)
{
    size_t most = 0;

    for (int i = 0; i < p->count; i++) {
        const struct model_peak_row *r = &p->rows[i];
        const size_t M = (size_t)r->M, N = (size_t)r->N, K = (size_t)r->K;
        const size_t sizes[] = {M * K, K * N, M * N};
        for (int j = 0; j < 3; j++) most = sizes[j] > most ? sizes[j] : most;
    }
    return most;
}

static void fill(void *p, size_t n, rt_dtype dt)
{
    for (size_t i = 0; i < n; i++) {
        const float x = (float)(i % 251) / 251 - 0.5f;
        if (dt == RT_F32)
            ((float *)p)[i] = x;
        else
            ((rt_bf16 *)p)[i] = rt_bf16_from_f32(x);
    }
}

struct operands {
    void *a, *b, *out, *scratch;
};

static rt_status measure(const struct kernels *k, struct kernels_state *s, rt_dtype dt,
                         const struct operands *x, struct model_peak_row *row)
{
    const struct kernels_matmul m = {.a = x->a,
                                     .b = x->b,
                                     .out = x->out,
                                     .at = dt,
                                     .bt = dt,
                                     .ot = dt,
                                     .transpose_a = row->transpose_a,
                                     .transpose_b = row->transpose_b,
                                     .M = row->M,
                                     .N = row->N,
                                     .K = row->K};
    double begin, seconds;
    int runs = 0;

    for (int i = 0; i < WARM_UPS; i++) RT_TRY(k->matmul(s, NULL, &m));
    begin = now();
    do {
        RT_TRY(k->matmul(s, NULL, &m));
        runs++;
        seconds = now() - begin;
    } while (seconds < seconds_each);
    row->flops_per_s = 2.0 * runs * row->M * row->N * row->K / seconds;
    return RT_OK;
}

static size_t scratch_bytes(const struct kernels *k, const struct model_config *c, int rows,
                            rt_dtype dt)
{
    const struct model_config square = {
        .dim = 2048, .ffn_dim = 2048, .vocabulary = 2048, .heads = 16, .context = 1};
    const size_t least = k->scratch_bytes(ROWS_DEFAULT, square.dim, square.ffn_dim,
                                          square.vocabulary, square.heads, square.context, dt);
    const size_t own = c == NULL ? 0
                                 : k->scratch_bytes(rows, c->dim, c->ffn_dim, c->vocabulary,
                                                    c->heads, c->context, dt);
    return own > least ? own : least;
}

rt_status model_peak_measure(const struct kernels *k, rt_dtype dt, const struct model_config *c,
                             int rows, struct model_peak *out)
{
    struct kernels_state *state = NULL;
    struct operands x = {0};
    rt_status st = RT_OK;

    *out = (struct model_peak){0};
    list_shapes(out, c, rows);
    const size_t n = largest(out), scratch = scratch_bytes(k, c, rows, dt);
    const size_t bytes = (n * rt_dtype_bytes(dt) + 63) / 64 * 64;
    x.a = aligned_alloc(64, bytes);
    x.b = aligned_alloc(64, bytes);
    x.out = aligned_alloc(64, bytes);
    x.scratch = aligned_alloc(64, (scratch + 63) / 64 * 64);
    if (x.a == NULL || x.b == NULL || x.out == NULL || x.scratch == NULL) {
        st = RT_FAIL(RT_ENOMEM, "three matrices of %zu bytes to measure the matmul peak", bytes);
        goto out;
    }
    fill(x.a, n, dt);
    fill(x.b, n, dt);
    RT_TRY_OUT(k->open(x.scratch, scratch, &state));
    for (int i = 0; i < out->count; i++) {
        RT_TRY_OUT(measure(k, state, dt, &x, &out->rows[i]));
        if (out->rows[i].flops_per_s > out->flops_per_s)
            out->flops_per_s = out->rows[i].flops_per_s;
    }
out:
    k->close(&state);
    free(x.a);
    free(x.b);
    free(x.out);
    free(x.scratch);
    return st;
}
