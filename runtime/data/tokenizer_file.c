/* runtime/data/tokenizer_file.c - a tokenizer in use; see tokenizer.h */
#include "runtime/data/tokenizer.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "runtime/data/file.h"
#include "runtime/data/text.h"
#include "runtime/data/tokenizer_check.h"
#include "runtime/data/tokenizer_shim.h"

enum { MODEL_BYTES = 256 << 20 };  /* Llama 2's has half a megabyte */
enum { CUT_BYTES = 4096 };         /* the library's work is then done within the cache */
enum { CUT_MOST_BYTES = 1 << 20 }; /* its memory is some 50 bytes a byte of text */

struct tokenizer {
    struct shim *shim;
    int vocabulary;
    uint64_t digest;
    size_t lead; /* tokens of "\n" alone: the space put before every text, and the newline */
};

static rt_status check_loaded(struct tokenizer *t, const char *path)
{
    char why[SHIM_WHY_BYTES];
    int32_t *tokens = NULL;
    int unk, bos, eos;

    shim_facts(t->shim, &t->vocabulary, &unk, &bos, &eos);
    if (unk != TOKENIZER_UNK || bos != TOKENIZER_BOS || eos != TOKENIZER_EOS)
        return RT_FAIL(RT_EDATA,
                       "%s: unk, bos, eos are %d, %d, %d, must be 0, 1, 2 as in Llama 2's", path,
                       unk, bos, eos);
    if (!shim_encode(t->shim, "\n", 1, &tokens, &t->lead, why))
        return RT_FAIL(RT_EDATA, "%s: cannot encode: %s", path, why);
    free(tokens);
    return RT_OK;
}

rt_status tokenizer_load(const char *model_path, struct tokenizer **out)
{
    struct tokenizer *t = NULL;
    char why[SHIM_WHY_BYTES];
    void *model = NULL;
    size_t bytes = 0;
    rt_status st;

    *out = NULL;
    RT_TRY_OUT(data_file_read(model_path, MODEL_BYTES, &model, &bytes));
    RT_TRY_OUT(tokenizer_check(model_path, model, bytes));
    t = calloc(1, sizeof *t);
    if (t == NULL) {
        st = RT_FAIL(RT_ENOMEM, "%s: a tokenizer", model_path);
        goto out;
    }
    if (!shim_load(model, bytes, &t->shim, why)) {
        st = RT_FAIL(RT_EDATA, "%s: is no usable SentencePiece model: %s", model_path, why);
        goto out;
    }
    RT_TRY_OUT(check_loaded(t, model_path));
    t->digest = XXH3_64bits(model, bytes);
    *out = t;
    t = NULL;
out:
    tokenizer_destroy(&t);
    free(model);
    return st;
}

void tokenizer_destroy(struct tokenizer **t)
{
    if (*t == NULL) return;
    shim_destroy((*t)->shim);
    free(*t);
    *t = NULL;
}

int tokenizer_vocabulary(const struct tokenizer *t) { return t->vocabulary; }

uint64_t tokenizer_digest(const struct tokenizer *t) { return t->digest; }

/* Tokens that grow. */
struct run {
    int32_t *tokens;
    size_t count, room;
};

static rt_status append(struct run *r, const int32_t *tokens, size_t count)
{
    if (r->count + count > r->room || r->tokens == NULL) {
        const size_t room = r->count + count + r->room / 2 + 1;
        int32_t *all = realloc(r->tokens, room * sizeof *all);
        if (all == NULL) return RT_FAIL(RT_ENOMEM, "%zu tokens", room);
        r->tokens = all;
        r->room = room;
    }
    if (count > 0) memcpy(r->tokens + r->count, tokens, count * sizeof *tokens);
    r->count += count;
    return RT_OK;
}

