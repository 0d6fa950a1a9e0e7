/* tests/optim/test_optim.c - optim/optim.h: AdamW against a hand case and PyTorch, the schedule */
#include "optim/optim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optim/kernels.h"
#include "runtime/rng.h"
#include "tests/check.h"

static const struct optim_options llama = {.learning_rate = 3e-4,
                                           .beta1 = 0.9,
                                           .beta2 = 0.95,
                                           .epsilon = 1e-5,
                                           .weight_decay = 0.1,
                                           .clip = 1.0};

/* An optimizer of n elements in its own memory. */
struct fixture {
    struct rt_memory *memory;
    struct optim *optim;
};

static bool make(struct fixture *f, const char *backend, size_t n, const struct optim_range *ranges,
                 size_t count)
{
    struct rt_plan plan = {0};

    *f = (struct fixture){0};
    bool ok = CHECK_OK(optim_plan(n, &plan)) && CHECK_OK(rt_memory_create(&plan, &f->memory)) &&
              CHECK_OK(optim_create(&llama, backend, n, ranges, count, f->memory, &f->optim));
    rt_plan_clear(&plan);
    return ok;
}

static void unmake(struct fixture *f)
{
    optim_destroy(&f->optim);
    CHECK(f->memory == NULL || rt_memory_taken_bytes(f->memory) == 0);
    rt_memory_destroy(&f->memory);
}

/* First step, worked out by hand: m-hat = g, v-hat = g^2, so w moves by lr * g / (|g| + eps). */
static void first_step_moves_by_the_learning_rate(const char *backend)
{
    const struct optim_range all = {0, 2, false};
    float w[] = {1, -1}, g[] = {0.5F, -2};
    struct fixture f;

    if (make(&f, backend, 2, &all, 1)) {
        CHECK(optim_exp_avg(f.optim)[0] == 0 && optim_exp_avg_sq(f.optim)[1] == 0);
        CHECK_OK(optim_step(f.optim, NULL, w, g, 1, 0.01, 1));
        CHECK_NEAR(w[0], 1 - 0.01 * 0.5 / (0.5 + 1e-5), 1e-6, 0);
        CHECK_NEAR(w[1], -1 + 0.01 * 2 / (2 + 1e-5), 1e-6, 0);
    }
    unmake(&f);
}

/* Three steps recorded with torch.optim.AdamW (fp32): four elements with decay 0.1, one without,
 * lr 0.01, betas 0.9 and 0.95, eps 1e-5. */
static void three_steps_equal_pytorch(const char *backend)
{
    const struct optim_range ranges[] = {{0, 4, true}, {4, 1, false}};
    const float g[3][5] = {{0.1F, -0.2F, 0.3F, 1e-4F, 0.1F},
                           {-0.4F, 0.05F, 0.25F, 2e-4F, -0.4F},
                           {0.3F, 0.3F, -0.1F, -5e-5F, 0.3F}};
    const double want[5] = {0.49378958344459534, -1.2347134351730347, 1.9681928157806396,
                            -0.05472634360194206, 0.9952736496925354};
    const double m[4] = {0.0021000010892748833, 0.018300002440810204, 0.03680000081658363,
                         2.1099998775753193e-05};
    const double v[4] = {0.01255125179886818, 0.006423750426620245, 0.007530000526458025,
                         2.4762498718189363e-09};
    float w[5] = {0.5F, -1.25F, 2.0F, -0.03125F, 1.0F};
    struct fixture f;

    if (make(&f, backend, 5, ranges, 2)) {
        for (uint64_t t = 1; t <= 3; t++)
            CHECK_OK(optim_step(f.optim, NULL, w, g[t - 1], 1, 0.01, t));
        for (int i = 0; i < 5; i++) CHECK_NEAR(w[i], want[i], 1e-6, 0);
        for (int i = 0; i < 4; i++) CHECK_NEAR(optim_exp_avg(f.optim)[i], m[i], 1e-5, 1e-9);
        for (int i = 0; i < 4; i++) CHECK_NEAR(optim_exp_avg_sq(f.optim)[i], v[i], 1e-5, 0);
    }
    unmake(&f);
}

/* What lies in no range (padding) is neither read nor written: NaN there does no harm. */
static void elements_in_no_range_are_left_alone(const char *backend)
{
    const struct optim_range ranges[] = {{1, 2, true}, {4, 1, true}};
    float w[6] = {7, 1, 1, 8, 1, 9}, g[6] = {NAN, 1, 1, NAN, 1, NAN};
    struct fixture f;

    if (make(&f, backend, 6, ranges, 2)) {
        CHECK_OK(optim_step(f.optim, NULL, w, g, 1, 0.1, 1));
        CHECK(w[0] == 7 && w[3] == 8 && w[5] == 9);
        CHECK(w[1] < 1 && w[2] < 1 && w[4] < 1);
        CHECK(optim_exp_avg(f.optim)[0] == 0 && optim_exp_avg_sq(f.optim)[5] == 0);
    }
    unmake(&f);
}

/* Scaling the gradient by 1/4 is exact, so the two ways give the same bits. */
static void scale_is_applied_to_the_gradient(const char *backend)
{
    const struct optim_range all = {0, 2, true};
    float w[] = {1, 2}, u[] = {1, 2}, g[] = {0.5F, -3}, quarter[] = {0.125F, -0.75F};
    struct fixture a, b;

    if (make(&a, backend, 2, &all, 1) && make(&b, backend, 2, &all, 1)) {
        CHECK_OK(optim_step(a.optim, NULL, w, g, 0.25F, 0.01, 1));
        CHECK_OK(optim_step(b.optim, NULL, u, quarter, 1, 0.01, 1));
        CHECK(w[0] == u[0] && w[1] == u[1]);
    }
    unmake(&a);
    unmake(&b);
}

