/* model/matmul_plan_cpu.c - oneDNN matmul primitives, made once a shape and kept
 *
 * Making a primitive compiles code and takes milliseconds, so a bounded table keeps them; in a
 * training step every shape is found there from the second step on. Scratch memory is the caller's
 * (scratchpad mode user), so that the memory plan holds it. A shape whose scratch is larger than
 * the workspace (none that scratch_bytes_cpu foresees) is left to oneDNN's own scratch memory.
 * Source   oneDNN 2.6 developer guide: matmul, scratchpad, post-ops
 */
#include <oneapi/dnnl/dnnl_debug.h>
#include <string.h>

#include "model/kernels_cpu.h"

#define DNNL_TRY_OUT(expr)                                                                         \
    do {                                                                                           \
        const dnnl_status_t try_ = (expr);                                                         \
        if (try_ != dnnl_success) {                                                                \
            st = fail(try_, key);                                                                  \
            goto out;                                                                              \
        }                                                                                          \
    } while (0)

static rt_status fail(dnnl_status_t status, const struct matmul_key *key)
{
    return RT_FAIL(status == dnnl_out_of_memory ? RT_ENOMEM : RT_EDEVICE,
                   "oneDNN matmul %dx%dx%d %s*%s to %s: %s", key->M, key->N, key->K,
                   rt_dtype_name(key->at), rt_dtype_name(key->bt), rt_dtype_name(key->ot),
                   dnnl_status2str(status));
}

static dnnl_status_t describe(dnnl_memory_desc_t *md, int rows, int columns, int ld, bool transpose,
                              rt_dtype dt)
{
    const dnnl_dims_t dims = {rows, columns};
    const dnnl_dims_t strides = {transpose ? 1 : ld, transpose ? ld : 1};

    return dnnl_memory_desc_init_by_strides(md, 2, dims, dt == RT_F32 ? dnnl_f32 : dnnl_bf16,
                                            strides);
}

static dnnl_status_t make_attributes(bool sum, dnnl_scratchpad_mode_t mode,
                                     dnnl_primitive_attr_t *out)
{
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t st = dnnl_primitive_attr_create(out);

    if (st == dnnl_success) st = dnnl_primitive_attr_set_scratchpad_mode(*out, mode);
    if (st != dnnl_success || !sum) return st;
    st = dnnl_post_ops_create(&ops);
    if (st == dnnl_success) st = dnnl_post_ops_append_sum(ops, 1.0f);
    if (st == dnnl_success) st = dnnl_primitive_attr_set_post_ops(*out, ops);
    dnnl_post_ops_destroy(ops);
    return st;
}

/* The descriptor of a key's primitive; md gets a, b and out. */
static rt_status make_descriptor(dnnl_engine_t engine, const struct matmul_key *key,
                                 dnnl_scratchpad_mode_t mode, dnnl_memory_desc_t md[3],
                                 dnnl_primitive_desc_t *out)
{
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_matmul_desc_t op;
    rt_status st = RT_OK;

    DNNL_TRY_OUT(describe(&md[0], key->M, key->K, key->lda, key->transpose_a, key->at));
    DNNL_TRY_OUT(describe(&md[1], key->K, key->N, key->ldb, key->transpose_b, key->bt));
    DNNL_TRY_OUT(describe(&md[2], key->M, key->N, key->ldo, false, key->ot));
    DNNL_TRY_OUT(dnnl_matmul_desc_init(&op, &md[0], &md[1], NULL, &md[2]));
    DNNL_TRY_OUT(make_attributes(key->sum, mode, &attributes));
    DNNL_TRY_OUT(dnnl_primitive_desc_create(out, &op, attributes, engine, NULL));
out:
    if (attributes != NULL) dnnl_primitive_attr_destroy(attributes);
    return st;
}

static size_t scratch_of(const_dnnl_primitive_desc_t pd)
{
    return dnnl_memory_desc_get_size(dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0));
}

rt_status matmul_plan_scratch(dnnl_engine_t engine, const struct matmul_key *key, size_t *bytes)
{
    dnnl_primitive_desc_t pd = NULL;
    dnnl_memory_desc_t md[3];

    RT_TRY(make_descriptor(engine, key, dnnl_scratchpad_mode_user, md, &pd));
    *bytes = scratch_of(pd);
    dnnl_primitive_desc_destroy(pd);
    return RT_OK;
}