/* Where the next stretch ends: short if there is a good place to cut, else longer. */
static size_t cut(const char *text, size_t bytes)
{
    for (size_t limit = CUT_BYTES; limit < CUT_MOST_BYTES; limit *= 2) {
        const size_t n = text_cut_at_space(text, bytes, limit);
        if (n > 0) return n;
    }
    return text_cut(text, bytes, CUT_MOST_BYTES);
}

/* One stretch of at most CUT_MOST_BYTES. The library puts a space before every text. Where text goes
 * on, a newline is put first and both are taken away again: no piece holds a newline, so the
 * tokens behind it do not depend on what stands before it. */
static rt_status encode_stretch(const struct tokenizer *t, const char *text, size_t bytes,
                                bool goes_on, char *scratch, struct run *r)
{
    char why[SHIM_WHY_BYTES];
    int32_t *tokens = NULL;
    size_t count = 0;
    const size_t lead = goes_on ? t->lead : 0;

    if (goes_on) {
        scratch[0] = '\n';
        memcpy(scratch + 1, text, bytes);
        text = scratch;
        bytes++;
    }
    if (!shim_encode(t->shim, text, bytes, &tokens, &count, why))
        return RT_FAIL(RT_EDATA, "text of %zu bytes cannot be encoded: %s", bytes, why);
    rt_status st = append(r, tokens + lead, count - lead);
    free(tokens);
    return st;
}

static rt_status check_text(const char *text, size_t bytes)
{
    size_t at = 0;

    for (size_t i = 0; i < bytes; i += at + 1) {
        const text_verdict verdict = text_check(text + i, bytes - i, &at);
        if (verdict == TEXT_GOOD) break;
        if (verdict == TEXT_BAD)
            return RT_FAIL(RT_EDATA, "text: byte 0x%02x at offset %zu is not UTF-8",
                           (unsigned char)text[i + at], i + at);
    }
    return RT_OK;
}

static rt_status encode(const struct tokenizer *t, const char *text, size_t bytes, bool goes_on,
                        int32_t **out, size_t *count)
{
    struct run r = {0};
    char *scratch = NULL;
    rt_status st;

    *out = NULL;
    *count = 0;
    RT_TRY_OUT(check_text(text, bytes));
    RT_TRY_OUT(append(&r, NULL, 0)); /* so that *out is never NULL */
    scratch = malloc((bytes < CUT_MOST_BYTES ? bytes : CUT_MOST_BYTES) + 1);
    if (scratch == NULL) {
        st = RT_FAIL(RT_ENOMEM, "text of %zu bytes", bytes);
        goto out;
    }
    for (size_t i = 0; i < bytes;) {
        const size_t n = cut(text + i, bytes - i);
        RT_TRY_OUT(encode_stretch(t, text + i, n, goes_on || i > 0, scratch, &r));
        i += n;
    }
    *out = r.tokens;
    *count = r.count;
    r.tokens = NULL;
out:
    free(scratch);
    free(r.tokens);
    return st;
}

rt_status tokenizer_encode(const struct tokenizer *t, const char *text, size_t bytes, int32_t **out,
                           size_t *count)
{
    return encode(t, text, bytes, false, out, count);
}

rt_status tokenizer_encode_more(const struct tokenizer *t, const char *text, size_t bytes,
                                int32_t **out, size_t *count)
{
    return encode(t, text, bytes, true, out, count);
}

rt_status tokenizer_decode(const struct tokenizer *t, const int32_t *tokens, size_t count,
                           char **out)
{
    char why[SHIM_WHY_BYTES];

    *out = NULL;
    for (size_t i = 0; i < count; i++)
        if (tokens[i] < 0 || tokens[i] >= t->vocabulary)
            return RT_FAIL(RT_EINVAL, "token %d (number %zu) is not in the vocabulary of %d",
                           (int)tokens[i], i, t->vocabulary);
    if (!shim_decode(t->shim, tokens, count, out, why))
        return RT_FAIL(RT_ENOMEM, "%zu tokens cannot be decoded: %s", count, why);
    return RT_OK;
}
