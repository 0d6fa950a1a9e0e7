/* jobs/train/schema.c - see schema.h: the table */
#include "jobs/train/schema.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

static const cyaml_strval_t dtypes[] = {{"fp32", RT_F32}, {"bf16", RT_BF16}};
static const cyaml_strval_t modes[] = {
    {"full", SHARD_FULL}, {"grads", SHARD_GRADS}, {"hybrid", SHARD_HYBRID}};
static const cyaml_strval_t recomputes[] = {{"none", MODEL_RECOMPUTE_NONE},
                                            {"full", MODEL_RECOMPUTE_FULL}};
static const cyaml_strval_t reduces[] = {{"fast", RUNFILE_REDUCE_FAST},
                                         {"exact", RUNFILE_REDUCE_EXACT}};
static const cyaml_strval_t devices[] = {{"cpu", 0}, {"cuda", 1}};
static const cyaml_strval_t kernels[] = {{"cpu", 0}, {"ref", 1}};
static const cyaml_strval_t algorithms[] = {
    {"auto", 0}, {"direct", 1}, {"ring", 2}, {"doubling", 3}, {"bruck", 4}};
static const cyaml_strval_t files[] = {{"shared", 0}, {"node", 1}};
static const cyaml_strval_t energies[] = {{"off", 0}, {"auto", 1}};

#define AT(member) offsetof(struct runfile, member), sizeof(((struct runfile *)NULL)->member)
#define INT(path, member, initial, least, most, fixed, help)                                       \
    {                                                                                              \
        path, SCHEMA_INT, AT(member), initial, least, most, NULL, 0, fixed, help                   \
    }
#define U64(path, member, initial, least, most, fixed, help)                                       \
    {                                                                                              \
        path, SCHEMA_U64, AT(member), initial, least, most, NULL, 0, fixed, help                   \
    }
#define REAL(path, member, initial, least, most, fixed, help)                                      \
    {                                                                                              \
        path, SCHEMA_REAL, AT(member), initial, least, most, NULL, 0, fixed, help                  \
    }
#define CHOICE(path, member, initial, words, help)                                                 \
    {                                                                                              \
        path, SCHEMA_CHOICE, AT(member), initial, 0, 0, words, sizeof words / sizeof words[0],     \
            false, help                                                                            \
    }
#define WORD(path, member, initial, words, help)                                                   \
    {                                                                                              \
        path, SCHEMA_WORD, AT(member), initial, 0, 0, words, sizeof words / sizeof words[0],       \
            false, help                                                                            \
    }
#define STRING(path, member, initial, help)                                                        \
    {                                                                                              \
        path, SCHEMA_STRING, AT(member), initial, 0, 0, NULL, 0, false, help                       \
    }

#define MANY (1 << 24)
#define STEPS 1e15
#define TWO_64 18446744073709551616.0

const struct schema_key schema_keys[] = {
    INT("model.layers", model.layers, NULL, 1, 1000, true, "transformer blocks"),
    INT("model.dim", model.dim, NULL, 2, 1 << 20, true, "width of the residual stream"),
    INT("model.heads", model.heads, NULL, 1, 4096, true, "query heads; divides dim"),
    INT("model.kv_heads", model.kv_heads, "=model.heads", 1, 4096, true,
        "key and value heads; divides heads"),
    INT("model.ffn_dim", model.ffn_dim, NULL, 1, MANY, true, "hidden width of the feed-forward"),
    INT("model.vocabulary", model.vocabulary, NULL, 4, MANY, true, "tokens of the tokenizer"),
    INT("model.context", model.context, NULL, 1, 1 << 20, true, "tokens of a sequence"),
    REAL("model.rope_theta", model.rope_theta, "10000", 1, 1e12, true, "base of the rotations"),
    REAL("model.norm_eps", model.norm_eps, "1e-05", 1e-12, 1, true, "added to mean squares"),
    STRING("data.tokenizer", data.tokenizer, "",
           "tokenizer model; empty: the one inside the first token file"),
    INT("batch.global_sequences", batch.global_sequences, NULL, 1, MANY, false,
        "sequences of a step, all ranks together"),
    INT("batch.micro_sequences", batch.micro_sequences, "1", 1, 65536, false,
        "sequences a rank computes at once"),
    REAL("optimizer.learning_rate", optimizer.learning_rate, "0.0003", 0, 1e30, false,
         "at the end of warm-up"),
    REAL("optimizer.beta1", optimizer.beta1, "0.9", 0, 0.999999, false, "of AdamW"),
    REAL("optimizer.beta2", optimizer.beta2, "0.95", 0, 0.999999, false, "of AdamW"),
    REAL("optimizer.epsilon", optimizer.epsilon, "1e-05", 1e-30, 1, false, "of AdamW"),
    REAL("optimizer.weight_decay", optimizer.weight_decay, "0.1", 0, 10, false,
         "decoupled; matrices and embedding, not norms"),
    REAL("optimizer.clip", optimizer.clip, "1", 0, 1e9, false, "global gradient norm; 0: off"),
    U64("schedule.warmup", schedule.warmup, "2000", 0, STEPS, false,
        "steps up to learning_rate, linear"),
    REAL("schedule.final_ratio", schedule.final_ratio, "0.1", 0, 1, false,
         "of learning_rate, at the last step (cosine)"),
    U64("seed", seed, "1", 0, TWO_64, true, "of weights and order of samples"),
    STRING("init", init, "random", "random, or a checkpoint to take the weights of (step 0)"),
    U64("steps", steps, NULL, 1, STEPS, false, "optimizer steps of the whole run"),
    U64("stop_after", stop_after, "0", 0, STEPS, false,
        "checkpoint and leave with 75 after this step; 0: never"),
    STRING("output", output, "", "the run directory"),
    WORD("device", device, "cpu", devices, "where kernels run"),
    CHOICE("compute", compute, "bf16", dtypes, "type of weights and activations in matmuls"),
    WORD("kernels", kernels, "cpu", kernels, "ref: plain and slow, the truth of the tests"),
    CHOICE(
        "shard.mode", shard.mode, "full", modes,
        "full: weights, gradients, moments; grads: weights stay whole on each node; hybrid: full "
        "inside each node, nodes are replicas"),
    INT("shard.prefetch", shard.prefetch, "1", 0, 3, false, "units gathered ahead"),
    INT("shard.ranks_per_node", shard.ranks_per_node, "0", 0, 65536, false,
        "pretend that so many ranks are a node; 0: as the machine is"),
    WORD("shard.algorithm", shard.algorithm, "auto", algorithms, "of collectives between nodes"),
    STRING("shard.tuning", shard.tuning, "",
           "file of `recua-bench comm --tune` that auto decides by; empty: a cost model"),
    STRING("shard.chosen", shard.chosen, "", "what auto took; written by recua, kept on resume"),
    CHOICE("recompute", recompute, "none", recomputes,
           "full: keep each block's input only, compute the rest again"),
    CHOICE("wire", wire, "fp32", dtypes, "type of gradients between nodes"),
    CHOICE("reduce", reduce, "fast", reduces, "exact: same bits on any power of two of ranks"),
    U64("checkpoint.interval", checkpoint.interval, "1000", 0, STEPS, false,
        "steps between checkpoints; 0: only at the end"),
    INT("checkpoint.keep", checkpoint.keep, "2", 2, 1 << 20, false, "newest checkpoints kept"),
    WORD("checkpoint.files", checkpoint.files, "shared", files, "one file, or one a node"),
    U64("evaluate.interval", evaluate.interval, "100", 0, STEPS, false,
        "steps between held-out evaluations; 0: never"),
    INT("evaluate.sequences", evaluate.sequences, "32", 1, MANY, false, "held-out samples"),
    {"trace", SCHEMA_BOOL, AT(trace), "false", 0, 0, NULL, 0, false,
     "write trace.json for Perfetto"},
    WORD("energy", energy, "off", energies, "meter joules"),
};

