/* runtime/data/documents_lines.c - files of JSON lines; see documents.h */
#include "runtime/data/documents_impl.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 1 << 18 };

/* Lines of a stream; the buffer grows up to the longest line, at most the limit. */
struct lines {
    char *buffer;
    size_t room, begin, end; /* [begin, end) read, not yet taken */
    bool ended;              /* of the file */
    uint64_t number;         /* of the line taken last, from 1 */
};

struct line {
    const char *text; /* lent until the next line is taken */
    size_t bytes;     /* without the newline */
    bool too_long;    /* text is only its beginning */
};

/* More bytes behind `end`. */
static rt_status read_more(struct documents *d, struct lines *l)
{
    size_t got = 0;

    if (l->begin > 0) {
        memmove(l->buffer, l->buffer + l->begin, l->end - l->begin);
        l->end -= l->begin;
        l->begin = 0;
    }
    if (l->end == l->room) {
        size_t room = l->room > 0 ? 2 * l->room : FIRST_BYTES;
        /* the room for the longest line, its newline, and one byte more to see that it is longer */
        if (room > d->line_limit + 2) room = (size_t)d->line_limit + 2;
        if (room < 16) room = 16;
        char *buffer = realloc(l->buffer, room);
        if (buffer == NULL)
            return RT_FAIL(RT_ENOMEM, "%s: a line of more than %zu bytes", d->path, l->end);
        l->buffer = buffer;
        l->room = room;
    }
    /* a small file is not worth a large read, and a large line not many small ones */
    RT_TRY(stream_read(d->stream, l->buffer + l->end, l->room - l->end, &got));
    l->ended = got < l->room - l->end;
    l->end += got;
    return RT_OK;
}

/* Pass over the rest of a line that is too long. */
static rt_status discard_line(struct documents *d, struct lines *l)
{
    for (;;) {
        const char *newline = memchr(l->buffer + l->begin, '\n', l->end - l->begin);
        if (newline != NULL) {
            l->begin = (size_t)(newline - l->buffer) + 1;
            return RT_OK;
        }
        l->begin = l->end;
        if (l->ended) return RT_OK;
        RT_TRY(read_more(d, l));
    }
}

/* *more is false at the end of the file. */
static rt_status take_line(struct documents *d, struct lines *l, struct line *out, bool *more)
{
    size_t seen = 0; /* bytes behind begin that hold no newline */
    const char *newline = NULL;

    for (;;) {
        if (l->end > l->begin + seen)
            newline = memchr(l->buffer + l->begin + seen, '\n', l->end - l->begin - seen);
        seen = l->end - l->begin;
        if (newline != NULL || l->ended || seen > d->line_limit) break;
        RT_TRY(read_more(d, l));
    }
    if (newline != NULL) seen = (size_t)(newline - (l->buffer + l->begin));
    *more = newline != NULL || seen > 0;
    if (!*more) return RT_OK;
    l->number++;
    *out = (struct line){l->buffer + l->begin, seen, seen > d->line_limit};
    l->begin += seen + (newline != NULL);
    if (out->too_long && newline == NULL) return discard_line(d, l);
    return RT_OK;
}

static bool is_blank(const struct line *line)
{
    for (size_t i = 0; i < line->bytes; i++)
        if (line->text[i] != ' ' && line->text[i] != '\t' && line->text[i] != '\r') return false;
    return true;
}

/* The document of a parsed line. */
static rt_status give_object(struct documents *d, uint64_t line, const json_t *object,
                             document_verdict *verdict)
{
    const char *field = d->o->field != NULL ? d->o->field : "text";
    const json_t *text = json_object_get(object, field);

    *verdict = DOCUMENT_BAD;
    if (!json_is_object(object))
        return documents_bad(d, line,
                             "not a JSON object; one a line is expected: {\"%s\": \"...\"}", field);
    if (text == NULL)
        return documents_bad(d, line, "no field '%s'; --field NAME says which holds the text",
                             field);
    if (!json_is_string(text)) return documents_bad(d, line, "field '%s' is not a string", field);
    const char *s = json_string_value(text);
    const size_t bytes = json_string_length(text);
    const char *nul = memchr(s, 0, bytes);
    if (nul != NULL) return documents_bad_text(d, line, TEXT_NUL, 0, (uint64_t)(nul - s));
    const char *url = json_string_value(json_object_get(object, "url"));
    if (d->o->sites != NULL && url != NULL && sites_hold(d->o->sites, url)) {
        *verdict = DOCUMENT_EXCLUDED;
        return RT_OK;
    }
    *verdict = DOCUMENT_GOOD;
    return documents_text(d, s, bytes);
}

static rt_status give_line(struct documents *d, const struct line *line, uint64_t number)
{
    document_verdict verdict = DOCUMENT_BAD;
    size_t at = 0;
    text_verdict good;
    json_error_t error;
    json_t *object = NULL;
    rt_status st;

    if (line->too_long) {
        RT_TRY(documents_bad(d, number, "the line is longer than %" PRIu64 " bytes; is it text?",
                             d->line_limit));
        return documents_end(d, DOCUMENT_BAD);
    }
    good = text_check(line->text, line->bytes, &at);
    if (good != TEXT_GOOD) {
        RT_TRY(documents_bad_text(d, number, good, (unsigned char)line->text[at], at));
        return documents_end(d, DOCUMENT_BAD);
    }
    object = json_loadb(line->text, line->bytes, JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
    if (object == NULL)
        st = documents_bad(d, number, "not JSON: %s (column %d); one object a line is expected",
                           error.text, error.column);
    else
        st = give_object(d, number, object, &verdict);
    if (st == RT_OK) st = documents_end(d, verdict);
    json_decref(object);
    return st;
}

static void drop_byte_order_mark(struct lines *l)
{
    if (l->end >= 3 && memcmp(l->buffer, "\xEF\xBB\xBF", 3) == 0) l->begin = 3;
}

rt_status documents_lines(struct documents *d)
{
    struct lines l = {0};
    struct line line;
    bool more = true;
    rt_status st;

    RT_TRY_OUT(stream_open(d->path, &d->stream));
    RT_TRY_OUT(read_more(d, &l));
    drop_byte_order_mark(&l);
    while (d->left > 0) {
        RT_TRY_OUT(take_line(d, &l, &line, &more));
        if (!more) break;
        if (!line.too_long && is_blank(&line)) continue;
        if (!documents_begin(d)) continue;
        RT_TRY_OUT(give_line(d, &line, l.number));
    }
out:
    stream_close(&d->stream);
    free(l.buffer);
    return st;
}
