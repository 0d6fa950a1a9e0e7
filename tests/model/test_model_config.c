/* tests/model/test_model_config.c - configurations, names and places of tensors, first values */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "model/kernels.h"
#include "model/model.h"
#include "tests/check.h"

static const struct model_config small = {.layers = 3,
                                          .dim = 36,
                                          .heads = 6,
                                          .kv_heads = 2,
                                          .ffn_dim = 101,
                                          .vocabulary = 53,
                                          .context = 16,
                                          .rope_theta = 10000,
                                          .norm_eps = 1e-5};

static struct model_config llama2(int layers, int dim, int heads, int kv_heads, int ffn_dim)
{
    return (struct model_config){layers, dim, heads, kv_heads, ffn_dim, 32000, 4096, 10000, 1e-5};
}

static void llama2_has_the_published_sizes(void)
{
    const struct model_config c7 = llama2(32, 4096, 32, 32, 11008);
    const struct model_config c13 = llama2(40, 5120, 40, 40, 13824);
    const struct model_config c34 = llama2(48, 8192, 64, 8, 22016);
    const struct model_config c70 = llama2(80, 8192, 64, 8, 28672);

    CHECK(model_parameters(&c7) == 6738415616 && model_matmul_parameters(&c7) == 6607077376);
    CHECK(model_parameters(&c13) == 13015864320 && model_matmul_parameters(&c13) == 12851609600);
    CHECK(model_parameters(&c34) == 33743970304 && model_matmul_parameters(&c34) == 33481031680);
    CHECK(model_parameters(&c70) == 68976648192 && model_matmul_parameters(&c70) == 68713185280);
    CHECK(model_flops_per_token(&c7, 4096) == 6.0 * 6607077376 + 12.0 * 32 * 4096 * 4096);
    CHECK_OK(model_config_check(&c70));
}

static void wrong_configurations_are_refused(void)
{
    static const struct {
        size_t field; /* offset of an int */
        int value;
    } wrong[] = {
        {offsetof(struct model_config, layers), 0},
        {offsetof(struct model_config, dim), -36},
        {offsetof(struct model_config, heads), 5},
        {offsetof(struct model_config, heads), 0},
        {offsetof(struct model_config, kv_heads), 4},
        {offsetof(struct model_config, kv_heads), 0},
        {offsetof(struct model_config, heads), 12},
        {offsetof(struct model_config, ffn_dim), 0},
        {offsetof(struct model_config, vocabulary), 0},
        {offsetof(struct model_config, context), 0},
        {offsetof(struct model_config, dim), 1 << 25},
    };
    struct rt_tensors *t = NULL;
    struct model_config c;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        c = small;
        memcpy((char *)&c + wrong[i].field, &wrong[i].value, sizeof wrong[i].value);
        CHECK(model_config_check(&c) == RT_EINVAL);
    }
    c = small;
    c.rope_theta = 0;
    CHECK(model_config_check(&c) == RT_EINVAL);
    c = small;
    c.norm_eps = NAN;
    CHECK(model_config_check(&c) == RT_EINVAL);
    CHECK(model_tensors_create(&c, &t) == RT_EINVAL && t == NULL);
    CHECK_OK(model_config_check(&small));
}

static const struct rt_tensor *named(const struct rt_tensors *t, const char *name)
{
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->items[i].name, name) == 0) return &t->items[i];
    printf("no tensor %s\n", name);
    exit(1);
}

static bool is(const struct rt_tensor *t, int unit, rt_role role, size_t rows, size_t columns)
{
    return t->unit == unit && t->role == role && t->dims == 2 && t->shape[0] == rows &&
           t->shape[1] == columns;
}

static void tensors_have_metas_names_and_shapes(void)
{
    struct rt_tensors *t = NULL;

    if (!CHECK_OK(model_tensors_create(&small, &t))) return;
    CHECK(t->units == 5 && t->count == 3 * 9 + 3 && t->parameters == model_parameters(&small));
    CHECK(is(named(t, "tok_embeddings.weight"), 0, RT_ROLE_EMBEDDING, 53, 36));
    CHECK(is(named(t, "layers.0.attention.wq.weight"), 1, RT_ROLE_MATRIX, 36, 36));
    CHECK(is(named(t, "layers.1.attention.wk.weight"), 2, RT_ROLE_MATRIX, 12, 36));
    CHECK(is(named(t, "layers.2.attention.wv.weight"), 3, RT_ROLE_MATRIX, 12, 36));
    CHECK(is(named(t, "layers.0.attention.wo.weight"), 1, RT_ROLE_MATRIX, 36, 36));
    CHECK(is(named(t, "layers.0.feed_forward.w1.weight"), 1, RT_ROLE_MATRIX, 101, 36));
    CHECK(is(named(t, "layers.0.feed_forward.w2.weight"), 1, RT_ROLE_MATRIX, 36, 101));
    CHECK(is(named(t, "layers.0.feed_forward.w3.weight"), 1, RT_ROLE_MATRIX, 101, 36));
    CHECK(is(named(t, "output.weight"), 4, RT_ROLE_MATRIX, 53, 36));
    CHECK(named(t, "norm.weight")->role == RT_ROLE_NORM && named(t, "norm.weight")->dims == 1);
    CHECK(rt_tensor_count(named(t, "layers.2.attention_norm.weight")) == 36);
    CHECK(rt_tensor_count(named(t, "layers.2.ffn_norm.weight")) == 36);
    model_tensors_destroy(&t);
    CHECK(t == NULL);
    model_tensors_destroy(&t);
}

