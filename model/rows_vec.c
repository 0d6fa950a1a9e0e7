/* model/rows_vec.c - the vector loops but attention's; compiled once for each instruction set
 *
 * Each function is one row. The body is written once for both dtypes (dt is a constant where it is
 * called), with the last lanes of a row masked, so that an element's rounding does not depend on
 * where it stands.
 */
#include "model/rows_vec.h"

#include <math.h>

#include "model/vec_cpu.h"

VEC_INLINE void norm_fwd_(void *y, float *rstd, const float *x_C, const void *w, int C, float eps,
                          rt_dtype dt)
{
    const size_t width = (size_t)C;
    vec sum = vec_all(0);

    for (size_t c = 0; c < width; c += VEC) {
        const vec x = vec_load_f32(x_C + c, vec_lanes(c, width));
        sum = vec_fma(x, x, sum);
    }
    const float r = 1 / sqrtf(vec_sum(sum) / (float)C + eps);
    for (size_t c = 0; c < width; c += VEC) {
        const int n = vec_lanes(c, width);
        vec_store(y, c, vec_load(w, c, n, dt) * vec_load_f32(x_C + c, n) * vec_all(r), n, dt);
    }
    *rstd = r;
}

static void norm_fwd(void *y, float *rstd, const float *x, const void *w, int C, float eps,
                     rt_dtype dt)
{
    if (dt == RT_F32)
        norm_fwd_(y, rstd, x, w, C, eps, RT_F32);
    else
        norm_fwd_(y, rstd, x, w, C, eps, RT_BF16);
}

VEC_INLINE void norm_bwd_(float *dx_C, float *dw_C, const void *dy, const float *x_C, const void *w,
                          float rstd, int C, rt_dtype dt)
{
    const size_t width = (size_t)C;
    vec dot = vec_all(0);

    for (size_t c = 0; c < width; c += VEC) {
        const int n = vec_lanes(c, width);
        const vec dy_ = vec_load(dy, c, n, dt), x = vec_load_f32(x_C + c, n);
        dot = vec_fma(vec_load(w, c, n, dt) * dy_, x, dot);
    }
    const vec r = vec_all(rstd);
    const vec a = vec_all(-(vec_sum(dot) / (float)C) * rstd * rstd * rstd);
    for (size_t c = 0; c < width; c += VEC) {
        const int n = vec_lanes(c, width);
        const vec dy_ = vec_load(dy, c, n, dt), x = vec_load_f32(x_C + c, n);
        const vec dx = vec_fma(r, vec_load(w, c, n, dt) * dy_, a * x);
        vec_store_f32(dx_C + c, vec_load_f32(dx_C + c, n) + dx, n);
        vec_store_f32(dw_C + c, vec_fma(dy_ * x, r, vec_load_f32(dw_C + c, n)), n);
    }
}

static void norm_bwd(float *dx, float *dw, const void *dy, const float *x, const void *w,
                     float rstd, int C, rt_dtype dt)
{
    if (dt == RT_F32)
        norm_bwd_(dx, dw, dy, x, w, rstd, C, RT_F32);
    else
        norm_bwd_(dx, dw, dy, x, w, rstd, C, RT_BF16);
}

/* Turn adjacent pairs: (a, b) -> (a c - b s, a s + b c), with (c, s) adjacent in the table. */
VEC_INLINE vec turn(vec x, vec angle, vec sign)
{
    return vec_fma(x, vec_evens(angle), vec_swap(x) * (vec_odds(angle) * sign));
}

VEC_INLINE void rope_(void *x, const float *angle, int heads, int D, bool inverse, rt_dtype dt)
{
    vec sign = vec_all(inverse ? -1.0f : 1.0f);

    for (int l = 0; l < VEC; l += 2) sign[l] = -sign[l];
    for (int h = 0; h < heads; h++) {
        for (size_t d = 0; d < (size_t)D; d += VEC) {
            const int n = vec_lanes(d, (size_t)D);
            const size_t at = (size_t)h * (size_t)D + d;
            const vec y = turn(vec_load(x, at, n, dt), vec_load_f32(angle + d, n), sign);
            vec_store(x, at, y, n, dt);
        }
    }
}

static void rope(void *x, const float *angle, int heads, int D, bool inverse, rt_dtype dt)
{
    if (dt == RT_F32)
        rope_(x, angle, heads, D, inverse, RT_F32);
    else
        rope_(x, angle, heads, D, inverse, RT_BF16);
}

/* 1 / (1 + e^-g) */
VEC_INLINE vec sigmoid(vec g) { return vec_all(1) / (vec_all(1) + vec_exp(-g)); }

VEC_INLINE void swiglu_fwd_(void *h, const void *gu, int F, rt_dtype dt)
{
    const size_t width = (size_t)F;

    for (size_t f = 0; f < width; f += VEC) {
        const int n = vec_lanes(f, width);
        const vec g = vec_load(gu, f, n, dt), u = vec_load(gu, width + f, n, dt);
        vec_store(h, f, g * sigmoid(g) * u, n, dt);
    }
}

