/* tests/jobs/test_sampling.c - jobs/sampling.h: greedy, filters, shares, streams */
#include "jobs/sampling.h"

#include <math.h>
#include <stdlib.h>

#include "tests/check.h"

enum { V = 5 };
/* Shares at temperature 1: 0.4, 0.1, 0.3, 0.15, 0.05. */
static const double shares[V] = {0.4, 0.1, 0.3, 0.15, 0.05};

static void make_logits(float *logits)
{
    for (int v = 0; v < V; v++) logits[v] = (float)log(shares[v]);
}

/* How often each token comes in n draws of one sequence. */
static void count_draws(const struct sampling_options *o, int n, int *count)
{
    struct sampler *s = NULL;
    float logits[V];

    make_logits(logits);
    for (int v = 0; v < V; v++) count[v] = 0;
    if (!CHECK_OK(sampler_create(o, V, &s))) return;
    for (int i = 0; i < n; i++) {
        int32_t token = -1;
        double logprob = 0;
        CHECK_OK(sampler_draw(s, logits, 3, (uint64_t)i, &token, &logprob));
        if (!CHECK(token >= 0 && token < V)) break;
        CHECK_NEAR(logprob, log(shares[token]), 1e-6, 1e-6);
        count[token]++;
    }
    sampler_destroy(&s);
}

static void temperature_zero_takes_the_likeliest(void)
{
    int count[V];

    count_draws(&(struct sampling_options){.temperature = 0, .top_p = 1}, 20, count);
    CHECK(count[0] == 20);
}

/* 20000 draws: five standard deviations of a share of 0.4 are 0.0173. */
static void draws_follow_the_shares(void)
{
    const int n = 20000;
    int count[V];

    count_draws(&(struct sampling_options){.temperature = 1, .top_p = 1, .seed = 7}, n, count);
    for (int v = 0; v < V; v++) CHECK_NEAR((double)count[v] / n, shares[v], 0, 0.018);
}

static void temperature_sharpens(void)
{
    const double sum = 0.16 + 0.01 + 0.09 + 0.0225 + 0.0025; /* squares of the shares */
    const int n = 20000;
    int count[V];

    count_draws(&(struct sampling_options){.temperature = 0.5, .top_p = 1, .seed = 7}, n, count);
    for (int v = 0; v < V; v++)
        CHECK_NEAR((double)count[v] / n, shares[v] * shares[v] / sum, 0, 0.018);
}

static void top_k_keeps_the_k_likeliest(void)
{
    int count[V];

    count_draws(&(struct sampling_options){.temperature = 1, .top_k = 2, .top_p = 1}, 5000, count);
    CHECK(count[1] == 0 && count[3] == 0 && count[4] == 0);
    CHECK_NEAR((double)count[0] / 5000, 0.4 / 0.7, 0, 0.036);
}

/* 0.4 + 0.3 reach 0.65; 0.4 alone reaches 0.4. */
static void top_p_keeps_the_fewest_that_reach_it(void)
{
    int count[V];

    count_draws(&(struct sampling_options){.temperature = 1, .top_p = 0.65}, 5000, count);
    CHECK(count[0] > 0 && count[2] > 0 && count[0] + count[2] == 5000);
    count_draws(&(struct sampling_options){.temperature = 1, .top_p = 0.3}, 100, count);
    CHECK(count[0] == 100);
}

/* A draw depends on (seed, sequence, position) and on nothing drawn before. */
static void streams_are_independent_of_order(void)
{
    const struct sampling_options o = {.temperature = 1, .top_p = 1, .seed = 11};
    struct sampler *s = NULL;
    float logits[V];
    int32_t forward[40], again;
    int differ = 0;

    make_logits(logits);
    if (!CHECK_OK(sampler_create(&o, V, &s))) return;
    for (uint64_t i = 0; i < 40; i++) CHECK_OK(sampler_draw(s, logits, 0, i, &forward[i], NULL));
    for (uint64_t i = 40; i-- > 0;) {
        CHECK_OK(sampler_draw(s, logits, 0, i, &again, NULL));
        CHECK(again == forward[i]);
        CHECK_OK(sampler_draw(s, logits, 1, i, &again, NULL));
        differ += again != forward[i];
    }
    CHECK(differ > 10);
    sampler_destroy(&s);
}

static void wrong_options_and_logits_are_refused(void)
{
    struct sampler *s = NULL;
    float logits[V];
    int32_t token;

    CHECK(sampler_create(&(struct sampling_options){.temperature = -1, .top_p = 1}, V, &s) ==
          RT_EINVAL);
    CHECK(sampler_create(&(struct sampling_options){.top_p = 0}, V, &s) == RT_EINVAL);
    CHECK(sampler_create(&(struct sampling_options){.top_p = 1.5}, V, &s) == RT_EINVAL);
    CHECK(sampler_create(&(struct sampling_options){.top_p = 1, .top_k = -1}, V, &s) == RT_EINVAL);
    CHECK(s == NULL);
    make_logits(logits);
    logits[2] = NAN;
    if (!CHECK_OK(sampler_create(&(struct sampling_options){.top_p = 1}, V, &s))) return;
    CHECK(sampler_draw(s, logits, 0, 0, &token, NULL) == RT_ENONFINITE);
    sampler_destroy(&s);
}

int main(void)
{
    temperature_zero_takes_the_likeliest();
    draws_follow_the_shares();
    temperature_sharpens();
    top_k_keeps_the_k_likeliest();
    top_p_keeps_the_fewest_that_reach_it();
    streams_are_independent_of_order();
    wrong_options_and_logits_are_refused();
    return check_failures != 0;
}
