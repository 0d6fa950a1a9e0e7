/* runtime/data/tokenizer_shim.h - the C face of libsentencepiece, and nothing more
 *
 * Functions that can fail return false and put SentencePiece's own words in `why`; nothing is
 * logged and no exception leaves. What they give is malloc'ed.
 */
#ifndef DATA_TOKENIZER_SHIM_H
#define DATA_TOKENIZER_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { SHIM_WHY_BYTES = 512 };
enum { SHIM_SENTENCE_BYTES = 4192 }; /* longer sentences are passed over by the trainer */

struct shim_text {
    const char *text;
    size_t bytes;
};

struct shim; /* a sentencepiece::SentencePieceProcessor */

bool shim_train(const struct shim_text *sentences, size_t count, int vocabulary, void **model,
                size_t *bytes, char why[SHIM_WHY_BYTES]);
bool shim_load(const void *model, size_t bytes, struct shim **out, char why[SHIM_WHY_BYTES]);
void shim_destroy(struct shim *s);

void shim_facts(const struct shim *s, int *pieces, int *unk, int *bos, int *eos);
bool shim_encode(const struct shim *s, const char *text, size_t bytes, int32_t **out, size_t *count,
                 char why[SHIM_WHY_BYTES]);
bool shim_decode(const struct shim *s, const int32_t *tokens, size_t count, char **out,
                 char why[SHIM_WHY_BYTES]);

#ifdef __cplusplus
}
#endif
#endif
