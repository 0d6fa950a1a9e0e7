/* jobs/sampling.h - the next token from a row of logits
 *
 * Order: temperature, top-k, top-p, draw. Temperature 0 is greedy (lowest id among equals).
 * The draw is a function of (seed, sequence, position): no state, so a sequence does not depend
 * on what is generated beside it.
 * Source  Holtzman et al. 2020, arXiv:1904.09751 (top-p)
 */
#ifndef JOBS_SAMPLING_H
#define JOBS_SAMPLING_H

#include <stdint.h>

#include "runtime/status.h"

struct sampling_options {
    double temperature; /* >= 0 */
    int top_k;          /* 0: all */
    double top_p;       /* (0,1]; 1: all */
    uint64_t seed;
};

struct sampler;

RT_NODISCARD rt_status sampler_create(const struct sampling_options *o, int vocabulary,
                                      struct sampler **out);
void sampler_destroy(struct sampler **s);

/* logits (V), not changed. logprob, or NULL: the untempered, unfiltered log-softmax of the token
 * drawn, as training computes it. RT_ENONFINITE: a logit is NaN or Inf. */
RT_NODISCARD rt_status sampler_draw(struct sampler *s, const float *logits, uint64_t sequence,
                                    uint64_t position, int32_t *token, double *logprob);

#endif
