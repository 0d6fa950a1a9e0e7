/* tests/model/test_model_torch.c - the whole model against recorded PyTorch values
 *
 *     test_model_torch BACKEND fp32|bf16 FIXTURE...
 *
 * Numbers  logits and loss within 1e-4 and 1e-5 in fp32; every gradient tensor within a relative
 *          distance (L2) of 1e-5 for ref, 1e-4 for other backends, 2e-2 in bf16; the losses of 20
 *          AdamW steps within 1e-5 relative in fp32, 5e-3 in bf16.
 */
#include <stdlib.h>
#include <string.h>

#include "optim/optim.h"
#include "tests/check.h"
#include "tests/model/fixture.h"
#include "tests/model/rig.h"

enum { STEPS = 20 };

struct tolerance {
    double logits, loss, gradient, losses;
};

static struct tolerance tolerance_of(const struct rig *r)
{
    if (r->o.compute == RT_BF16) return (struct tolerance){5e-2, 5e-3, 2e-2, 5e-3};
    if (strcmp(r->o.kernels->name, "ref") == 0) return (struct tolerance){1e-4, 1e-6, 1e-5, 1e-5};
    return (struct tolerance){1e-4, 1e-6, 1e-4, 1e-5};
}

static void take_weights(struct rig *r, const struct fixture *f)
{
    for (size_t i = 0; i < r->tensors->count; i++) {
        const struct rt_tensor *t = &r->tensors->items[i];
        const size_t n = rt_tensor_count(t);
        const void *w = fixture_find(f, "", t->name, n);
        if (CHECK(w != NULL)) memcpy(rig_master(r, t), w, n * sizeof(float));
    }
    rig_weights_changed(r);
}

static uint64_t count_valid(const int32_t *targets, size_t n)
{
    uint64_t valid = 0;
    for (size_t i = 0; i < n; i++) valid += targets[i] >= 0;
    return valid;
}

/* One training step's forward and backward on recorded batch `step`; returns the mean loss. */
static double train_on(struct rig *r, const struct fixture *f, size_t step)
{
    const size_t n = (size_t)(f->B * f->T), all = STEPS * n;
    const int32_t *tokens = fixture_find(f, "", "tokens", all);
    const int32_t *targets = fixture_find(f, "", "targets", all);
    struct rt_exact loss = {{0}, 0, 0, 0, 0};
    uint64_t valid = 0;

    if (!CHECK(tokens != NULL && targets != NULL)) return NAN;
    const uint64_t counted = count_valid(targets + step * n, n);
    CHECK_OK(model_train(r->model, &r->table, tokens + step * n, targets + step * n, f->B, f->T,
                         1 / (float)counted, &loss, &valid));
    CHECK(valid == counted && r->lent == 0);
    return rt_exact_value(&loss) / (double)valid;
}

static void logits_are_as_recorded(struct rig *r, const struct fixture *f)
{
    const size_t n = (size_t)f->B * (size_t)f->T * (size_t)f->c.vocabulary;
    const float *want = fixture_find(f, "", "logits", n);
    const int32_t *tokens = fixture_find(f, "", "tokens", (size_t)(STEPS * f->B * f->T));
    float *logits = malloc(n * sizeof *logits);
    double far = 0;

    if (CHECK(want != NULL && tokens != NULL && logits != NULL)) {
        CHECK_OK(model_logits(r->model, &r->table, tokens, f->B, f->T, logits));
        for (size_t i = 0; i < n; i++) far = fmax(far, fabs((double)logits[i] - (double)want[i]));
        CHECK_NEAR(far, 0, 0, tolerance_of(r).logits);
    }
    free(logits);
}

static void gradients_are_as_recorded(struct rig *r, const struct fixture *f)
{
    const double *want = fixture_find(f, "", "loss", 1);
    const double loss = train_on(r, f, 0);
    double worst = 0;

    if (CHECK(want != NULL)) CHECK_NEAR(loss, *want, tolerance_of(r).loss, 0);
    CHECK(rig_gradients_written(r));
    for (size_t i = 0; i < r->tensors->count; i++) {
        const struct rt_tensor *t = &r->tensors->items[i];
        const size_t n = rt_tensor_count(t);
        const float *g = fixture_find(f, "gradient:", t->name, n);
        if (!CHECK(g != NULL)) continue;
        const double far = rig_distance(rig_gradient(r, t), g, n);
        if (!CHECK_NEAR(far, 0, 0, tolerance_of(r).gradient)) printf("  %s\n", t->name);
        worst = fmax(worst, far);
    }
    printf("  loss %.9g, worst gradient %.2g\n", loss, worst);
}