static void swiglu_fwd(void *h, const void *gu, int F, rt_dtype dt)
{
    if (dt == RT_F32)
        swiglu_fwd_(h, gu, F, RT_F32);
    else
        swiglu_fwd_(h, gu, F, RT_BF16);
}

VEC_INLINE void swiglu_bwd_(void *dgu, const void *dh, const void *gu, int F, rt_dtype dt)
{
    const size_t width = (size_t)F;

    for (size_t f = 0; f < width; f += VEC) {
        const int n = vec_lanes(f, width);
        const vec g = vec_load(gu, f, n, dt), u = vec_load(gu, width + f, n, dt);
        const vec d = vec_load(dh, f, n, dt), s = sigmoid(g), ds = d * s;
        vec_store(dgu, f, ds * u * vec_fma(g, vec_all(1) - s, vec_all(1)), n, dt);
        vec_store(dgu, width + f, ds * g, n, dt);
    }
}

static void swiglu_bwd(void *dgu, const void *dh, const void *gu, int F, rt_dtype dt)
{
    if (dt == RT_F32)
        swiglu_bwd_(dgu, dh, gu, F, RT_F32);
    else
        swiglu_bwd_(dgu, dh, gu, F, RT_BF16);
}

/* The sum over a row of e^(z - top). Lanes beyond the row are taken out again. */
static float sum_of_exp(const float *z_V, size_t V, float top)
{
    vec sum = vec_all(0);
    size_t v = 0;
    float rest = 0;

    for (; v + VEC <= V; v += VEC) sum += vec_exp(vec_load_f32(z_V + v, VEC) - vec_all(top));
    if (v < V) {
        const vec e = vec_exp(vec_load_f32(z_V + v, vec_lanes(v, V)) - vec_all(top));
        for (int l = 0; l < vec_lanes(v, V); l++) rest += e[l];
    }
    return vec_sum(sum) + rest;
}

static float largest(const float *z_V, size_t V)
{
    vec top = vec_all(z_V[0]);
    size_t v = 0;

    for (; v + VEC <= V; v += VEC) top = vec_max(vec_load_f32(z_V + v, VEC), top);
    float t = vec_largest(top);
    for (; v < V; v++) t = z_V[v] > t ? z_V[v] : t;
    return t;
}

VEC_INLINE void gradient_(void *dlogits, const float *z_V, size_t V, float top, float scale,
                          rt_dtype dt)
{
    for (size_t v = 0; v < V; v += VEC) {
        const int n = vec_lanes(v, V);
        const vec e = vec_exp(vec_load_f32(z_V + v, n) - vec_all(top));
        vec_store(dlogits, v, e * vec_all(scale), n, dt);
    }
}

static void zero_row(void *dlogits, int V, rt_dtype dt)
{
    memset(dlogits, 0, (size_t)V * rt_dtype_bytes(dt));
}

static float crossentropy(void *dlogits, const float *logits, int32_t target, int V, float scale,
                          rt_dtype dt)
{
    if (target < 0) {
        if (dlogits != NULL) zero_row(dlogits, V, dt);
        return 0;
    }
    const float top = largest(logits, (size_t)V), at = logits[target];
    const float sum = sum_of_exp(logits, (size_t)V, top);

    if (dlogits != NULL) {
        const float d = scale * (expf(at - top) / sum - 1);
        if (dt == RT_F32) {
            gradient_(dlogits, logits, (size_t)V, top, scale / sum, RT_F32);
            ((float *)dlogits)[target] = d;
        } else {
            gradient_(dlogits, logits, (size_t)V, top, scale / sum, RT_BF16);
            ((rt_bf16 *)dlogits)[target] = rt_bf16_from_f32(d);
        }
    }
    return logf(sum) + (top - at);
}

static void to_bf16(rt_bf16 *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += VEC)
        vec_store_bf16(y + i, vec_load_f32(x + i, vec_lanes(i, n)), vec_lanes(i, n));
}

static void to_f32(float *y, const rt_bf16 *x, size_t n)
{
    for (size_t i = 0; i < n; i += VEC)
        vec_store_f32(y + i, vec_load_bf16(x + i, vec_lanes(i, n)), vec_lanes(i, n));
}

static void add(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] += x[i];
}

const struct rows_cpu ROWS_TABLE = {
    .name = ROWS_NAME,
    .norm_fwd = norm_fwd,
    .norm_bwd = norm_bwd,
    .rope = rope,
    .swiglu_fwd = swiglu_fwd,
    .swiglu_bwd = swiglu_bwd,
    .crossentropy = crossentropy,
    .to_bf16 = to_bf16,
    .to_f32 = to_f32,
    .add = add,
    .attention_fwd = ROWS_ATTENTION_FWD,
    .attention_bwd = ROWS_ATTENTION_BWD,
    .attention_query = ROWS_ATTENTION_QUERY,
};
