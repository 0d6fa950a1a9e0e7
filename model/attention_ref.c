/* model/attention_ref.c - causal grouped-query attention, written to be read
 *
 *     s[i,j] = q[i] . k[j] / sqrt(D)  for j <= i
 *     lse[i] = log(sum_j exp(s[i,j])),    p[i,j] = exp(s[i,j] - lse[i])
 *     out[i] = sum_j p[i,j] v[j]
 * Backward, with dp[i,j] = dout[i] . v[j],  delta[i] = dout[i] . out[i] = sum_j p[i,j] dp[i,j],
 *           ds[i,j] = p[i,j] (dp[i,j] - delta[i]) / sqrt(D):
 *     dq[i] = sum_j ds[i,j] k[j],    dk[j] = sum_i ds[i,j] q[i],    dv[j] = sum_i p[i,j] dout[i]
 * Query head h reads kv head h / (H/K); dk and dv also sum over the H/K heads that read them.
 *
 * Shapes    one sequence and head: q, out (T,D) in rows of qkv (N,(H+2K)*D) and out (N,H*D);
 *           lse (N,H); the cached form reads keys and values (B, context, K, D)
 * Numbers   float64 inside; backward reads the rounded out and lse as every backend does. Other
 *           backends: relative error (L2) <= 1e-5 in fp32, 1e-2 in bf16  (test_kernels)
 * Cost      2*H*D*T^2 flops a sequence forward when only j <= i is computed, 5*H*D*T^2 backward
 * Source    Vaswani et al. 2017, arXiv:1706.03762; Ainslie et al. 2023, arXiv:2305.13245 (GQA);
 *           lse kept for backward: Dao et al. 2022, arXiv:2205.14135
 */
#include "model/kernels_impl.h"
#include "model/kernels_ref.h"

#include <math.h>

/* Vectors of D elements, `stride` elements apart. */
struct rows {
    const void *p;
    size_t first, stride;
    rt_dtype dt;
};

static double load(const struct rows *r, size_t i, size_t d)
{
    return kernels_load(r->p, r->first + i * r->stride + d, r->dt);
}

static double dot(const struct rows *a, size_t i, const struct rows *b, size_t j, int D)
{
    double sum = 0;
    for (size_t d = 0; d < (size_t)D; d++) sum += load(a, i, d) * load(b, j, d);
    return sum;
}

/* out (D at element `at`) = attention of query i over the first `count` keys; returns lse. */
static double attend(struct kernels_state *s, void *out, size_t at, const struct rows *q, size_t i,
                     const struct rows *k, const struct rows *v, size_t count, int D)
{
    double top = -INFINITY, sum = 0;

    for (size_t j = 0; j < count; j++) {
        s->row[j] = dot(q, i, k, j, D) / sqrt(D);
        top = fmax(top, s->row[j]);
    }
    for (size_t j = 0; j < count; j++) {
        s->row[j] = exp(s->row[j] - top);
        sum += s->row[j];
    }
    for (size_t d = 0; d < (size_t)D; d++) {
        double o = 0;
        for (size_t j = 0; j < count; j++) o += s->row[j] * load(v, j, d);
        kernels_store(out, at + d, q->dt, o / sum);
    }
    return top + log(sum);
}

/* Head `head` (counted over the H+2K of a row) of sequence b in a qkv of T rows a sequence. */
static struct rows of_qkv(const void *qkv, int b, int T, int head,
                          const struct kernels_attention *a)
{
    const size_t row = (size_t)(a->H + 2 * a->K) * (size_t)a->D;
    return (struct rows){qkv, (size_t)b * (size_t)T * row + (size_t)head * (size_t)a->D, row,
                         a->dt};
}

static rt_status check_row(const struct kernels_state *s, int count)
{
    if ((size_t)count <= s->row_count) return RT_OK;
    return RT_FAIL(RT_EINVAL, "ref attention needs a row of %d doubles, opened with %zu", count,
                   s->row_count);
}

rt_status attention_fwd_ref(struct kernels_state *s, struct rt_queue *q, void *out, float *lse,
                            const void *qkv, const struct kernels_attention *a)
{
    (void)q;
    RT_TRY(check_row(s, a->T));
    for (int b = 0; b < a->B; b++) {
        for (int h = 0; h < a->H; h++) {
            const int g = h / (a->H / a->K);
            const struct rows qh = of_qkv(qkv, b, a->T, h, a);
            const struct rows kh = of_qkv(qkv, b, a->T, a->H + g, a);
            const struct rows vh = of_qkv(qkv, b, a->T, a->H + a->K + g, a);

            for (size_t i = 0; i < (size_t)a->T; i++) {
                const size_t n = (size_t)b * (size_t)a->T + i;
                const size_t at = (n * (size_t)a->H + (size_t)h) * (size_t)a->D;
                lse[n * (size_t)a->H + (size_t)h] =
                    (float)attend(s, out, at, &qh, i, &kh, &vh, i + 1, a->D);
            }
        }
    }
    return RT_OK;
}

