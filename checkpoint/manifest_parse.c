/* checkpoint/manifest_parse.c - text to manifest, strictly
 *
 * Each take_* function moves the cursor over what it names, or says in `expected` what was not
 * there and returns false. Nothing is read behind `end`, and nothing is allocated for which the
 * text has no bytes.
 */
#include "checkpoint/manifest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/crc32c.h"

struct cursor {
    const char *p, *end;
    size_t line;          /* from 1 */
    const char *expected; /* what was not there */
};

static const uint64_t most = UINT64_C(1) << 53; /* any count or offset: far beyond any model */

static bool miss(struct cursor *c, const char *expected)
{
    c->expected = expected;
    return false;
}

static bool at(const struct cursor *c, const char *word)
{
    const size_t n = strlen(word);
    return (size_t)(c->end - c->p) >= n && memcmp(c->p, word, n) == 0;
}

static bool take(struct cursor *c, const char *word)
{
    if (!at(c, word)) return miss(c, word);
    c->p += strlen(word);
    return true;
}

static bool take_newline(struct cursor *c)
{
    if (c->p == c->end || *c->p != '\n') return miss(c, "the end of the line");
    c->p++;
    c->line++;
    return true;
}

static bool take_u64(struct cursor *c, uint64_t *out)
{
    const char *start = c->p;
    uint64_t v = 0;

    for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++) {
        const uint64_t digit = (uint64_t)(*c->p - '0');
        if (v > (UINT64_MAX - digit) / 10) return miss(c, "a number below 2^64");
        v = v * 10 + digit;
    }
    if (c->p == start) return miss(c, "a number");
    if (*start == '0' && c->p - start > 1) return miss(c, "a number without leading zeros");
    *out = v;
    return true;
}

/* A count or an offset: so small that sums and products by 4 do not wrap. */
static bool take_size(struct cursor *c, uint64_t *out)
{
    if (!take_u64(c, out)) return false;
    return *out <= most || miss(c, "a number up to 2^53");
}

static bool take_hex(struct cursor *c, int digits, uint64_t *out)
{
    uint64_t v = 0;

    for (int i = 0; i < digits; i++, c->p++) {
        if (c->p == c->end) return miss(c, "hexadecimal digits");
        if (*c->p >= '0' && *c->p <= '9')
            v = v << 4 | (uint64_t)(*c->p - '0');
        else if (*c->p >= 'a' && *c->p <= 'f')
            v = v << 4 | (uint64_t)(*c->p - 'a' + 10);
        else
            return miss(c, "hexadecimal digits");
    }
    *out = v;
    return true;
}

static bool take_crc(struct cursor *c, uint32_t *out)
{
    uint64_t v;
    if (!take_hex(c, 8, &v)) return false;
    *out = (uint32_t)v;
    return true;
}

/* The rest of the line, printable, to out (room) with a 0 behind it. */
static bool take_text(struct cursor *c, char *out, size_t room)
{
    size_t n = 0;

    for (; c->p < c->end && *c->p != '\n'; c->p++) {
        if ((unsigned char)*c->p < ' ' || *c->p == 0x7f) return miss(c, "printable text");
        if (n + 1 == room) return miss(c, "a shorter line");
        out[n++] = *c->p;
    }
    out[n] = 0;
    return true;
}

static bool take_name(struct cursor *c, char *out, size_t room)
{
    size_t n = 0;

    for (; c->p<c->end && * c->p> ' ' && *c->p < 0x7f && *c->p != '/'; c->p++) {
        if (n + 1 == room) return miss(c, "a name of at most 63 characters");
        out[n++] = *c->p;
    }
    out[n] = 0;
    return n > 0 || miss(c, "a name");
}

static bool line_u64(struct cursor *c, const char *key, uint64_t *out)
{
    return take(c, key) && take_u64(c, out) && take_newline(c);
}

static bool line_hex(struct cursor *c, const char *key, uint64_t *out)
{
    return take(c, key) && take_hex(c, 16, out) && take_newline(c);
}

static bool line_text(struct cursor *c, const char *key, char *out, size_t room)
{
    return take(c, key) && take_text(c, out, room) && take_newline(c);
}

static bool parse_meta(struct cursor *c, struct checkpoint_meta *meta)
{
    uint64_t ranks;

    if (!line_u64(c, "step ", &meta->step) || !line_u64(c, "next_sample ", &meta->next_sample) ||
        !line_u64(c, "tokens_total ", &meta->tokens_total) || !line_u64(c, "seed ", &meta->seed) ||
        !line_hex(c, "data_digest ", &meta->data_digest) ||
        !line_hex(c, "tokenizer_digest ", &meta->tokenizer_digest) ||
        !line_u64(c, "ranks ", &ranks))
        return false;
    if (ranks < 1 || ranks > INT32_MAX) return miss(c, "1 to 2^31-1 ranks");
    meta->ranks = (int)ranks;
    return line_text(c, "run_id ", meta->run_id, sizeof meta->run_id) &&
           line_text(c, "model ", meta->model, sizeof meta->model);
}

static bool parse_files(struct cursor *c, struct manifest *m)
{
    uint64_t v;

    if (!take(c, "tainted ") || !take_u64(c, &v)) return false;
    if (v > 1) return miss(c, "0 or 1");
    m->tainted = v != 0;
    if (!take_newline(c)) return false;
    for (int i = 0; i < MANIFEST_FILES; i++) {
        struct manifest_file *f = &m->files[i];
        if (!take(c, "file ") || !take(c, manifest_file_names[i]) || !take(c, " ") ||
            !take_size(c, &f->bytes) || !take(c, " ") || !take_hex(c, 16, &f->high) ||
            !take_hex(c, 16, &f->low) || !take_newline(c))
            return false;
    }
    if (!take(c, "state " MANIFEST_STATE " ") || !take_size(c, &m->state_bytes) || !take(c, " ") ||
        !take_u64(c, &v))
        return false;
    if (v != 1 && v != MANIFEST_KINDS) return miss(c, "1 or 3 arrays a tensor");
    m->kinds = (int)v;
    return take_newline(c);
}

