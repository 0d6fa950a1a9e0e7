/* runtime/data/tokens.h - token files: HDF5 for the names, mmap for the bytes
 *
 *     /train/tokens /heldout/tokens   uint16 (vocabulary <= 65536) or uint32, 1-D, contiguous
 *     /train/documents /heldout/documents   uint64: first token of each document
 *     attributes of /   format "recua-tokens", version, vocabulary, tokenizer_digest, counts,
 *                       data_digest, and what prepare counted
 * Every document is BOS tokens... EOS. The tokenizer model's bytes lie in /tokenizer (uint8).
 * Not collective. A file is opened with HDF5 once, checked, closed, and then mapped read-only.
 */
#ifndef DATA_TOKENS_H
#define DATA_TOKENS_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { TOKENS_TRAIN, TOKENS_HELDOUT } tokens_split;

struct tokens;

struct tokens_info {
    int vocabulary;
    int bytes_per_token;     /* 2 or 4 */
    uint64_t train, heldout; /* tokens */
    uint64_t train_documents, heldout_documents;
    uint64_t tokenizer_digest;
    uint64_t data_digest; /* XXH3-64 over both splits' token bytes */
};

/* RT_EMISSING: no such file. RT_EDATA: foreign, truncated or damaged header, or empty. */
RT_NODISCARD rt_status tokens_open(const char *path, struct tokens **out);
void tokens_close(struct tokens **t);
const struct tokens_info *tokens_info(const struct tokens *t);

/* Copy tokens [first, first+count) of a split. RT_EDATA: one is not below the vocabulary (the
 * message names file, split and place). RT_EINVAL: beyond the end. */
RT_NODISCARD rt_status tokens_read(const struct tokens *t, tokens_split split, uint64_t first,
                                   size_t count, int32_t *out);

/* Read every token: is the data digest right, and each token in the vocabulary? RT_EDATA. */
RT_NODISCARD rt_status tokens_verify(const struct tokens *t);

/* What prepare counted on its way, in the file's attributes. */
struct tokens_counted {
    uint64_t documents, excluded, bad, empty, text_bytes;
};
const struct tokens_counted *tokens_counted(const struct tokens *t);
const char *tokens_path(const struct tokens *t);

/* The bytes of the tokenizer model inside (malloc'ed). */
RT_NODISCARD rt_status tokens_tokenizer(const struct tokens *t, void **out, size_t *bytes);

#ifdef __cplusplus
}
#endif
#endif
