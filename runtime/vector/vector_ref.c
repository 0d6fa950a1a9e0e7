/* runtime/vector/vector_ref.c - written to be read: the truth of every other table */
#include "runtime/vector/vector.h"

#include <math.h>
#include <string.h>

static rt_status cast_ref(struct rt_queue *q, void *y, rt_dtype yt, const void *x, rt_dtype xt,
                          size_t n)
{
    (void)q;
    if (xt == yt) {
        if (n > 0) memcpy(y, x, n * rt_dtype_bytes(xt));
        return RT_OK;
    }
    if (yt == RT_BF16) {
        rt_bf16 *to = y;
        const float *from = x;
        for (size_t i = 0; i < n; i++) to[i] = rt_bf16_from_f32(from[i]);
    } else {
        float *to = y;
        const rt_bf16 *from = x;
        for (size_t i = 0; i < n; i++) to[i] = rt_bf16_to_f32(from[i]);
    }
    return RT_OK;
}

static float value_at(const void *x, rt_dtype t, size_t i)
{
    return t == RT_BF16 ? rt_bf16_to_f32(((const rt_bf16 *)x)[i]) : ((const float *)x)[i];
}

/* x[0..count) at i: the left half is the largest power of two below count. */
static float tree(const void *const *x, const rt_dtype *t, int count, size_t i)
{
    int left = 1;

    if (count == 1) return value_at(x[0], t[0], i);
    while (left < count - left) left *= 2;
    float a = tree(x, t, left, i);
    return a + tree(x + left, t + left, count - left, i);
}

static rt_status reduce_ref(struct rt_queue *q, void *y, rt_dtype yt, const void *const *x,
                            const rt_dtype *xt, int count, size_t n, bool tree_order, bool add)
{
    (void)q;
    if (count < 1) return RT_FAIL(RT_EINVAL, "a sum of %d vectors", count);
    for (size_t i = 0; i < n; i++) {
        float s = value_at(x[0], xt[0], i);
        if (tree_order)
            s = tree(x, xt, count, i);
        else
            for (int k = 1; k < count; k++) s += value_at(x[k], xt[k], i);
        if (add) s = value_at(y, yt, i) + s;
        if (yt == RT_BF16)
            ((rt_bf16 *)y)[i] = rt_bf16_from_f32(s);
        else
            ((float *)y)[i] = s;
    }
    return RT_OK;
}

static rt_status scale_ref(struct rt_queue *q, float *y, float a, size_t n)
{
    (void)q;
    for (size_t i = 0; i < n; i++) y[i] = y[i] * a;
    return RT_OK;
}

static rt_status squares_ref(struct rt_queue *q, struct rt_exact *a, const float *x, size_t n)
{
    (void)q;
    for (size_t i = 0; i < n; i++) rt_exact_add(a, (double)x[i] * (double)x[i]);
    return RT_OK;
}

static rt_status finite_ref(struct rt_queue *q, bool *finite, const float *x, size_t n)
{
    (void)q;
    *finite = true;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i])) *finite = false;
    return RT_OK;
}

const struct rt_vector rt_vector_ref = {
    .name = "ref",
    .cast = cast_ref,
    .reduce = reduce_ref,
    .scale = scale_ref,
    .squares = squares_ref,
    .finite = finite_ref,
};