static void clear(struct matmul_plan *p)
{
    const dnnl_memory_t memories[] = {p->a, p->b, p->out, p->scratch};

    for (size_t i = 0; i < 4; i++)
        if (memories[i] != NULL) dnnl_memory_destroy(memories[i]);
    if (p->primitive != NULL) dnnl_primitive_destroy(p->primitive);
    memset(p, 0, sizeof *p);
}

static rt_status make(struct kernels_state *s, const struct matmul_key *key, struct matmul_plan *p)
{
    dnnl_primitive_desc_t pd = NULL;
    dnnl_memory_desc_t md[3];
    rt_status st;

    clear(p);
    RT_TRY_OUT(make_descriptor(s->engine, key, dnnl_scratchpad_mode_user, md, &pd));
    if (scratch_of(pd) > s->work_bytes) {
        dnnl_primitive_desc_destroy(pd);
        pd = NULL;
        RT_TRY_OUT(make_descriptor(s->engine, key, dnnl_scratchpad_mode_library, md, &pd));
    }
    p->scratch_bytes = scratch_of(pd);
    DNNL_TRY_OUT(dnnl_primitive_create(&p->primitive, pd));
    DNNL_TRY_OUT(dnnl_memory_create(&p->a, &md[0], s->engine, DNNL_MEMORY_NONE));
    DNNL_TRY_OUT(dnnl_memory_create(&p->b, &md[1], s->engine, DNNL_MEMORY_NONE));
    DNNL_TRY_OUT(dnnl_memory_create(&p->out, &md[2], s->engine, DNNL_MEMORY_NONE));
    DNNL_TRY_OUT(dnnl_memory_create(&p->scratch,
                                    dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0),
                                    s->engine, DNNL_MEMORY_NONE));
    p->key = *key;
out:
    if (pd != NULL) dnnl_primitive_desc_destroy(pd);
    if (st != RT_OK) clear(p);
    return st;
}

static bool same(const struct matmul_key *x, const struct matmul_key *y)
{
    return x->M == y->M && x->N == y->N && x->K == y->K && x->lda == y->lda && x->ldb == y->ldb &&
           x->ldo == y->ldo && x->at == y->at && x->bt == y->bt && x->ot == y->ot &&
           x->transpose_a == y->transpose_a && x->transpose_b == y->transpose_b && x->sum == y->sum;
}

rt_status matmul_plan_find(struct kernels_state *s, const struct matmul_key *key,
                           struct matmul_plan **out)
{
    struct matmul_plan *p = &s->plans[0];

    for (size_t i = 0; i < CPU_PLANS; i++) {
        struct matmul_plan *x = &s->plans[i];
        if (x->used != 0 && same(&x->key, key)) {
            p = x;
            break;
        }
        if (x->used < p->used) p = x;
    }
    if (p->used == 0 || !same(&p->key, key)) RT_TRY(make(s, key, p));
    p->used = ++s->clock;
    *out = p;
    return RT_OK;
}

rt_status matmul_plan_run(struct kernels_state *s, struct matmul_plan *plan, const void *a,
                          const void *b, void *out)
{
    const struct matmul_key *key = &plan->key;
    rt_status st = RT_OK;

    /* oneDNN only reads a and b; its handles know no const. */
    DNNL_TRY_OUT(dnnl_memory_set_data_handle_v2(plan->a, (void *)(uintptr_t)a, s->stream));
    DNNL_TRY_OUT(dnnl_memory_set_data_handle_v2(plan->b, (void *)(uintptr_t)b, s->stream));
    DNNL_TRY_OUT(dnnl_memory_set_data_handle_v2(plan->out, out, s->stream));
    DNNL_TRY_OUT(dnnl_memory_set_data_handle_v2(plan->scratch, s->work, s->stream));
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, plan->a},
                                    {DNNL_ARG_WEIGHTS, plan->b},
                                    {DNNL_ARG_DST, plan->out},
                                    {DNNL_ARG_SCRATCHPAD, plan->scratch}};
    DNNL_TRY_OUT(dnnl_primitive_execute(plan->primitive, s->stream, 4, args));
    DNNL_TRY_OUT(dnnl_stream_wait(s->stream));
out:
    return st;
}

void matmul_plans_clear(struct kernels_state *s)
{
    for (size_t i = 0; i < CPU_PLANS; i++) clear(&s->plans[i]);
}
