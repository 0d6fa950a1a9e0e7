/* tests/model/test_model.c - the passes of the model on one backend
 *
 *     test_model BACKEND
 */
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "tests/model/rig.h"

enum { B = 3, T = 21, V = 67, N = B * T };

static const struct kernels *kernels;
static int32_t tokens[N], targets[N];

/* Small, uneven sizes: head dim 6, groups of 2, a chunk of the head that does not divide N. */
static const struct model_config config = {.layers = 3,
                                           .dim = 24,
                                           .heads = 4,
                                           .kv_heads = 2,
                                           .ffn_dim = 50,
                                           .vocabulary = V,
                                           .context = T,
                                           .rope_theta = 10000,
                                           .norm_eps = 1e-5};

static struct model_options options(rt_dtype dt)
{
    return (struct model_options){
        .kernels = kernels, .compute = dt, .max_sequences = B, .training = true};
}

static void make_batch(void)
{
    for (int i = 0; i < N; i++) {
        tokens[i] = (i * i * 5 + 3 * i) % V;
        targets[i] = i % 9 == 4 ? -100 : (i * i * 5 + 7 * i + 8) % V;
    }
}

/* Loss (mean) and gradients of the whole batch. */
static double train(struct rig *r)
{
    struct rt_exact loss = {{0}, 0, 0, 0, 0};
    uint64_t valid = 0;

    CHECK_OK(model_train(r->model, &r->table, tokens, targets, B, T, 1.0f / N, &loss, &valid));
    CHECK(valid == N - N / 9 && r->lent == 0);
    return rt_exact_value(&loss) / (double)valid;
}

static bool same_gradients(const struct rig *a, const struct rig *b, double tolerance)
{
    for (size_t i = 0; i < a->tensors->count; i++) {
        const struct rt_tensor *t = &a->tensors->items[i];
        const double far = rig_distance(rig_gradient(a, t), rig_gradient(b, t), rt_tensor_count(t));
        if (!(far <= tolerance)) {
            printf("  %s differs by %g\n", t->name, far);
            return false;
        }
    }
    return true;
}

static void units_are_visited_in_order(void)
{
    struct model_options o = options(RT_F32);
    struct rt_exact loss = {{0}, 0, 0, 0, 0};
    uint64_t valid = 0;
    struct rig r;
    int at = 0;

    if (!CHECK(rig_create(&config, &o, 5, &r))) return;
    (void)train(&r);
    for (int u = 0; u <= 3; u++, at += 2)
        CHECK(r.events[at] == 2 * u && r.events[at + 1] == 2 * u + 1);
    for (int u = 4; u >= 0; u--, at += 2)
        CHECK(r.events[at] == 1000 + 2 * u && r.events[at + 1] == 1000 + 2 * u + 1);
    CHECK(r.event_count == at);

    CHECK_OK(model_evaluate(r.model, &r.table, tokens, targets, B, T, NULL, &loss, &valid));
    for (int u = 0; u <= 4; u++, at += 2)
        CHECK(r.events[at] == 2 * u && r.events[at + 1] == 2 * u + 1);
    CHECK(r.event_count == at && r.lent == 0);
    rig_destroy(&r);
}

static void recompute_gives_the_same_bits(rt_dtype dt)
{
    struct model_options o = options(dt);
    struct rig none, full;

    o.recompute = MODEL_RECOMPUTE_FULL;
    if (!CHECK(rig_create(&config, &o, 5, &full))) return;
    o.recompute = MODEL_RECOMPUTE_NONE;
    if (CHECK(rig_create(&config, &o, 5, &none))) {
        CHECK(train(&none) == train(&full));
        CHECK(same_gradients(&full, &none, 0));
        CHECK(rig_gradients_written(&none) && rig_gradients_written(&full));
        CHECK(rt_plan_bytes(&full.plan, RT_MEM_PRIVATE) <
              rt_plan_bytes(&none.plan, RT_MEM_PRIVATE));
        CHECK(train(&none) == train(&none) && same_gradients(&full, &none, 0));
        rig_destroy(&none);
    }
    rig_destroy(&full);
}

