/* jobs/sampling.c - see sampling.h */
#include "jobs/sampling.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/rng.h"

struct candidate {
    float logit;
    int32_t token;
};

struct sampler {
    struct sampling_options o;
    int vocabulary;
    struct candidate *sorted; /* (V) */
    double *weight;           /* (V): exp((logit - largest) / temperature) */
};

rt_status sampler_create(const struct sampling_options *o, int vocabulary, struct sampler **out)
{
    struct sampler *s = NULL;

    *out = NULL;
    if (!(o->temperature >= 0) || !isfinite(o->temperature))
        return RT_FAIL(RT_EINVAL, "temperature is %g, must be 0 (greedy) or above", o->temperature);
    if (o->top_k < 0) return RT_FAIL(RT_EINVAL, "top-k is %d, must be 0 (off) or above", o->top_k);
    if (!(o->top_p > 0 && o->top_p <= 1))
        return RT_FAIL(RT_EINVAL, "top-p is %g, must be above 0 and at most 1", o->top_p);
    s = calloc(1, sizeof *s);
    if (s != NULL) {
        s->sorted = malloc((size_t)vocabulary * sizeof *s->sorted);
        s->weight = malloc((size_t)vocabulary * sizeof *s->weight);
    }
    if (s == NULL || s->sorted == NULL || s->weight == NULL) {
        sampler_destroy(&s);
        return RT_FAIL(RT_ENOMEM, "a sampler for %d tokens", vocabulary);
    }
    s->o = *o;
    s->vocabulary = vocabulary;
    *out = s;
    return RT_OK;
}

void sampler_destroy(struct sampler **s)
{
    if (*s == NULL) return;
    free((*s)->sorted);
    free((*s)->weight);
    free(*s);
    *s = NULL;
}

/* Largest logit first; equal ones by token, so that the order is the same everywhere. */
static int by_logit(const void *pa, const void *pb)
{
    const struct candidate *a = pa, *b = pb;

    if (a->logit != b->logit) return a->logit > b->logit ? -1 : 1;
    return (a->token > b->token) - (a->token < b->token);
}

static rt_status log_sum_exp(const float *logits, int V, double *out, int32_t *best)
{
    double sum = 0;
    int top = 0;

    for (int v = 0; v < V; v++) {
        if (!isfinite(logits[v]))
            return RT_FAIL(RT_ENONFINITE, "the logit of token %d is %g: the weights are damaged", v,
                           (double)logits[v]);
        if (logits[v] > logits[top]) top = v;
    }
    for (int v = 0; v < V; v++) sum += exp((double)logits[v] - (double)logits[top]);
    *out = (double)logits[top] + log(sum);
    *best = (int32_t)top;
    return RT_OK;
}

/* How many of the sorted candidates stay: top-k first, then the fewest whose share is top-p. */
static int keep(struct sampler *s, int count, double *total)
{
    double sum = 0, all = 0;
    int n = 0;

    for (int i = 0; i < count; i++) {
        s->weight[i] =
            exp(((double)s->sorted[i].logit - (double)s->sorted[0].logit) / s->o.temperature);
        all += s->weight[i];
    }
    while (n < count && (n == 0 || sum < s->o.top_p * all)) sum += s->weight[n++];
    *total = sum;
    return n;
}

static int32_t draw(struct sampler *s, const float *logits, uint64_t sequence, uint64_t position)
{
    const int V = s->vocabulary;
    const int count = s->o.top_k > 0 && s->o.top_k < V ? s->o.top_k : V;
    const struct rt_rng_key key =
        rt_rng_key(rt_rng_u64(rt_rng_key(s->o.seed, "sample:sequence"), sequence), "sample");
    double total;

    for (int v = 0; v < V; v++) s->sorted[v] = (struct candidate){logits[v], (int32_t)v};
    qsort(s->sorted, (size_t)V, sizeof *s->sorted, by_logit);
    const int n = keep(s, count, &total);
    double u = rt_rng_uniform(key, position) * total;
    for (int i = 0; i < n; i++) {
        u -= s->weight[i];
        if (u < 0) return s->sorted[i].token;
    }
    return s->sorted[n - 1].token; /* rounding left a crumb */
}

rt_status sampler_draw(struct sampler *s, const float *logits, uint64_t sequence, uint64_t position,
                       int32_t *token, double *logprob)
{
    double all;
    int32_t best;

    RT_TRY(log_sum_exp(logits, s->vocabulary, &all, &best));
    *token = s->o.temperature > 0 ? draw(s, logits, sequence, position) : best;
    if (logprob != NULL) *logprob = (double)logits[*token] - all;
    return RT_OK;
}
