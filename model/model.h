/* model/model.h - the Llama 2 transformer: forward, backward, loss, generation
 *
 * Knows neither ranks nor shards: it asks for the weights of one unit at a time through a table
 * of two functions that the caller fills, so the same code runs on an array in a test and on
 * many ranks.
 *
 * Shapes   row-major. B sequences, T tokens each, N = B*T rows; C dim, H heads, K kv heads,
 *          D = C/H head dim, F ffn dim, V vocabulary, L layers.
 * Units    0 embedding (V,C); 1..L blocks; L+1 final norm (C) and head (V,C). runtime/tensor.h.
 * Order    forward acquires and releases units 0..L+1, backward L+1..0; the last unit is
 *          acquired once in forward and released in backward (pass MODEL_BACKWARD) in a training
 *          step: head forward, loss and head backward are one visit in chunks of rows.
 * Numbers  compute fp32 or bf16; the residual stream, logits, softmax, loss and weight gradients
 *          are fp32. Weight gradients are written (beta = 0), not added to.
 * Source   Touvron et al. 2023, arXiv:2307.09288; released code (research notes: docs/architecture)
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/dtype.h"
#include "runtime/exact.h"
#include "runtime/memory.h"
#include "runtime/status.h"
#include "runtime/tensor.h"
#include "runtime/trace.h"

struct kernels;
struct rt_queue;

struct model_config {
    int layers, dim, heads, kv_heads, ffn_dim, vocabulary, context;
    double rope_theta; /* 10000 */
    double norm_eps;   /* 1e-5 */
};

/* RT_EINVAL, naming the key, its value and what would fit: heads divides dim, kv_heads divides
 * heads, head dim even, all positive (and at most 2^24). */
RT_NODISCARD rt_status model_config_check(const struct model_config *c);

/* The tensors of this model; destroy frees. Initial values: normal(0, 0.02), wo and w2
 * normal(0, 0.02/sqrt(2L)), norms 1. */
RT_NODISCARD rt_status model_tensors_create(const struct model_config *c, struct rt_tensors **out);
void model_tensors_destroy(struct rt_tensors **t);

/* Elements [first, first+n) of tensor t at its first value: a function of (seed, name, index). */
void model_init_values(const struct rt_tensor *t, uint64_t seed, size_t first, size_t n,
                       float *out);

typedef enum { MODEL_FORWARD, MODEL_BACKWARD } model_pass;

/* Lent between acquire and release. weights: the unit's flat buffer in the compute dtype.
 * gradients: flat, f32, the same offsets, only in MODEL_BACKWARD (for the last unit of a training
 * step: acquired with MODEL_BACKWARD at once); its bytes are undefined on acquire, and the model
 * writes every element, gaps between tensors as 0. */
struct model_lent {
    const void *weights;
    float *gradients;
};

/* A call that fails ends the pass with its status; what is lent then stays lent. */
struct model_weights {
    RT_NODISCARD rt_status (*acquire)(void *context, int unit, model_pass pass,
                                      struct model_lent *out);
    RT_NODISCARD rt_status (*release)(void *context, int unit, model_pass pass);
    void *context;
};

typedef enum { MODEL_RECOMPUTE_NONE, MODEL_RECOMPUTE_FULL } model_recompute;

struct model_options {
    const struct kernels *kernels; /* model/kernels.h */
    struct rt_queue *queue;
    struct rt_trace *trace; /* lent; may be NULL */
    rt_dtype compute;
    model_recompute recompute;
    int max_sequences;   /* of one micro-batch */
    int head_rows;       /* rows a chunk of head and loss; 0: chosen */
    bool training;       /* false: forward and generation only, nothing kept */
    int cache_sequences; /* KV cache for generation; 0: none */
};

struct model;

/* Add this model's buffers (names "model/...") to the plan. */
RT_NODISCARD rt_status model_plan(const struct model_config *c, const struct model_options *o,
                                  struct rt_plan *plan);
/* Takes them from memory, which must outlive the model. Options and config are copied; tensors are
 * only compared with the config (RT_EINVAL: of another model). */
RT_NODISCARD rt_status model_create(const struct model_config *c, const struct model_options *o,
                                    const struct rt_tensors *tensors, struct rt_memory *memory,
                                    struct model **out);
void model_destroy(struct model **m);

/* One micro-batch: loss and gradients. tokens, targets (B,T); a target < 0 does not count.
 * scale: each token's gradient is multiplied by it (1 / valid tokens of the global batch).
 * *loss gets the sum over valid tokens of -log p(target) added, *valid their number.
 * B may be 0: every unit is still acquired and released, gradients are 0.
 * RT_EDATA: a token not below the vocabulary. */
RT_NODISCARD rt_status model_train(struct model *m, const struct model_weights *w,
                                   const int32_t *tokens, const int32_t *targets, int B, int T,
                                   float scale, struct rt_exact *loss, uint64_t *valid);

/* The same forward, loss only: units 0..L+1 are acquired and released in MODEL_FORWARD.
 * logprobs (B,T), or NULL: log p(target) of each row, 0 where it does not count. */
RT_NODISCARD rt_status model_evaluate(struct model *m, const struct model_weights *w,
                                      const int32_t *tokens, const int32_t *targets, int B, int T,
                                      float *logprobs, struct rt_exact *loss, uint64_t *valid);

/* Logits (B*T,V) f32 of the whole batch: for tests. */
RT_NODISCARD rt_status model_logits(struct model *m, const struct model_weights *w,
                                    const int32_t *tokens, int B, int T, float *logits);

/* Generation with the KV cache: append tokens (B, t) at positions position..position+t-1 of the
 * B cached sequences and give the logits (B,V) f32 behind the last. position 0 starts anew.
 * One pass in MODEL_FORWARD. RT_EINVAL: beyond the context, more than cache_sequences, or B*t above
 * max_sequences * context (and above cache_sequences): give a long prompt in parts. */
RT_NODISCARD rt_status model_decode(struct model *m, const struct model_weights *w,
                                    const int32_t *tokens, int B, int t, int position,
                                    float *logits);

/* Floating-point operations of training on one token: 6 * matmul parameters (all matrices but the
 * embedding) + 12 * L * C * T. The formula of every MFU (docs/architecture). */
double model_flops_per_token(const struct model_config *c, int T);
uint64_t model_parameters(const struct model_config *c);
uint64_t model_matmul_parameters(const struct model_config *c);

#endif