static void chunks_of_the_head_do_not_matter(void)
{
    static const int chunks[] = {1, 10, N - 1, N, 10 * N};
    struct model_options o = options(RT_F32);
    struct rig whole, parts;

    if (!CHECK(rig_create(&config, &o, 5, &whole))) return;
    const double loss = train(&whole);
    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
        o.head_rows = chunks[i];
        if (!CHECK(rig_create(&config, &o, 5, &parts))) continue;
        CHECK_NEAR(train(&parts), loss, 1e-6, 0);
        CHECK(same_gradients(&parts, &whole, 2e-6));
        rig_destroy(&parts);
    }
    rig_destroy(&whole);
}

/* A rank without a sequence takes part and adds nothing. */
static void an_empty_batch_gives_zero_gradients(rt_dtype dt)
{
    struct model_options o = options(dt);
    struct rt_exact loss = {{0}, 0, 0, 0, 0};
    uint64_t valid = 0;
    struct rig r;

    if (!CHECK(rig_create(&config, &o, 5, &r))) return;
    CHECK_OK(model_train(r.model, &r.table, NULL, NULL, 0, T, 1, &loss, &valid));
    CHECK(valid == 0 && rt_exact_value(&loss) == 0 && r.event_count == 18 && r.lent == 0);
    for (int u = 0; u < r.tensors->units; u++)
        for (size_t i = 0; i < r.tensors->unit_elements[u]; i++) CHECK(r.gradients[u][i] == 0);
    CHECK_OK(model_evaluate(r.model, &r.table, NULL, NULL, 0, 0, NULL, &loss, &valid));
    CHECK(valid == 0 && r.event_count == 28);
    rig_destroy(&r);
}

static void targets_that_do_not_count_add_nothing(void)
{
    struct model_options o = options(RT_F32);
    struct rt_exact loss = {{0}, 0, 0, 0, 0};
    int32_t none[N];
    float logprobs[N];
    uint64_t valid = 0;
    struct rig r;

    for (int i = 0; i < N; i++) none[i] = -1;
    if (!CHECK(rig_create(&config, &o, 5, &r))) return;
    CHECK_OK(model_train(r.model, &r.table, tokens, none, B, T, 1, &loss, &valid));
    CHECK(valid == 0 && rt_exact_value(&loss) == 0);
    for (int u = 0; u < r.tensors->units; u++)
        for (size_t i = 0; i < r.tensors->unit_elements[u]; i++) CHECK(r.gradients[u][i] == 0);

    CHECK_OK(model_evaluate(r.model, &r.table, tokens, targets, B, T, logprobs, &loss, &valid));
    double sum = 0;
    for (int i = 0; i < N; i++) {
        CHECK(targets[i] < 0 ? logprobs[i] == 0 : logprobs[i] < 0);
        sum -= (double)logprobs[i];
    }
    CHECK_NEAR(rt_exact_value(&loss), sum, 1e-12, 0);
    CHECK(train(&r) == rt_exact_value(&loss) / (double)valid); /* training's loss: same bits */
    rig_destroy(&r);
}

/* The gradient of a batch is the sum over its sequences. */
static void gradients_add_up_over_sequences(void)
{
    struct model_options o = options(RT_F32);
    struct rt_exact loss = {{0}, 0, 0, 0, 0};
    uint64_t valid = 0;
    struct rig whole, one;

    if (!CHECK(rig_create(&config, &o, 5, &whole))) return;
    const double mean = train(&whole);
    if (CHECK(rig_create(&config, &o, 5, &one))) {
        for (int b = 0; b < B; b++) {
            CHECK_OK(model_train(one.model, &one.table, tokens + b * T, targets + b * T, 1, T,
                                 1.0f / N, &loss, &valid));
            for (int u = 0; u < one.tensors->units; u++)
                for (size_t i = 0; i < one.tensors->unit_elements[u]; i++)
                    one.master[u][i] = one.gradients[u][i] + (b == 0 ? 0 : one.master[u][i]);
        }
        for (int u = 0; u < one.tensors->units; u++)
            memcpy(one.gradients[u], one.master[u],
                   one.tensors->unit_elements[u] * sizeof *one.master[u]);
        CHECK(same_gradients(&one, &whole, 2e-6));
        CHECK_NEAR(rt_exact_value(&loss) / (double)valid, mean, 1e-6, 0);
        rig_destroy(&one);
    }
    rig_destroy(&whole);
}