rt_status attention_cached_ref(struct kernels_state *s, struct rt_queue *q, void *out,
                               const void *qkv, const void *keys, const void *values, int t,
                               int position, int context, const struct kernels_attention *a)
{
    (void)q;
    RT_TRY(check_row(s, position + t));
    for (int b = 0; b < a->B; b++) {
        for (int h = 0; h < a->H; h++) {
            const int g = h / (a->H / a->K);
            const size_t stride = (size_t)a->K * (size_t)a->D;
            const size_t first = (size_t)b * (size_t)context * stride + (size_t)g * (size_t)a->D;
            const struct rows qh = of_qkv(qkv, b, t, h, a);
            const struct rows kh = {keys, first, stride, a->dt};
            const struct rows vh = {values, first, stride, a->dt};

            for (size_t i = 0; i < (size_t)t; i++) {
                const size_t n = (size_t)b * (size_t)t + i;
                const size_t at = (n * (size_t)a->H + (size_t)h) * (size_t)a->D;
                (void)attend(s, out, at, &qh, i, &kh, &vh, (size_t)position + i + 1, a->D);
            }
        }
    }
    return RT_OK;
}

struct backward {
    void *dqkv;
    const void *dout, *qkv, *out;
    const float *lse;
    const struct kernels_attention *a;
};

/* One sequence and query head of it. */
struct head {
    struct rows q, k, v, out, dout;
    const float *lse; /* of row 0; rows `lse_stride` apart */
    size_t lse_stride;
    int D;
};

static struct head head_of(const struct backward *p, int b, int h)
{
    const struct kernels_attention *a = p->a;
    const int g = h / (a->H / a->K);
    const size_t width = (size_t)a->H * (size_t)a->D, row0 = (size_t)b * (size_t)a->T;
    const size_t first = row0 * width + (size_t)h * (size_t)a->D;

    return (struct head){.q = of_qkv(p->qkv, b, a->T, h, a),
                         .k = of_qkv(p->qkv, b, a->T, a->H + g, a),
                         .v = of_qkv(p->qkv, b, a->T, a->H + a->K + g, a),
                         .out = {p->out, first, width, a->dt},
                         .dout = {p->dout, first, width, a->dt},
                         .lse = p->lse + row0 * (size_t)a->H + (size_t)h,
                         .lse_stride = (size_t)a->H,
                         .D = a->D};
}

static double p_of(const struct head *x, size_t i, size_t j)
{
    return exp(dot(&x->q, i, &x->k, j, x->D) / sqrt(x->D) - (double)x->lse[i * x->lse_stride]);
}

static double ds_of(const struct head *x, size_t i, size_t j)
{
    const double delta = dot(&x->dout, i, &x->out, i, x->D);
    return p_of(x, i, j) * (dot(&x->dout, i, &x->v, j, x->D) - delta) / sqrt(x->D);
}

/* acc (D) += a * row i of r */
static void add_row(double *acc_D, double a, const struct rows *r, size_t i, int D)
{
    for (size_t d = 0; d < (size_t)D; d++) acc_D[d] += a * load(r, i, d);
}

/* Row i of head `head` of sequence b of dqkv = acc, which starts over at zero. */
static void put_row(const struct backward *p, int b, size_t i, int head, double *acc_D)
{
    const size_t n = (size_t)b * (size_t)p->a->T + i, D = (size_t)p->a->D;
    const size_t at = (n * (size_t)(p->a->H + 2 * p->a->K) + (size_t)head) * D;

    for (size_t d = 0; d < D; d++) {
        kernels_store(p->dqkv, at + d, p->a->dt, acc_D[d]);
        acc_D[d] = 0;
    }
}

static void backward_query(struct kernels_state *s, const struct backward *p, int b, int h,
                           size_t i)
{
    const struct head x = head_of(p, b, h);

    for (size_t j = 0; j <= i; j++) add_row(s->row, ds_of(&x, i, j), &x.k, j, x.D);
    put_row(p, b, i, h, s->row);
}

/* dk and dv of row j of kv head g: sums over the query heads that read it. */
static void backward_key(struct kernels_state *s, const struct backward *p, int b, int g, size_t j)
{
    const struct kernels_attention *a = p->a;
    const int group = a->H / a->K;
    double *dk_D = s->row, *dv_D = s->row + a->D;

    for (int h = g * group; h < (g + 1) * group; h++) {
        const struct head x = head_of(p, b, h);
        for (size_t i = j; i < (size_t)a->T; i++) {
            add_row(dk_D, ds_of(&x, i, j), &x.q, i, a->D);
            add_row(dv_D, p_of(&x, i, j), &x.dout, i, a->D);
        }
    }
    put_row(p, b, j, a->H + g, dk_D);
    put_row(p, b, j, a->H + a->K + g, dv_D);
}

rt_status attention_bwd_ref(struct kernels_state *s, struct rt_queue *q, void *dqkv,
                            const void *dout, const void *qkv, const void *out, const float *lse,
                            const struct kernels_attention *a)
{
    const struct backward p = {dqkv, dout, qkv, out, lse, a};

    (void)q;
    RT_TRY(check_row(s, 2 * a->D));
    for (int d = 0; d < 2 * a->D; d++) s->row[d] = 0;
    for (int b = 0; b < a->B; b++) {
        for (int h = 0; h < a->H; h++)
            for (size_t i = 0; i < (size_t)a->T; i++) backward_query(s, &p, b, h, i);
        for (int g = 0; g < a->K; g++)
            for (size_t j = 0; j < (size_t)a->T; j++) backward_key(s, &p, b, g, j);
    }
    return RT_OK;
}