/* b begins where a ends. */
static bool behind(const struct rt_tensor *a, const struct rt_tensor *b)
{
    return b->offset == a->offset + rt_tensor_count(a);
}

static void tensors_lie_as_the_kernels_want_them(void)
{
    struct rt_tensors *t = NULL;

    if (!CHECK_OK(model_tensors_create(&small, &t))) return;
    for (size_t i = 0; i < t->count; i++) {
        const struct rt_tensor *x = &t->items[i], *before = i == 0 ? NULL : x - 1;
        const bool first = before == NULL || before->unit != x->unit;
        const bool joined =
            strstr(x->name, "wk.") || strstr(x->name, "wv.") || strstr(x->name, "w3.");

        CHECK(first ? x->offset == 0 : x->offset >= before->offset + rt_tensor_count(before));
        CHECK(joined ? behind(before, x) : x->offset % RT_TENSOR_ALIGN == 0);
        CHECK(before == NULL || before->unit <= x->unit);
        CHECK(x->offset + rt_tensor_count(x) <= t->unit_elements[x->unit]);
    }
    model_tensors_destroy(&t);
}

static double spread_of(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    return sqrt(sum / (double)n);
}

static void first_values_depend_on_seed_name_and_index(void)
{
    float whole[53 * 36], part[100], other[53 * 36];
    struct rt_tensors *t = NULL;

    if (!CHECK_OK(model_tensors_create(&small, &t))) return;
    const struct rt_tensor *table = named(t, "tok_embeddings.weight");
    const size_t n = rt_tensor_count(table);
    model_init_values(table, 1, 0, n, whole);
    model_init_values(table, 1, 777, 100, part); /* as another rank would ask for it */
    CHECK(memcmp(part, whole + 777, sizeof part) == 0);
    CHECK_NEAR(spread_of(whole, n), 0.02, 0.05, 0);
    model_init_values(table, 2, 0, n, other);
    CHECK(memcmp(whole, other, sizeof whole) != 0);
    model_init_values(named(t, "output.weight"), 1, 0, n, other);
    CHECK(memcmp(whole, other, sizeof whole) != 0);

    model_init_values(named(t, "layers.1.attention.wo.weight"), 1, 0, 36 * 36, other);
    CHECK_NEAR(spread_of(other, 36 * 36), 0.02 / sqrt(6), 0.06, 0);
    model_init_values(named(t, "layers.1.feed_forward.w2.weight"), 1, 0, 36 * 36, other);
    CHECK_NEAR(spread_of(other, 36 * 36), 0.02 / sqrt(6), 0.06, 0);
    model_init_values(named(t, "layers.1.ffn_norm.weight"), 1, 5, 10, other);
    for (int i = 0; i < 10; i++) CHECK(other[i] == 1);
    model_tensors_destroy(&t);
}

static void wrong_options_and_foreign_tensors_are_refused(void)
{
    struct model_options o = {.kernels = &kernels_ref, .max_sequences = 1};
    struct model_config wider = small;
    struct rt_tensors *t = NULL;
    struct rt_plan plan = {0};
    struct rt_memory *memory = NULL;
    struct model *m = NULL;

    o.max_sequences = 0;
    CHECK(model_plan(&small, &o, &plan) == RT_EINVAL);
    o.max_sequences = 1 << 30;
    CHECK(model_plan(&small, &o, &plan) == RT_EINVAL);
    o.max_sequences = 1;
    o.head_rows = -1;
    CHECK(model_plan(&small, &o, &plan) == RT_EINVAL && plan.count == 0);
    o.head_rows = 0;

    wider.ffn_dim++;
    CHECK_OK(model_tensors_create(&wider, &t));
    CHECK_OK(rt_memory_create(&plan, &memory));
    CHECK(model_create(&small, &o, t, memory, &m) == RT_EINVAL && m == NULL);
    CHECK(model_create(&wider, &o, t, memory, &m) == RT_EINVAL && m == NULL); /* not planned */
    rt_memory_destroy(&memory);
    model_tensors_destroy(&t);
}

int main(void)
{
    llama2_has_the_published_sizes();
    wrong_configurations_are_refused();
    tensors_have_metas_names_and_shapes();
    tensors_lie_as_the_kernels_want_them();
    first_values_depend_on_seed_name_and_index();
    wrong_options_and_foreign_tensors_are_refused();
    return check_failures != 0;
}