static void wrong_batches_are_refused(void)
{
    struct model_options o = options(RT_F32);
    struct rt_exact loss = {{0}, 0, 0, 0, 0};
    float logits[V];
    int32_t ids[N];
    uint64_t valid = 0;
    struct rig r;

    o.cache_sequences = 1;
    if (!CHECK(rig_create(&config, &o, 5, &r))) return;
    const struct model_weights *w = &r.table;
    memcpy(ids, tokens, sizeof ids);
    ids[N - 1] = V;
    CHECK(model_train(r.model, w, ids, targets, B, T, 1, &loss, &valid) == RT_EDATA);
    CHECK(model_evaluate(r.model, w, tokens, ids, B, T, NULL, &loss, &valid) == RT_EDATA);
    CHECK(model_decode(r.model, w, ids + N - 1, 1, 1, 0, logits) == RT_EDATA);
    ids[N - 1] = -1;
    CHECK(model_train(r.model, w, ids, targets, B, T, 1, &loss, &valid) == RT_EDATA);
    CHECK(model_train(r.model, w, tokens, targets, B + 1, T, 1, &loss, &valid) == RT_EINVAL);
    CHECK(model_train(r.model, w, tokens, targets, 1, T + 1, 1, &loss, &valid) == RT_EINVAL);
    CHECK(model_train(r.model, w, tokens, targets, 1, 0, 1, &loss, &valid) == RT_EINVAL);
    CHECK(model_decode(r.model, w, tokens, 1, 2, T - 1, logits) == RT_EINVAL);
    CHECK(model_decode(r.model, w, tokens, 1, 1, -1, logits) == RT_EINVAL);
    CHECK(model_decode(r.model, w, tokens, 2, 1, 0, logits) == RT_EINVAL);
    CHECK(r.event_count == 0 && valid == 0); /* refused before any unit was asked for */
    CHECK_OK(model_decode(r.model, w, tokens, 1, 1, T - 1, logits));
    rig_destroy(&r);

    o.training = false;
    if (!CHECK(rig_create(&config, &o, 5, &r))) return;
    CHECK(model_train(r.model, &r.table, tokens, targets, B, T, 1, &loss, &valid) == RT_EINVAL);
    rig_destroy(&r);
}

static rt_status refuse(void *context, int unit, model_pass pass, struct model_lent *out)
{
    (void)context;
    (void)pass;
    (void)out;
    return unit == 2 ? RT_ECOMM : RT_OK;
}

static rt_status take_back(void *context, int unit, model_pass pass)
{
    (void)context;
    (void)unit;
    (void)pass;
    return RT_OK;
}

static void a_failed_acquire_ends_the_pass(void)
{
    struct model_options o = options(RT_F32);
    struct rt_exact loss = {{0}, 0, 0, 0, 0};
    uint64_t valid = 0;
    struct rig r;

    if (!CHECK(rig_create(&config, &o, 5, &r))) return;
    const struct model_weights broken = {refuse, take_back, NULL};
    CHECK(model_train(r.model, &broken, NULL, NULL, 0, T, 1, &loss, &valid) == RT_ECOMM);
    rig_destroy(&r);
}

static double logsoftmax(const float *z_V, int v)
{
    double sum = 0, top = (double)z_V[0];
    for (int i = 1; i < V; i++) top = fmax(top, (double)z_V[i]);
    for (int i = 0; i < V; i++) sum += exp((double)z_V[i] - top);
    return (double)z_V[v] - top - log(sum);
}

/* Prefill of `prefill` tokens, then one at a time: log p of every next token is what a training
 * forward says. Returns the largest difference. */
