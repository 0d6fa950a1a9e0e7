/* runtime/data/tokenizer.h - text <-> tokens with SentencePiece (tokenizer.cc is the C++)
 *
 * Llama 2's options: BPE, identity normalisation, digits split, byte fallback, dummy prefix,
 * no pad; <unk> 0, <s> 1, </s> 2. Not collective. One tokenizer may be used by many threads.
 */
#ifndef DATA_TOKENIZER_H
#define DATA_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TOKENIZER_UNK = 0, TOKENIZER_BOS = 1, TOKENIZER_EOS = 2 };

struct tokenizer;

/* Train on UTF-8 text files (one sentence a line) and write `model_path` whole or not at all.
 * Deterministic for the same files and size. RT_EINVAL: the text is too small for the
 * vocabulary (the message names the largest that works); RT_EDATA; RT_EIO. */
RT_NODISCARD rt_status tokenizer_train(const char *const *text_paths, size_t count, int vocabulary,
                                       const char *model_path);

/* The same with all options; inputs as for prepare (.jsonl, gzip, zstd). The trainer is fed at
 * most TOKENIZER_TRAIN_BYTES: of more text, lines evenly spread over all of it. Longer lines than
 * it takes (4192 bytes) are split at a space. */
enum { TOKENIZER_TRAIN_BYTES = 10 << 20 };
struct tokenizer_training {
    const char *const *inputs;
    size_t input_count;
    const char *field;  /* of .jsonl; NULL is "text" */
    uint64_t max_bytes; /* look at no more text than this; 0: no limit */
    int vocabulary;
    bool skip_bad; /* leave bad documents out, with a warning; else RT_EDATA */
    const char *model_path;
};
struct tokenizer_trained {
    uint64_t files, bad, text_bytes, fed_bytes, fed_lines;
};
RT_NODISCARD rt_status tokenizer_train_with(const struct tokenizer_training *o,
                                            struct tokenizer_trained *report);

/* RT_EMISSING: no such file; RT_EDATA: not a SentencePiece model, or not one like Llama 2's (BPE,
 * identity normalisation, byte fallback, the three special tokens in their places). */
RT_NODISCARD rt_status tokenizer_load(const char *model_path, struct tokenizer **out);
void tokenizer_destroy(struct tokenizer **t);
int tokenizer_vocabulary(const struct tokenizer *t);
uint64_t tokenizer_digest(const struct tokenizer *t); /* XXH3-64 of the model file's bytes */

/* Text to tokens, no BOS or EOS added. *out is malloc'ed, the caller frees it. Any length: long
 * text is cut where no token can span the cut, and only a stretch of 1 MiB without newline or
 * space is cut between two of its characters. RT_EDATA: not UTF-8 (NUL is). */
RT_NODISCARD rt_status tokenizer_encode(const struct tokenizer *t, const char *text, size_t bytes,
                                        int32_t **out, size_t *count);
/* The same for text that goes on where other text ended (at a text_cut): no space is put before
 * it, so the tokens of the two are those of the whole. */
RT_NODISCARD rt_status tokenizer_encode_more(const struct tokenizer *t, const char *text,
                                             size_t bytes, int32_t **out, size_t *count);
/* Tokens to text, NUL-terminated, malloc'ed. Bytes that are no UTF-8 become U+FFFD.
 * RT_EINVAL: a token is not in the vocabulary. */
RT_NODISCARD rt_status tokenizer_decode(const struct tokenizer *t, const int32_t *tokens,
                                        size_t count, char **out);

#ifdef __cplusplus
}
#endif
#endif
