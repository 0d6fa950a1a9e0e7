/* model/model_plan.c - the buffers of the model: how large, and where in them each array lies
 *
 * Every array is carved out of one of four planned buffers by the same code, which runs over no
 * memory at all for the plan and over the memory taken for the model, so the two cannot differ.
 */
#include <limits.h>
#include <math.h>
#include <stdlib.h>

#include "model/model_impl.h"
#include "runtime/device.h"

enum {
    CARVE_ALIGN = 64,              /* bytes: a cache line, a vector */
    HEAD_BYTES = 16 * 1024 * 1024, /* of a chunk of logits, when the caller does not say */
    HEAD_ROWS_LEAST = 256,         /* fewer rows make the weight gradient bound by memory */
};

/* Walks one buffer. base NULL: only counts. */
struct carver {
    char *base;
    size_t used;
};

static void *carve(struct carver *c, size_t elements, rt_dtype dt)
{
    void *p = c->base == NULL ? NULL : c->base + c->used;

    c->used += (elements * rt_dtype_bytes(dt) + CARVE_ALIGN - 1) / CARVE_ALIGN * CARVE_ALIGN;
    return p;
}

/* The arrays of a block, but for the residual stream. */
static void carve_inside(const struct model *m, struct carver *c, struct model_block *k)
{
    const size_t N = (size_t)m->rows, C = (size_t)m->c.dim, F = (size_t)m->c.ffn_dim;
    const rt_dtype dt = m->o.compute;

    k->xn1 = carve(c, N * C, dt);
    k->rstd1 = carve(c, N, RT_F32);
    k->qkv = carve(c, N * (size_t)m->qkv_width, dt);
    k->attn = carve(c, N * C, dt);
    k->lse = carve(c, N * (size_t)m->c.heads, RT_F32);
    k->xn2 = carve(c, N * C, dt);
    k->rstd2 = carve(c, N, RT_F32);
    k->gu = carve(c, N * 2 * F, dt);
    k->h = carve(c, N * F, dt);
}

static void carve_blocks(struct model *m, struct carver *c)
{
    const size_t stream = (size_t)m->rows * (size_t)m->c.dim;
    const bool own = m->o.training && m->o.recompute == MODEL_RECOMPUTE_NONE;
    struct model_block shared = {0};

    m->rope = carve(c, (size_t)m->c.context * (size_t)m->D, RT_F32);
    shared.x = carve(c, stream, RT_F32);
    shared.mid = m->o.training && !own ? carve(c, stream, RT_F32) : shared.x;
    if (!own) carve_inside(m, c, &shared);
    m->x_last = shared.x;
    for (int l = 0; l < m->c.layers; l++) {
        struct model_block *k = &m->blocks[l];

        *k = shared;
        k->x = m->x_last;
        if (own) carve_inside(m, c, k);
        if (own) k->mid = carve(c, stream, RT_F32);
        k->next = m->o.training ? carve(c, stream, RT_F32) : shared.x;
        m->x_last = k->next;
    }
}

static void carve_head(struct model *m, struct carver *c)
{
    const size_t N = (size_t)m->rows, C = (size_t)m->c.dim;
    const size_t chunk = (size_t)m->head_rows * (size_t)m->c.vocabulary;
    const rt_dtype dt = m->o.compute;

    m->xn = carve(c, N * C, dt);
    m->rstd = carve(c, N, RT_F32);
    m->logits = carve(c, chunk, RT_F32);
    m->losses = carve(c, (size_t)m->head_rows, RT_F32);
    m->dlogits = m->o.training && dt != RT_F32 ? carve(c, chunk, dt) : m->logits;
}

static void carve_backward(struct model *m, struct carver *c)
{
    const size_t N = (size_t)m->rows, C = (size_t)m->c.dim;
    const size_t qkv = (size_t)m->qkv_width, F = (size_t)m->c.ffn_dim;
    const rt_dtype dt = m->o.compute;

    if (!m->o.training) return;
    m->dx = carve(c, N * C, RT_F32);
    m->dx_dt = dt == RT_F32 ? m->dx : carve(c, N * C, dt);
    m->dxn = carve(c, N * C, dt);
    m->wide = carve(c, N * (F > qkv ? F : qkv), dt);
}

static void carve_cache(struct model *m, struct carver *c)
{
    const size_t elements = (size_t)m->c.layers * (size_t)m->o.cache_sequences *
                            (size_t)m->c.context * (size_t)(m->c.kv_heads * m->D);

    m->keys = carve(c, elements, m->o.compute);
    m->values = carve(c, elements, m->o.compute);
}

/* The planned buffers; one of no bytes is not planned. */
static const struct {
    const char *name;
    rt_mem_class class_;
    void (*carve)(struct model *m, struct carver *c);
} buffers[] = {
    {"model/blocks", RT_MEM_ACTIVATIONS, carve_blocks},
    {"model/head", RT_MEM_ACTIVATIONS, carve_head},
    {"model/backward", RT_MEM_ACTIVATIONS, carve_backward},
    {"model/cache", RT_MEM_KVCACHE, carve_cache},
};
enum { BUFFERS = sizeof buffers / sizeof buffers[0] };
_Static_assert(BUFFERS + 1 == MODEL_BUFFERS, "room for every name taken, the kernels' too");
static const char kernels_buffer[] = "model/kernels";

static size_t kernels_bytes(const struct model *m)
{
    return m->o.kernels->scratch_bytes(m->rows, m->c.dim, m->c.ffn_dim, m->c.vocabulary, m->c.heads,
                                       m->c.context, m->o.compute);
}

