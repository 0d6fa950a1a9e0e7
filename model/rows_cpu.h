/* model/rows_cpu.h - the vector loops of the CPU backend, one table an instruction set
 *
 * The *_cpu.c files share rows over threads and call these; nothing here knows of threads. What each
 * does is said in kernels.h, its formula in <op>_ref.c.
 */
#ifndef MODEL_ROWS_CPU_H
#define MODEL_ROWS_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/dtype.h"

/* One sequence of causal attention. Rows of q, k, v are qkv_stride elements apart, of out and dout
 * out_stride, lse lse_stride floats. */
struct rows_attention {
    const void *q, *k, *v;
    void *out;
    float *lse;
    size_t qkv_stride, out_stride, lse_stride;
    int T, D;
    rt_dtype dt;
    float *scratch; /* rows_attention_floats(T, D), 64-byte aligned */
};

/* Backward of the `group` query heads that read one kv head: query head h lies h*D elements behind
 * the first in q, out, dout and dq, and h floats behind it in lse. */
struct rows_attention_bwd {
    struct rows_attention fwd;
    const void *dout;
    void *dq, *dk, *dv; /* rows qkv_stride apart */
    int group;
};

/* One query against `count` cached keys and values, rows kv_stride elements apart. */
struct rows_query {
    const void *q, *keys, *values;
    void *out;
    size_t kv_stride;
    int count, D;
    rt_dtype dt;
    float *scratch; /* count floats */
};

struct rows_cpu {
    const char *name;
    void (*norm_fwd)(void *y, float *rstd, const float *x, const void *w, int C, float eps,
                     rt_dtype dt);
    /* dw (C) is added to */
    void (*norm_bwd)(float *dx, float *dw, const void *dy, const float *x, const void *w,
                     float rstd, int C, rt_dtype dt);
    void (*rope)(void *x, const float *angle, int heads, int D, bool inverse, rt_dtype dt);
    void (*swiglu_fwd)(void *h, const void *gu, int F, rt_dtype dt);
    void (*swiglu_bwd)(void *dgu, const void *dh, const void *gu, int F, rt_dtype dt);
    float (*crossentropy)(void *dlogits, const float *logits, int32_t target, int V, float scale,
                          rt_dtype dt);
    void (*to_bf16)(rt_bf16 *y, const float *x, size_t n);
    void (*to_f32)(float *y, const rt_bf16 *x, size_t n);
    void (*add)(float *y, const float *x, size_t n); /* y += x */
    void (*attention_fwd)(const struct rows_attention *a);
    void (*attention_bwd)(const struct rows_attention_bwd *a);
    void (*attention_query)(const struct rows_query *a);
};

/* The widest table that this CPU can run; ONEDNN_MAX_CPU_ISA lowers it as it lowers oneDNN. */
const struct rows_cpu *rows_cpu(void);

/* Floats that one thread of attention (forward or backward) needs. */
size_t rows_attention_floats(int T, int D);

#endif
