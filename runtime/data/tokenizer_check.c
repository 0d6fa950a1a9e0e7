/* runtime/data/tokenizer_check.c - see tokenizer_check.h
 *
 * ModelProto: 1 pieces {1 piece, 2 score, 3 type}, 2 trainer {3 model_type}, 3 and 5 normalisers
 * {2 precompiled_charsmap}. What is not looked at is only passed over.
 * Source  sentencepiece_model.proto of SentencePiece 0.1.97; protobuf's encoding guide
 */
#include "runtime/data/tokenizer_check.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "runtime/data/text.h"
#include "runtime/data/tokenizer.h"

enum { TYPE_NORMAL = 1, TYPE_UNKNOWN = 2, TYPE_CONTROL = 3, TYPE_LAST = 6, TYPE_BYTE = 6 };
enum { MODEL_BPE = 2 };

/* Bytes of a message not yet read. */
struct message {
    const unsigned char *p, *end;
};

struct field {
    uint32_t number;
    uint64_t value;      /* varint, fixed32, fixed64 */
    struct message body; /* length-delimited; else empty */
};

static bool read_varint(struct message *m, uint64_t *out)
{
    *out = 0;
    for (int shift = 0; shift < 64 && m->p < m->end; shift += 7) {
        const unsigned char c = *m->p++;
        *out |= (uint64_t)(c & 0x7F) << shift;
        if (c < 0x80) return true;
    }
    return false;
}

static bool read_fixed(struct message *m, size_t bytes, uint64_t *out)
{
    if ((size_t)(m->end - m->p) < bytes) return false;
    *out = 0;
    memcpy(out, m->p, bytes); /* protobuf is little-endian, and so are we */
    m->p += bytes;
    return true;
}

/* The next field; false: the message is damaged. Not called at its end. */
static bool read_field(struct message *m, struct field *f)
{
    uint64_t tag;

    *f = (struct field){0};
    if (!read_varint(m, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX) return false;
    f->number = (uint32_t)(tag >> 3);
    switch (tag & 7) {
    case 0: return read_varint(m, &f->value);
    case 1: return read_fixed(m, 8, &f->value);
    case 5: return read_fixed(m, 4, &f->value);
    case 2:
        if (!read_varint(m, &f->value) || f->value > (uint64_t)(m->end - m->p)) return false;
        f->body = (struct message){m->p, m->p + f->value};
        m->p += f->value;
        return true;
    default: return false;
    }
}

/* What has been seen of the model. */
struct seen {
    const char *path;
    size_t pieces, bytes; /* of all types; of type BYTE */
    uint64_t model_type;  /* 1 (unigram) unless said */
};

static rt_status check_special(const struct seen *s, const struct message *text, uint64_t type)
{
    static const struct {
        const char *text;
        uint64_t type;
    } specials[] = {{"<unk>", TYPE_UNKNOWN}, {"<s>", TYPE_CONTROL}, {"</s>", TYPE_CONTROL}};
    const size_t n = (size_t)(text->end - text->p);

    if (s->pieces >= sizeof specials / sizeof specials[0])
        return type != TYPE_UNKNOWN
                   ? RT_OK
                   : RT_FAIL(RT_EDATA, "%s: piece %zu is a second unknown piece: damaged", s->path,
                             s->pieces);
    const char *must = specials[s->pieces].text;
    if (type != specials[s->pieces].type || n != strlen(must) || memcmp(text->p, must, n) != 0)
        return RT_FAIL(RT_EDATA,
                       "%s: piece %zu is '%.*s', must be %s as in Llama 2's; make one with `recua "
                       "tokenizer train`",
                       s->path, s->pieces, (int)(n < 40 ? n : 40), (const char *)text->p, must);
    return RT_OK;
}

static rt_status check_piece(struct seen *s, struct message m)
{
    struct message text = {0};
    uint64_t type = TYPE_NORMAL, score_bits = 0;
    struct field f;
    float score;
    size_t at;

    while (m.p < m.end) {
        if (!read_field(&m, &f))
            return RT_FAIL(RT_EDATA, "%s: piece %zu is damaged", s->path, s->pieces);
        if (f.number == 1) text = f.body;
        if (f.number == 2) score_bits = f.value;
        if (f.number == 3) type = f.value;
    }
    const size_t n = (size_t)(text.end - text.p);
    const uint32_t low = (uint32_t)score_bits;
    memcpy(&score, &low, sizeof score);
    if (n == 0 || text_check((const char *)text.p, n, &at) != TEXT_GOOD || type < TYPE_NORMAL ||
        type > TYPE_LAST || !isfinite(score))
        return RT_FAIL(RT_EDATA, "%s: piece %zu is damaged (text, type or score)", s->path,
                       s->pieces);
    if (type != TYPE_BYTE && memchr(text.p, '\n', n) != NULL)
        return RT_FAIL(RT_EDATA,
                       "%s: piece %zu holds a newline; here newlines must be single bytes, as in "
                       "Llama 2's",
                       s->path, s->pieces);
    RT_TRY(check_special(s, &text, type));
    s->bytes += type == TYPE_BYTE;
    s->pieces++;
    return RT_OK;
}

static rt_status check_trainer(struct seen *s, struct message m)
{
    struct field f;

    while (m.p < m.end) {
        if (!read_field(&m, &f))
            return RT_FAIL(RT_EDATA, "%s: the trainer's options are damaged", s->path);
        if (f.number == 3) s->model_type = f.value;
    }
    return RT_OK;
}

static rt_status check_normaliser(const struct seen *s, struct message m)
{
    struct field f;

    while (m.p < m.end) {
        if (!read_field(&m, &f))
            return RT_FAIL(RT_EDATA, "%s: the normaliser's options are damaged", s->path);
        if (f.number == 2 && f.body.p < f.body.end)
            return RT_FAIL(RT_EDATA,
                           "%s: its normaliser changes the text; only identity is taken, as in "
                           "Llama 2's",
                           s->path);
    }
    return RT_OK;
}

rt_status tokenizer_check(const char *path, const void *model, size_t bytes)
{
    struct message m = {model, (const unsigned char *)model + bytes};
    struct seen s = {.path = path, .model_type = 1};
    struct field f;

    while (m.p < m.end) {
        if (!read_field(&m, &f))
            return RT_FAIL(RT_EDATA,
                           "%s: is no SentencePiece model, or is truncated (at byte %zu of %zu); "
                           "make one with `recua tokenizer train`",
                           path, (size_t)(m.p - (const unsigned char *)model), bytes);
        if (f.number == 1) RT_TRY(check_piece(&s, f.body));
        if (f.number == 2) RT_TRY(check_trainer(&s, f.body));
        if (f.number == 3 || f.number == 5) RT_TRY(check_normaliser(&s, f.body));
    }
    if (s.pieces == 0)
        return RT_FAIL(RT_EDATA,
                       "%s: is no SentencePiece model: no pieces in it; make one with "
                       "`recua tokenizer train`",
                       path);
    if (s.model_type != MODEL_BPE || s.bytes != 256)
        return RT_FAIL(RT_EDATA,
                       "%s: must be a BPE model with the 256 byte pieces (type %llu, %zu byte "
                       "pieces here), as Llama 2's; make one with `recua tokenizer train`",
                       path, (unsigned long long)s.model_type, s.bytes);
    return RT_OK;
}
