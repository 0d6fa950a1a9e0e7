/* model/model_tensors.c - what the weights are called, where they lie, their first values
 *
 * Offsets, in a block unit; | begins at a multiple of RT_TENSOR_ALIGN:
 *     | attention_norm | wq wk wv | wo | ffn_norm | w1 w3 | w2
 * so that one product makes q, k and v, and one makes gate and up.
 * First values: normal(0, 0.02); wo and w2, which write into the residual stream,
 * normal(0, 0.02/sqrt(2 layers)) after GPT-2 (Radford et al. 2019); norms 1.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/model_impl.h"
#include "runtime/rng.h"

#define INIT_STD 0.02
enum { BLOCK_TENSORS = 9 };

static void add_part(struct model_layout *u, size_t elements)
{
    const size_t align = RT_TENSOR_ALIGN;

    u->offset[u->parts] = (u->total + align - 1) / align * align;
    u->elements[u->parts] = elements;
    u->total = u->offset[u->parts] + elements;
    u->parts++;
}

struct model_layout model_layout_of(const struct model_config *c, int unit)
{
    const size_t C = (size_t)c->dim, F = (size_t)c->ffn_dim, V = (size_t)c->vocabulary;
    struct model_layout u = {0};

    if (unit == 0) {
        add_part(&u, V * C);
    } else if (unit == c->layers + 1) {
        add_part(&u, C);
        add_part(&u, V * C);
    } else {
        add_part(&u, C);
        add_part(&u, (size_t)(c->heads + 2 * c->kv_heads) * (C / (size_t)c->heads) * C);
        add_part(&u, C * C);
        add_part(&u, C);
        add_part(&u, 2 * F * C);
        add_part(&u, C * F);
    }
    return u;
}

/* A tensor list while it grows; the arrays are the list's own. */
struct builder {
    struct rt_tensors t;
    struct rt_tensor *items;
    size_t *unit_elements;
    int layer; /* -1 outside the blocks */
};

/* One more tensor; rows 0: a vector of `columns`. */
static void add(struct builder *b, int unit, rt_role role, const char *name, size_t rows,
                size_t columns, size_t offset, double std)
{
    struct rt_tensor *t = &b->items[b->t.count++];

    if (b->layer < 0)
        snprintf(t->name, sizeof t->name, "%s.weight", name);
    else
        snprintf(t->name, sizeof t->name, "layers.%d.%s.weight", b->layer, name);
    t->unit = unit;
    t->role = role;
    t->dims = rows == 0 ? 1 : 2;
    t->shape[0] = rows == 0 ? columns : rows;
    t->shape[1] = rows == 0 ? 0 : columns;
    t->offset = offset;
    t->init_std = (float)std;
    b->t.parameters += rt_tensor_count(t);
}

static void add_block(struct builder *b, const struct model_config *c, int unit)
{
    const struct model_layout u = model_layout_of(c, unit);
    const size_t C = (size_t)c->dim, F = (size_t)c->ffn_dim;
    const size_t kv = C / (size_t)c->heads * (size_t)c->kv_heads;
    const double std = INIT_STD, out_std = INIT_STD / sqrt(2.0 * c->layers);
    const size_t *at = u.offset;

    b->layer = unit - 1;
    add(b, unit, RT_ROLE_NORM, "attention_norm", 0, C, at[PART_ATTENTION_NORM], 0);
    add(b, unit, RT_ROLE_MATRIX, "attention.wq", C, C, at[PART_QKV], std);
    add(b, unit, RT_ROLE_MATRIX, "attention.wk", kv, C, at[PART_QKV] + C * C, std);
    add(b, unit, RT_ROLE_MATRIX, "attention.wv", kv, C, at[PART_QKV] + (C + kv) * C, std);
    add(b, unit, RT_ROLE_MATRIX, "attention.wo", C, C, at[PART_WO], out_std);
    add(b, unit, RT_ROLE_NORM, "ffn_norm", 0, C, at[PART_FFN_NORM], 0);
    add(b, unit, RT_ROLE_MATRIX, "feed_forward.w1", F, C, at[PART_GU], std);
    add(b, unit, RT_ROLE_MATRIX, "feed_forward.w3", F, C, at[PART_GU] + F * C, std);
    add(b, unit, RT_ROLE_MATRIX, "feed_forward.w2", C, F, at[PART_W2], out_std);
    b->layer = -1;
}

rt_status model_tensors_create(const struct model_config *c, struct rt_tensors **out)
{
    const size_t C = (size_t)c->dim, V = (size_t)c->vocabulary;
    const int last = c->layers + 1;
    struct rt_tensors *t = NULL;
    struct builder b = {.layer = -1};
    rt_status st;

    *out = NULL;
    RT_TRY_OUT(model_config_check(c));
    b.t.units = last + 1;
    t = malloc(sizeof *t);
    b.items = calloc((size_t)c->layers * BLOCK_TENSORS + 3, sizeof *b.items);
    b.unit_elements = calloc((size_t)b.t.units, sizeof *b.unit_elements);
    if (t == NULL || b.items == NULL || b.unit_elements == NULL) {
        st = RT_FAIL(RT_ENOMEM, "the list of tensors of %d layers", c->layers);
        goto out;
    }
    for (int u = 0; u <= last; u++) b.unit_elements[u] = model_layout_of(c, u).total;
    add(&b, 0, RT_ROLE_EMBEDDING, "tok_embeddings", V, C, 0, INIT_STD);
    for (int u = 1; u < last; u++) add_block(&b, c, u);
    add(&b, last, RT_ROLE_NORM, "norm", 0, C, 0, 0);
    add(&b, last, RT_ROLE_MATRIX, "output", V, C, model_layout_of(c, last).offset[PART_HEAD],
        INIT_STD);
    b.t.items = b.items;
    b.t.unit_elements = b.unit_elements;
    *t = b.t;
    *out = t;
    return RT_OK;
out:
    free(b.items);
    free(b.unit_elements);
    free(t);
    return st;
}

void model_tensors_destroy(struct rt_tensors **t)
{
    if (*t == NULL) return;
    free((void *)(*t)->items);
    free((void *)(*t)->unit_elements);
    free(*t);
    *t = NULL;
}

void model_init_values(const struct rt_tensor *t, uint64_t seed, size_t first, size_t n, float *out)
{
    char purpose[sizeof t->name + 8];

    snprintf(purpose, sizeof purpose, "init:%s", t->name);
    const struct rt_rng_key key = rt_rng_key(seed, purpose);
    for (size_t i = 0; i < n; i++)
        out[i] = t->init_std == 0 /* a norm */
                     ? 1
                     : (float)((double)t->init_std * rt_rng_normal(key, first + i));
}