static bool parse_gap(struct cursor *c, struct manifest *m)
{
    struct manifest_gap *g = manifest_add_gap(m);

    if (g == NULL) return miss(c, NULL);
    if (!take(c, "gap ") || !take_size(c, &g->offset) || !take(c, " ") || !take_size(c, &g->bytes))
        return false;
    if (g->bytes == 0) return miss(c, "at least one byte");
    return take(c, " ") && take_crc(c, &g->crc) && take_newline(c);
}

static bool parse_extent(struct cursor *c, struct manifest *m)
{
    struct manifest_extent *x = manifest_add_extent(m);

    if (x == NULL) return miss(c, NULL);
    if (!take(c, "extent ") || !take_size(c, &x->start) || !take(c, " ") ||
        !take_size(c, &x->count) || !take_newline(c))
        return false;
    const size_t blocks = manifest_blocks(x->count);
    for (int kind = 0; kind < m->kinds; kind++) {
        if (!take(c, "crc ") || !take(c, manifest_kind_names[kind])) return false;
        /* nine characters a block have to follow: so much memory the text is worth */
        if (blocks > (size_t)(c->end - c->p) / 9) return miss(c, "a CRC for each block");
        uint32_t *crcs = manifest_add_crcs(m, blocks);
        if (crcs == NULL) return miss(c, NULL);
        x->crc[kind] = m->crc_count - blocks;
        for (size_t b = 0; b < blocks; b++)
            if (!take(c, " ") || !take_crc(c, &crcs[b])) return false;
        if (!take_newline(c)) return false;
    }
    return true;
}

static bool parse_shape(struct cursor *c, struct manifest_tensor *t)
{
    if (!take(c, " ") || !take_size(c, &t->shape[0])) return false;
    t->dims = 1;
    t->shape[1] = 1;
    if (at(c, " ")) {
        t->dims = 2;
        if (!take(c, " ") || !take_size(c, &t->shape[1])) return false;
    }
    if (t->shape[0] == 0 || t->shape[1] == 0) return miss(c, "sizes of at least 1");
    if (t->shape[0] > most / t->shape[1]) return miss(c, "at most 2^53 elements");
    t->count = t->shape[0] * t->shape[1];
    return take_newline(c);
}

static bool parse_tensor(struct cursor *c, struct manifest *m)
{
    struct manifest_tensor *t = manifest_add_tensor(m);

    if (t == NULL) return miss(c, NULL);
    if (!take(c, "tensor ") || !take_name(c, t->name, sizeof t->name) || !parse_shape(c, t))
        return false;
    for (int kind = 0; kind < m->kinds; kind++) {
        struct manifest_array *a = &t->arrays[kind];
        if (!take(c, "array ") || !take(c, manifest_kind_names[kind]) || !take(c, " ") ||
            !take_size(c, &a->offset) || !take(c, " ") || !take_hex(c, 16, &a->digest.high) ||
            !take_hex(c, 16, &a->digest.low) || !take_newline(c))
            return false;
    }
    while (at(c, "extent "))
        if (!parse_extent(c, m)) return false;
    return true;
}

static bool parse_lines(struct cursor *c, struct manifest *m)
{
    if (!take(c, "recua-checkpoint 1") || !take_newline(c) || !parse_meta(c, &m->meta) ||
        !parse_files(c, m))
        return false;
    while (at(c, "gap "))
        if (!parse_gap(c, m)) return false;
    while (at(c, "tensor "))
        if (!parse_tensor(c, m)) return false;
    return c->p == c->end || miss(c, "gap, tensor, extent or end");
}

/* The last line says the CRC of all bytes before it; *body gets how many those are. */
static rt_status check_end(const char *text, size_t bytes, const char *name, size_t *body)
{
    enum { END = 13 }; /* "end 01234567\n" */
    struct cursor c = {.p = bytes < END ? text : text + bytes - END, .end = text + bytes};
    uint32_t said = 0;

    if (bytes < END || !take(&c, "end ") || !take_crc(&c, &said) || !take_newline(&c))
        return RT_FAIL(RT_EDATA, "%s: %zu bytes, and the last line is not an end line: truncated?",
                       name, bytes);
    const uint32_t is = crc32c(0, text, bytes - END);
    if (is != said)
        return RT_FAIL(RT_EDATA,
                       "%s: damaged: its CRC is %08" PRIx32 ", its last line says %08" PRIx32, name,
                       is, said);
    *body = bytes - END;
    return RT_OK;
}

rt_status manifest_parse(const char *text, size_t bytes, const char *name, struct manifest **out)
{
    struct cursor c = {.p = text, .end = text, .line = 1};
    struct manifest *m = NULL;
    size_t body;
    rt_status st;

    *out = NULL;
    RT_TRY_OUT(check_end(text, bytes, name, &body));
    m = calloc(1, sizeof *m);
    c.end = text + body;
    c.expected = NULL;
    if (m == NULL || !parse_lines(&c, m)) {
        st = c.expected == NULL
                 ? RT_FAIL(RT_ENOMEM, "%s: a manifest of %zu bytes", name, bytes)
                 : RT_FAIL(RT_EDATA, "%s:%zu: not a manifest of this version: expected '%s' here",
                           name, c.line, c.expected);
        goto out;
    }
    RT_TRY_OUT(manifest_check(m, name));
    *out = m;
    m = NULL;
out:
    manifest_destroy(&m);
    return st;
}
