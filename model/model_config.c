/* model/model_config.c - which configurations are models, and how much is in them */
#include "model/model.h"

#include <math.h>

/* Products of two sizes and a few rows stay within int and size_t below this. */
enum { SIZE_LIMIT = 1 << 24 };

/* The divisor of n that lies closest to d. */
static int nearest_divisor(int n, int d)
{
    for (int far = 1;; far++) {
        if (d - far >= 1 && n % (d - far) == 0) return d - far;
        if (d + far <= n && n % (d + far) == 0) return d + far;
    }
}

rt_status model_config_check(const struct model_config *c)
{
    const struct {
        const char *key;
        int value;
    } sizes[] = {{"layers", c->layers},     {"dim", c->dim},         {"heads", c->heads},
                 {"kv_heads", c->kv_heads}, {"ffn_dim", c->ffn_dim}, {"vocabulary", c->vocabulary},
                 {"context", c->context}};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (sizes[i].value < 1 || sizes[i].value > SIZE_LIMIT)
            return RT_FAIL(RT_EINVAL, "model.%s is %d, must be 1 to %d", sizes[i].key,
                           sizes[i].value, SIZE_LIMIT);
    if (c->dim % c->heads != 0)
        return RT_FAIL(RT_EINVAL, "model.heads is %d, must divide model.dim %d; %d would", c->heads,
                       c->dim, nearest_divisor(c->dim, c->heads));
    if (c->heads % c->kv_heads != 0)
        return RT_FAIL(RT_EINVAL, "model.kv_heads is %d, must divide model.heads %d; %d would",
                       c->kv_heads, c->heads, nearest_divisor(c->heads, c->kv_heads));
    if (c->dim / c->heads % 2 != 0)
        return RT_FAIL(RT_EINVAL,
                       "model.dim %d over model.heads %d is a head dim of %d, must be even", c->dim,
                       c->heads, c->dim / c->heads);
    if (!(c->rope_theta > 0 && isfinite(c->rope_theta)))
        return RT_FAIL(RT_EINVAL, "model.rope_theta is %g, must be above 0; Llama 2 has 10000",
                       c->rope_theta);
    if (!(c->norm_eps > 0 && isfinite(c->norm_eps)))
        return RT_FAIL(RT_EINVAL, "model.norm_eps is %g, must be above 0; Llama 2 has 1e-5",
                       c->norm_eps);
    return RT_OK;
}

uint64_t model_matmul_parameters(const struct model_config *c)
{
    const uint64_t C = (uint64_t)c->dim, D = C / (uint64_t)c->heads;
    const uint64_t qkv = (uint64_t)(c->heads + 2 * c->kv_heads) * D;

    return (uint64_t)c->layers * (C * qkv + C * C + 3 * C * (uint64_t)c->ffn_dim) +
           C * (uint64_t)c->vocabulary;
}

uint64_t model_parameters(const struct model_config *c)
{
    const uint64_t C = (uint64_t)c->dim;

    return model_matmul_parameters(c) + C * (uint64_t)c->vocabulary +
           C * (2 * (uint64_t)c->layers + 1);
}

double model_flops_per_token(const struct model_config *c, int T)
{
    return 6.0 * (double)model_matmul_parameters(c) + 12.0 * c->layers * (double)c->dim * T;
}
