/* model/attention_vec.c - causal attention of one head in tiles; compiled once for each instruction
 * set. Formula in attention_ref.c
 *
 * How      64 queries against 64 keys at a time, in f32 whatever the dtype outside; the tiles above
 *          the diagonal are never touched. Forward keeps a running maximum and sum a row and scales
 *          what it has when the maximum grows; backward makes the probabilities anew from lse. Rows
 *          beyond T and columns beyond D are zero in the tiles and change nothing: a query beyond T
 *          has lse +inf in backward, so its probabilities are 0.
 * Memory   rows_attention_floats: five copies of (T,D), never (T,T)
 * Source   Dao 2023, arXiv:2307.08691 (loop order, running softmax)
 */
#include "model/rows_vec.h"

#include <math.h>

#include "model/tile_cpu.h"

enum { TILE = 64, TILE_AREA = TILE * TILE };

static size_t padded_dim(const struct rows_attention *a) { return ((size_t)a->D + 15) / 16 * 16; }

static size_t tiles_of(const struct rows_attention *a) { return ((size_t)a->T + TILE - 1) / TILE; }

static size_t min_size(size_t a, size_t b) { return a < b ? a : b; }

/* y (TILE,Dp) = scale * rows first.. of x, zero beyond T and D. */
static void pack(float *y, const void *x, size_t stride, size_t first, float scale,
                 const struct rows_attention *a)
{
    const size_t Dp = padded_dim(a), D = (size_t)a->D;
    const size_t rows = min_size(TILE, (size_t)a->T - first);

    for (size_t r = 0; r < rows; r++) {
        const size_t at = (first + r) * stride;
        for (size_t d = 0; d < Dp; d += VEC) {
            const int n = d < D ? vec_lanes(d, D) : 0;
            const vec v =
                a->dt == RT_F32 ? vec_load(x, at + d, n, RT_F32) : vec_load(x, at + d, n, RT_BF16);
            vec_store_f32(y + r * Dp + d, v * vec_all(scale), VEC);
        }
    }
    memset(y + rows * Dp, 0, (TILE - rows) * Dp * sizeof *y);
}

/* y (Dp,TILE) = x (TILE,Dp) turned over, in squares that stay in registers and cache. */
static void transpose(float *y, const float *x, size_t Dp)
{
    for (size_t d0 = 0; d0 < Dp; d0 += 16)
        for (size_t r0 = 0; r0 < TILE; r0 += 16)
            for (size_t d = d0; d < d0 + 16; d++)
                for (size_t r = r0; r < r0 + 16; r++) y[d * TILE + r] = x[r * Dp + d];
}

/* Rows first.. of y = scale * x (TILE,Dp), without the padding. */
static void unpack(void *y, size_t stride, size_t first, const float *x, float scale,
                   const struct rows_attention *a)
{
    const size_t Dp = padded_dim(a), D = (size_t)a->D;
    const size_t rows = min_size(TILE, (size_t)a->T - first);

    for (size_t r = 0; r < rows; r++) {
        for (size_t d = 0; d < D; d += VEC) {
            const size_t at = (first + r) * stride + d;
            const vec v = vec_load_f32(x + r * Dp + d, VEC) * vec_all(scale);
            if (a->dt == RT_F32)
                vec_store(y, at, v, vec_lanes(d, D), RT_F32);
            else
                vec_store(y, at, v, vec_lanes(d, D), RT_BF16);
        }
    }
}

/* c (TILE,N) = [c +] a (TILE,K) @ b (K,N), or with a (K,TILE) turned over; all rows dense. */
static void multiply(float *c, const float *a, const float *b, size_t N, size_t K)
{
    tile_multiply_(c, N, (struct tile_a){a, K, 1}, b, N, TILE, N, K, false);
}

static void multiply_add(float *c, const float *a, const float *b, size_t N, size_t K)
{
    tile_multiply_(c, N, (struct tile_a){a, K, 1}, b, N, TILE, N, K, true);
}

static void multiply_turned_add(float *c, const float *a, const float *b, size_t N, size_t K)
{
    tile_multiply_(c, N, (struct tile_a){a, 1, TILE}, b, N, TILE, N, K, true);
}

/* Keys behind the query, in a tile on the diagonal. */
static void mask_diagonal(float *s)
{
    for (size_t r = 0; r < TILE; r++)
        for (size_t c = r + 1; c < TILE; c++) s[r * TILE + c] = -INFINITY;
}

struct running {
    float top[TILE], sum[TILE]; /* largest score so far; sum of exp(score - top) */
};