/* Tensors one after the other in one array, as a rank alone owns them. */
static void flatten(struct rig *r, float *flat, bool gradients, bool back)
{
    for (size_t i = 0; i < r->tensors->count; i++) {
        const struct rt_tensor *t = &r->tensors->items[i];
        const size_t bytes = rt_tensor_count(t) * sizeof *flat;
        if (back)
            memcpy(rig_master(r, t), flat, bytes);
        else
            memcpy(flat, gradients ? rig_gradient(r, t) : rig_master(r, t), bytes);
        flat += rt_tensor_count(t);
    }
}

static bool make_optimizer(struct rig *r, struct rt_plan *plan, struct rt_memory **memory,
                           struct optim **out)
{
    const struct optim_options o = {1e-3, 0.9, 0.95, 1e-5, 0.1, 1.0};
    struct optim_range ranges[256];
    size_t n = 0;

    for (size_t i = 0; i < r->tensors->count; i++) {
        const struct rt_tensor *t = &r->tensors->items[i];
        ranges[i] = (struct optim_range){n, rt_tensor_count(t), t->role != RT_ROLE_NORM};
        n += rt_tensor_count(t);
    }
    return CHECK_OK(optim_plan(n, plan)) && CHECK_OK(rt_memory_create(plan, memory)) &&
           CHECK_OK(
               optim_create(&o, r->o.kernels->name, n, ranges, r->tensors->count, *memory, out));
}

static void adamw_steps_are_as_recorded(struct rig *r, const struct fixture *f)
{
    const struct optim_schedule schedule = {1e-3, 0.1, 5, STEPS};
    const size_t n = (size_t)r->tensors->parameters;
    const double *losses = fixture_find(f, "", "losses", STEPS);
    const double *norms = fixture_find(f, "", "norms", STEPS);
    const double *rates = fixture_find(f, "", "rates", STEPS);
    float *w = malloc(n * sizeof *w), *g = malloc(n * sizeof *g);
    struct rt_plan plan = {0};
    struct rt_memory *memory = NULL;
    struct optim *optim = NULL;
    double worst = 0;

    if (CHECK(losses && norms && rates && w && g) && make_optimizer(r, &plan, &memory, &optim)) {
        flatten(r, w, false, false);
        for (uint64_t step = 1; step <= STEPS; step++) {
            const double loss = train_on(r, f, step - 1);
            const double rate = optim_learning_rate(&schedule, step);
            struct rt_exact squares = {{0}, 0, 0, 0, 0};

            flatten(r, g, true, false);
            rt_exact_add_squares(&squares, g, n);
            const double norm = sqrt(rt_exact_value(&squares));
            CHECK_NEAR(loss, losses[step - 1], tolerance_of(r).losses, 0);
            CHECK_NEAR(norm, norms[step - 1], 10 * tolerance_of(r).losses, 0);
            CHECK_NEAR(rate, rates[step - 1], 1e-12, 0);
            CHECK_OK(optim_step(optim, NULL, w, g, optim_clip_factor(optim, norm), rate, step));
            flatten(r, w, false, true);
            rig_weights_changed(r);
            worst = fmax(worst, fabs(loss / losses[step - 1] - 1));
        }
        printf("  worst loss of %d steps %.2g\n", STEPS, worst);
    }
    optim_destroy(&optim);
    rt_memory_destroy(&memory);
    rt_plan_clear(&plan);
    free(w);
    free(g);
}

int main(int argc, char **argv)
{
    const struct kernels *kernels = NULL;

    if (argc < 4 || kernels_find(argv[1], &kernels) != RT_OK) return 2;
    for (int i = 3; i < argc; i++) {
        struct fixture f;
        struct rig r;

        if (!CHECK(fixture_read(argv[i], &f))) continue;
        const struct model_options o = {.kernels = kernels,
                                        .compute = strcmp(argv[2], "bf16") ? RT_F32 : RT_BF16,
                                        .max_sequences = f.B,
                                        .training = true};
        printf("%s %s %s\n", argv[i], argv[1], argv[2]);
        if (CHECK(rig_create(&f.c, &o, 1, &r))) {
            take_weights(&r, &f);
            logits_are_as_recorded(&r, &f);
            gradients_are_as_recorded(&r, &f);
            adamw_steps_are_as_recorded(&r, &f);
            rig_destroy(&r);
        }
        fixture_free(&f);
    }
    return check_failures != 0;
}