static double decode_against_training(struct rig *r, int prefill)
{
    float logprobs[N], logits[B * V];
    int32_t next[N], some[N];
    struct rt_exact loss = {{0}, 0, 0, 0, 0};
    uint64_t valid = 0;
    double far = 0;

    for (int i = 0; i < N; i++) next[i] = i % T == T - 1 ? -1 : tokens[i + 1];
    CHECK_OK(model_evaluate(r->model, &r->table, tokens, next, B, T, logprobs, &loss, &valid));
    for (int at = 0, t = prefill; at < T - 1; at += t, t = 1) {
        for (int b = 0; b < B; b++)
            memcpy(some + b * t, tokens + b * T + at, (size_t)t * sizeof *some);
        CHECK_OK(model_decode(r->model, &r->table, some, B, t, at, logits));
        for (int b = 0; b < B; b++) {
            const int i = b * T + at + t - 1;
            if (next[i] >= 0)
                far = fmax(far, fabs(logsoftmax(logits + b * V, next[i]) - (double)logprobs[i]));
        }
    }
    return far;
}

static void generation_says_what_training_says(rt_dtype dt)
{
    static const int prefills[] = {1, 2, 7, T - 1, T};
    struct model_options o = options(dt);
    struct rig r;

    o.training = false;
    o.cache_sequences = B;
    if (!CHECK(rig_create(&config, &o, 5, &r))) return;
    for (size_t i = 0; i < sizeof prefills / sizeof prefills[0]; i++)
        CHECK_NEAR(decode_against_training(&r, prefills[i]), 0, 0, dt == RT_F32 ? 1e-5 : 5e-2);
    rig_destroy(&r);
}

static int32_t largest(const float *z_V)
{
    int32_t best = 0;
    for (int32_t v = 1; v < V; v++)
        if (z_V[v] > z_V[best]) best = v;
    return best;
}

static void greedy_is_the_same_without_a_cache(void)
{
    struct model_options o = options(RT_F32);
    float *all = malloc(T * V * sizeof *all), logits[V];
    int32_t with[T] = {5, 9, 2, 40}, without[T] = {5, 9, 2, 40};
    struct rig r;

    o.training = false;
    o.cache_sequences = B;
    if (CHECK(all != NULL) && CHECK(rig_create(&config, &o, 5, &r))) {
        for (int at = 0, t = 4; at + t < T; at += t, t = 1) {
            CHECK_OK(model_decode(r.model, &r.table, with + at, 1, t, at, logits));
            with[at + t] = largest(logits);
        }
        for (int n = 4; n < T; n++) {
            CHECK_OK(model_logits(r.model, &r.table, without, 1, n, all));
            without[n] = largest(all + (n - 1) * V);
        }
        CHECK(memcmp(with, without, sizeof with) == 0);
        rig_destroy(&r);
    }
    free(all);
}

static void all_planned_memory_is_taken_and_given_back(void)
{
    for (int i = 0; i < 16; i++) {
        struct model_options o = options(i & 1 ? RT_BF16 : RT_F32);
        struct rig r;

        o.recompute = i & 2 ? MODEL_RECOMPUTE_FULL : MODEL_RECOMPUTE_NONE;
        o.training = i & 4;
        o.cache_sequences = i & 8 ? 2 : 0;
        if (!CHECK(rig_create(&config, &o, 5, &r))) continue;
        CHECK(rt_memory_taken_bytes(r.memory) == rt_plan_bytes(&r.plan, RT_MEM_PRIVATE));
        model_destroy(&r.model);
        CHECK(rt_memory_taken_bytes(r.memory) == 0);
        rig_destroy(&r);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2 || kernels_find(argv[1], &kernels) != RT_OK) return 2;
    make_batch();
    units_are_visited_in_order();
    chunks_of_the_head_do_not_matter();
    targets_that_do_not_count_add_nothing();
    gradients_add_up_over_sequences();
    wrong_batches_are_refused();
    a_failed_acquire_ends_the_pass();
    greedy_is_the_same_without_a_cache();
    all_planned_memory_is_taken_and_given_back();
    for (int i = 0; i < 2; i++) {
        const rt_dtype dt = i == 0 ? RT_F32 : RT_BF16;
        recompute_gives_the_same_bits(dt);
        an_empty_batch_gives_zero_gradients(dt);
        generation_says_what_training_says(dt);
    }
    return check_failures != 0;
}