/* One row of scores becomes exp(score - top); o (Dp) is scaled when top grows. */
static void softmax_row(float *s, float *o, size_t Dp, float *top, float *sum)
{
    vec most = vec_load_f32(s, VEC), total = vec_all(0);

    for (size_t c = VEC; c < TILE; c += VEC) most = vec_max(vec_load_f32(s + c, VEC), most);
    const float now = fmaxf(vec_largest(most), *top);
    if (now > *top) {
        const float shrink = expf(*top - now);
        for (size_t d = 0; d < Dp; d += VEC)
            vec_store_f32(o + d, vec_load_f32(o + d, VEC) * vec_all(shrink), VEC);
        *sum *= shrink;
        *top = now;
    }
    for (size_t c = 0; c < TILE; c += VEC) {
        const vec p = vec_exp(vec_load_f32(s + c, VEC) - vec_all(now));
        vec_store_f32(s + c, p, VEC);
        total += p;
    }
    *sum += vec_sum(total);
}

static void finish_rows(const struct rows_attention *a, size_t first, float *o,
                        const struct running *run)
{
    const size_t Dp = padded_dim(a), rows = min_size(TILE, (size_t)a->T - first);

    for (size_t r = 0; r < rows; r++) {
        const vec inverse = vec_all(1 / run->sum[r]);
        for (size_t d = 0; d < Dp; d += VEC)
            vec_store_f32(o + r * Dp + d, vec_load_f32(o + r * Dp + d, VEC) * inverse, VEC);
        a->lse[(first + r) * a->lse_stride] = run->top[r] + logf(run->sum[r]);
    }
    unpack(a->out, a->out_stride, first, o, 1, a);
}

void ROWS_ATTENTION_FWD(const struct rows_attention *a)
{
    const size_t Dp = padded_dim(a), tile = TILE * Dp, tiles = tiles_of(a);
    float *turned = a->scratch, *v = turned + tiles * tile, *q = v + tiles * tile;
    float *o = q + tile, *s = o + tile;
    struct running run;

    for (size_t j = 0; j < tiles; j++) {
        pack(q, a->k, a->qkv_stride, j * TILE, 1, a);
        transpose(turned + j * tile, q, Dp);
        pack(v + j * tile, a->v, a->qkv_stride, j * TILE, 1, a);
    }
    for (size_t i = 0; i < tiles; i++) {
        pack(q, a->q, a->qkv_stride, i * TILE, 1 / sqrtf((float)a->D), a);
        memset(o, 0, tile * sizeof *o);
        for (size_t r = 0; r < TILE; r++) {
            run.top[r] = -INFINITY;
            run.sum[r] = 0;
        }
        for (size_t j = 0; j <= i; j++) {
            multiply(s, q, turned + j * tile, TILE, Dp);
            if (j == i) mask_diagonal(s);
            for (size_t r = 0; r < TILE; r++)
                softmax_row(s + r * TILE, o + r * Dp, Dp, &run.top[r], &run.sum[r]);
            multiply_add(o, s, v + j * tile, Dp, TILE);
        }
        finish_rows(a, i * TILE, o, &run);
    }
}

/* The scratch of backward: whole sequences, padded, then tiles. */
struct backward {
    float *q, *dout, *dq, *dk, *dv; /* (tiles*TILE, Dp); q times 1/sqrt(D) */
    float *lse, *delta;             /* (tiles*TILE) */
    float *k, *k_turned, *v_turned; /* (TILE,Dp), (Dp,TILE) */
    float *p, *ds;                  /* (TILE,TILE) */
};

static struct backward lay_out(const struct rows_attention *a)
{
    const size_t Dp = padded_dim(a), rows = tiles_of(a) * TILE;
    struct backward w = {.q = a->scratch};

    w.dout = w.q + rows * Dp;
    w.dq = w.dout + rows * Dp;
    w.dk = w.dq + rows * Dp;
    w.dv = w.dk + rows * Dp;
    w.lse = w.dv + rows * Dp;
    w.delta = w.lse + rows;
    w.k = w.delta + rows;
    w.k_turned = w.k + TILE * Dp;
    w.v_turned = w.k_turned + TILE * Dp;
    w.p = w.v_turned + TILE * Dp;
    w.ds = w.p + TILE_AREA;
    return w;
}

/* Queries, gradients and row sums of one query head; dq starts at zero. */
static void load_head(const struct backward *w, const struct rows_attention *a, const void *dout)
{
    const size_t Dp = padded_dim(a), tiles = tiles_of(a), rows = tiles * TILE;

    for (size_t i = 0; i < tiles; i++) {
        pack(w->q + i * TILE * Dp, a->q, a->qkv_stride, i * TILE, 1 / sqrtf((float)a->D), a);
        pack(w->dout + i * TILE * Dp, dout, a->out_stride, i * TILE, 1, a);
        pack(w->dq + i * TILE * Dp, a->out, a->out_stride, i * TILE, 1, a);
    }
    for (size_t r = 0; r < rows; r++) {
        vec sum = vec_all(0);
        for (size_t d = 0; d < Dp; d += VEC)
            sum = vec_fma(vec_load_f32(w->dout + r * Dp + d, VEC),
                          vec_load_f32(w->dq + r * Dp + d, VEC), sum);
        w->delta[r] = vec_sum(sum);
        w->lse[r] = r < (size_t)a->T ? a->lse[r * a->lse_stride] : INFINITY;
    }
    memset(w->dq, 0, rows * Dp * sizeof *w->dq);
}