static rt_status check_options(const struct model_options *o)
{
    if (o->max_sequences < 1)
        return RT_FAIL(RT_EINVAL, "a micro-batch of %d sequences, must be at least 1",
                       o->max_sequences);
    if (o->head_rows < 0 || o->cache_sequences < 0)
        return RT_FAIL(RT_EINVAL, "head rows %d and cached sequences %d must not be negative",
                       o->head_rows, o->cache_sequences);
    return RT_OK;
}

static int choose_head_rows(const struct model *m)
{
    int rows = m->o.head_rows;

    if (rows == 0) {
        rows = HEAD_BYTES / (int)sizeof(float) / m->c.vocabulary;
        if (rows < HEAD_ROWS_LEAST) rows = HEAD_ROWS_LEAST;
    }
    return rows < m->rows ? rows : m->rows;
}

/* Everything that follows from config and options alone. On failure m->blocks may stand. */
static rt_status prepare(struct model *m, const struct model_config *c,
                         const struct model_options *o)
{
    RT_TRY(model_config_check(c));
    RT_TRY(check_options(o));
    m->c = *c;
    m->o = *o;
    m->D = c->dim / c->heads;
    m->qkv_width = (c->heads + 2 * c->kv_heads) * m->D;
    if (o->max_sequences > INT_MAX / c->context)
        return RT_FAIL(RT_EINVAL, "%d sequences of %d tokens are too many rows", o->max_sequences,
                       c->context);
    m->rows = o->max_sequences * c->context;
    if (m->rows < o->cache_sequences) m->rows = o->cache_sequences;
    m->head_rows = choose_head_rows(m);
    m->blocks = calloc((size_t)c->layers, sizeof *m->blocks);
    if (m->blocks == NULL) return RT_FAIL(RT_ENOMEM, "the list of %d layers", c->layers);
    return RT_OK;
}

rt_status model_plan(const struct model_config *c, const struct model_options *o,
                     struct rt_plan *plan)
{
    struct model m = {0};
    rt_status st;

    RT_TRY_OUT(prepare(&m, c, o));
    for (int i = 0; i < BUFFERS; i++) {
        struct carver count = {0};
        buffers[i].carve(&m, &count);
        if (count.used > 0)
            RT_TRY_OUT(
                rt_plan_add(plan, buffers[i].name, buffers[i].class_, RT_MEM_PRIVATE, count.used));
    }
    RT_TRY_OUT(
        rt_plan_add(plan, kernels_buffer, RT_MEM_ACTIVATIONS, RT_MEM_PRIVATE, kernels_bytes(&m)));
out:
    free(m.blocks);
    return st;
}

/* cos and sin of position * theta^(-2i/D), in double, rounded once. */
static void fill_rope(const struct model *m)
{
    const int pairs = m->D / 2;

    for (int t = 0; t < m->c.context; t++) {
        for (int i = 0; i < pairs; i++) {
            const double angle = t * pow(m->c.rope_theta, -2.0 * i / m->D);
            float *to = m->rope + 2 * ((size_t)t * (size_t)pairs + (size_t)i);
            to[0] = (float)cos(angle);
            to[1] = (float)sin(angle);
        }
    }
}

static rt_status check_tensors(const struct model_config *c, const struct rt_tensors *t)
{
    bool same = t->units == c->layers + 2 && t->parameters == model_parameters(c);

    for (int u = 0; same && u < t->units; u++)
        same = t->unit_elements[u] == model_layout_of(c, u).total;
    if (same) return RT_OK;
    return RT_FAIL(RT_EINVAL, "the tensors are of another model: %d units and %llu parameters",
                   t->units, (unsigned long long)t->parameters);
}

static rt_status take(struct model *m, const char *name, void **out)
{
    RT_TRY(rt_memory_take(m->memory, name, out));
    m->taken[m->taken_count++] = name;
    return RT_OK;
}

static rt_status take_buffers(struct model *m)
{
    void *scratch = NULL;

    for (int i = 0; i < BUFFERS; i++) {
        struct carver count = {0}, place = {0};
        void *base = NULL;

        buffers[i].carve(m, &count);
        if (count.used == 0) continue;
        RT_TRY(take(m, buffers[i].name, &base));
        place.base = base;
        buffers[i].carve(m, &place);
    }
    RT_TRY(take(m, kernels_buffer, &scratch));
    return m->o.kernels->open(scratch, kernels_bytes(m), &m->state);
}

rt_status model_create(const struct model_config *c, const struct model_options *o,
                       const struct rt_tensors *tensors, struct rt_memory *memory,
                       struct model **out)
{
    struct model *m = calloc(1, sizeof *m);
    rt_status st;

    *out = NULL;
    if (m == NULL) return RT_FAIL(RT_ENOMEM, "the handle of a model");
    RT_TRY_OUT(prepare(m, c, o));
    RT_TRY_OUT(check_tensors(c, tensors));
    m->memory = memory;
    RT_TRY_OUT(take_buffers(m));
    fill_rope(m);
    *out = m;
    m = NULL;
out:
    model_destroy(&m);
    return st;
}

void model_destroy(struct model **m)
{
    if (*m == NULL) return;
    if ((*m)->state != NULL) (*m)->o.kernels->close(&(*m)->state);
    for (int i = 0; i < (*m)->taken_count; i++) rt_memory_give((*m)->memory, (*m)->taken[i]);
    free((*m)->blocks);
    free(*m);
    *m = NULL;
}