static void fill(float *x, size_t n, const char *purpose)
{
    const struct rt_rng_key key = rt_rng_key(5, purpose);

    for (size_t i = 0; i < n; i++) x[i] = (float)rt_rng_normal(key, i);
}

/* Any length and any place in memory: the bits of ref, over several steps. */
static void backends_give_the_bits_of_ref(const struct optim_kernels *k)
{
    static const size_t sizes[] = {0, 1, 7, 31, 64, 1000, 4099, 40000};
    enum { N = 40000, SHIFT = 3 };
    const struct optim_factors c = {0.9F, 0.95F, 0.1F, 0.05F, 10, 20, 1e-5F, 3e-4F, 0.1F, 0.7F};
    float *x = malloc(7 * (N + SHIFT) * sizeof *x);

    if (!CHECK(x != NULL)) return;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        const size_t n = sizes[s];
        float *at[7];
        for (size_t a = 0; a < 7; a++) at[a] = x + a * (N + SHIFT) + (s % 2 ? SHIFT : 0);
        fill(at[0], n, "w");
        fill(at[1], n, "g");
        memset(at[2], 0, n * sizeof *x);
        memset(at[3], 0, n * sizeof *x);
        memcpy(at[4], at[0], n * sizeof *x);
        memset(at[5], 0, n * sizeof *x);
        memset(at[6], 0, n * sizeof *x);
        for (int t = 0; t < 3; t++) {
            CHECK_OK(optim_kernels_ref.adamw(NULL, at[0], at[2], at[3], at[1], n, &c));
            CHECK_OK(k->adamw(NULL, at[4], at[5], at[6], at[1], n, &c));
        }
        CHECK(memcmp(at[0], at[4], n * sizeof *x) == 0);
        CHECK(memcmp(at[2], at[5], n * sizeof *x) == 0);
        CHECK(memcmp(at[3], at[6], n * sizeof *x) == 0);
    }
    free(x);
}

static void clip_factor_brings_the_norm_to_the_clip(void)
{
    const struct optim_range all = {0, 1, true};
    struct fixture f;

    if (make(&f, "ref", 1, &all, 1)) {
        CHECK(optim_clip_factor(f.optim, 0.5) == 1);
        CHECK(optim_clip_factor(f.optim, 0) == 1);
        CHECK_NEAR(optim_clip_factor(f.optim, 4), 0.25, 1e-6, 0);
    }
    unmake(&f);
}

static void learning_rate_warms_up_and_falls_to_the_floor(void)
{
    const struct optim_schedule s = {.peak = 3e-4, .final_ratio = 0.1, .warmup = 10, .steps = 110};
    const struct optim_schedule cold = {.peak = 1, .final_ratio = 0.1, .warmup = 0, .steps = 2};
    const struct optim_schedule only = {.peak = 1, .final_ratio = 0.1, .warmup = 4, .steps = 4};

    CHECK_NEAR(optim_learning_rate(&s, 1), 3e-5, 1e-12, 0);
    CHECK_NEAR(optim_learning_rate(&s, 10), 3e-4, 1e-12, 0);
    CHECK_NEAR(optim_learning_rate(&s, 60), 0.5 * (3e-4 + 3e-5), 1e-12, 0);
    CHECK_NEAR(optim_learning_rate(&s, 110), 3e-5, 1e-12, 0);
    CHECK_NEAR(optim_learning_rate(&s, 1000), 3e-5, 1e-12, 0);
    CHECK_NEAR(optim_learning_rate(&cold, 1), 0.55, 1e-12, 0);
    CHECK_NEAR(optim_learning_rate(&cold, 2), 0.1, 1e-12, 0);
    CHECK_NEAR(optim_learning_rate(&only, 4), 1, 1e-12, 0);
}

static void wrong_ranges_and_backends_are_refused(void)
{
    const struct optim_range overlap[] = {{0, 3, true}, {2, 1, true}}, beyond = {1, 4, true};
    struct rt_plan plan = {0};
    struct rt_memory *memory = NULL;
    struct optim *o = NULL;

    CHECK_OK(optim_plan(4, &plan));
    CHECK_OK(rt_memory_create(&plan, &memory));
    CHECK(optim_create(&llama, "ref", 4, overlap, 2, memory, &o) == RT_EINVAL && o == NULL);
    CHECK(optim_create(&llama, "ref", 4, &beyond, 1, memory, &o) == RT_EINVAL && o == NULL);
    CHECK(optim_create(&llama, "abacus", 4, NULL, 0, memory, &o) == RT_EMISSING && o == NULL);
    CHECK(rt_memory_taken_bytes(memory) == 0);
    rt_memory_destroy(&memory);
    rt_plan_clear(&plan);
}

int main(void)
{
    for (const struct optim_kernels *const *k = optim_kernels_built; *k != NULL; k++) {
        first_step_moves_by_the_learning_rate((*k)->name);
        three_steps_equal_pytorch((*k)->name);
        elements_in_no_range_are_left_alone((*k)->name);
        scale_is_applied_to_the_gradient((*k)->name);
        backends_give_the_bits_of_ref(*k);
    }
    clip_factor_brings_the_norm_to_the_clip();
    learning_rate_warms_up_and_falls_to_the_floor();
    wrong_ranges_and_backends_are_refused();
    return check_failures != 0;
}