/* p = exp(p - lse), ds = p * (ds - delta), row by row. */
static void probabilities(float *p, float *ds, const float *lse, const float *delta)
{
    for (size_t r = 0; r < TILE; r++) {
        for (size_t c = r * TILE; c < (r + 1) * TILE; c += VEC) {
            const vec e = vec_exp(vec_load_f32(p + c, VEC) - vec_all(lse[r]));
            vec_store_f32(p + c, e, VEC);
            vec_store_f32(ds + c, e * (vec_load_f32(ds + c, VEC) - vec_all(delta[r])), VEC);
        }
    }
}

static void backward_head(const struct backward *w, const struct rows_attention *a)
{
    const size_t Dp = padded_dim(a), tile = TILE * Dp, tiles = tiles_of(a);

    for (size_t j = 0; j < tiles; j++) {
        pack(w->k, a->v, a->qkv_stride, j * TILE, 1, a);
        transpose(w->v_turned, w->k, Dp);
        pack(w->k, a->k, a->qkv_stride, j * TILE, 1, a);
        transpose(w->k_turned, w->k, Dp);
        for (size_t i = j; i < tiles; i++) {
            multiply(w->p, w->q + i * tile, w->k_turned, TILE, Dp);
            if (j == i) mask_diagonal(w->p);
            multiply(w->ds, w->dout + i * tile, w->v_turned, TILE, Dp);
            probabilities(w->p, w->ds, w->lse + i * TILE, w->delta + i * TILE);
            multiply_turned_add(w->dv + j * tile, w->p, w->dout + i * tile, Dp, TILE);
            multiply_turned_add(w->dk + j * tile, w->ds, w->q + i * tile, Dp, TILE);
            multiply_add(w->dq + i * tile, w->ds, w->k, Dp, TILE);
        }
    }
}

/* Element `count` of an array of dt. */
static const void *at(const void *p, size_t count, rt_dtype dt)
{
    return (const char *)p + count * rt_dtype_bytes(dt);
}

void ROWS_ATTENTION_BWD(const struct rows_attention_bwd *b)
{
    const struct rows_attention *a = &b->fwd;
    const size_t Dp = padded_dim(a), tiles = tiles_of(a), D = (size_t)a->D;
    const struct backward w = lay_out(a);

    memset(w.dk, 0, 2 * tiles * TILE * Dp * sizeof *w.dk); /* dv lies behind dk */
    for (size_t h = 0; h < (size_t)b->group; h++) {
        struct rows_attention head = *a;
        char *dq = (char *)b->dq + h * D * rt_dtype_bytes(a->dt);

        head.q = at(a->q, h * D, a->dt);
        head.out = (char *)a->out + h * D * rt_dtype_bytes(a->dt);
        head.lse = a->lse + h;
        load_head(&w, &head, at(b->dout, h * D, a->dt));
        backward_head(&w, &head);
        for (size_t i = 0; i < tiles; i++)
            unpack(dq, a->qkv_stride, i * TILE, w.dq + i * TILE * Dp, 1 / sqrtf((float)D), a);
    }
    for (size_t j = 0; j < tiles; j++) {
        unpack(b->dk, a->qkv_stride, j * TILE, w.dk + j * TILE * Dp, 1, a);
        unpack(b->dv, a->qkv_stride, j * TILE, w.dv + j * TILE * Dp, 1, a);
    }
}

VEC_INLINE void query_(const struct rows_query *x, rt_dtype dt)
{
    const size_t count = (size_t)x->count, D = (size_t)x->D;
    const float scale = 1 / sqrtf((float)x->D);
    float *s = x->scratch, top = -INFINITY, sum = 0;

    for (size_t j = 0; j < count; j++) {
        vec dot = vec_all(0);
        for (size_t d = 0; d < D; d += VEC) {
            const int n = vec_lanes(d, D);
            const vec k = vec_load(x->keys, j * x->kv_stride + d, n, dt);
            dot = vec_fma(vec_load(x->q, d, n, dt) * vec_all(scale), k, dot);
        }
        s[j] = vec_sum(dot);
        top = s[j] > top ? s[j] : top;
    }
    for (size_t j = 0; j < count; j += VEC) {
        const int n = vec_lanes(j, count);
        vec_store_f32(s + j, vec_exp(vec_load_f32(s + j, n) - vec_all(top)), n);
    }
    for (size_t j = 0; j < count; j++) sum += s[j];
    for (size_t d = 0; d < D; d += VEC) {
        const int n = vec_lanes(d, D);
        vec o = vec_all(0);
        for (size_t j = 0; j < count; j++)
            o = vec_fma(vec_all(s[j]), vec_load(x->values, j * x->kv_stride + d, n, dt), o);
        vec_store(x->out, d, o * vec_all(1 / sum), n, dt);
    }
}

void ROWS_ATTENTION_QUERY(const struct rows_query *x)
{
    if (x->dt == RT_F32)
        query_(x, RT_F32);
    else
        query_(x, RT_BF16);
}