const size_t schema_count = sizeof schema_keys / sizeof schema_keys[0];

void schema_value(const struct schema_key *k, const struct runfile *r, char *buffer, size_t bytes)
{
    const char *at = (const char *)r + k->offset;
    int number;
    uint64_t large;
    double real;

    switch (k->type) {
    case SCHEMA_INT:
        memcpy(&number, at, sizeof number);
        snprintf(buffer, bytes, "%d", number);
        return;
    case SCHEMA_U64:
        memcpy(&large, at, sizeof large);
        snprintf(buffer, bytes, "%llu", (unsigned long long)large);
        return;
    case SCHEMA_REAL: /* the shortest that reads back to the same bits */
        memcpy(&real, at, sizeof real);
        for (int digits = 6; digits <= 17; digits++) {
            double back = 0;
            snprintf(buffer, bytes, "%.*g", digits, real);
            if (sscanf(buffer, "%lf", &back) == 1 && memcmp(&back, &real, sizeof back) == 0) return;
        }
        return;
    case SCHEMA_BOOL: snprintf(buffer, bytes, "%s", *(const bool *)at ? "true" : "false"); return;
    case SCHEMA_CHOICE:
        memcpy(&number, at, sizeof number);
        for (unsigned i = 0; i < k->word_count; i++)
            if (k->words[i].val == number) snprintf(buffer, bytes, "%s", k->words[i].str);
        return;
    case SCHEMA_WORD:
    case SCHEMA_STRING: snprintf(buffer, bytes, "%s", *(char *const *)at); return;
    }
}

const char *schema_limits(const struct schema_key *k, char *buffer, size_t bytes)
{
    size_t used = 0;

    buffer[0] = '\0';
    switch (k->type) {
    case SCHEMA_INT:
    case SCHEMA_U64:
        snprintf(buffer, bytes, "a whole number from %.20g to %llu", k->least,
                 k->most >= TWO_64 ? ULLONG_MAX : (unsigned long long)k->most);
        break;
    case SCHEMA_REAL: snprintf(buffer, bytes, "a number from %g to %g", k->least, k->most); break;
    case SCHEMA_BOOL: snprintf(buffer, bytes, "true or false"); break;
    case SCHEMA_STRING: snprintf(buffer, bytes, "text"); break;
    case SCHEMA_CHOICE:
    case SCHEMA_WORD:
        for (unsigned i = 0; i < k->word_count && used < bytes; i++)
            used += (size_t)snprintf(buffer + used, bytes - used, "%s%s",
                                     i == 0                  ? ""
                                     : i + 1 < k->word_count ? ", "
                                                             : " or ",
                                     k->words[i].str);
        break;
    }
    return buffer;
}

void schema_print(FILE *out)
{
    char limits[256];

    fputs("| key | value | default | what |\n| --- | --- | --- | --- |\n", out);
    for (size_t i = 0; i < schema_count; i++) {
        const struct schema_key *k = &schema_keys[i];
        const char *initial = k->initial == NULL ? "must be given" : k->initial;
        fprintf(out, "| `%s` | %s | %s%s%s | %s |\n", k->path,
                schema_limits(k, limits, sizeof limits), initial[0] == '=' ? "as `" : "",
                initial[0] == '='    ? initial + 1
                : initial[0] == '\0' ? "empty"
                                     : initial,
                initial[0] == '=' ? "`" : "", k->help);
    }
}
