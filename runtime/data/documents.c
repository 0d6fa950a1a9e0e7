/* runtime/data/documents.c - see documents.h: one file after the other, and files of plain text */
#include "runtime/data/documents_impl.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/log.h"

static const char skip_hint[] = "mend it, or leave such documents out with --skip-bad";

rt_status documents_bad(const struct documents *d, uint64_t line, const char *fmt, ...)
{
    char why[512], place[32] = "";
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    if (line > 0) snprintf(place, sizeof place, ":%" PRIu64, line);
    if (d->o->skip_bad) {
        rt_log(RT_LOG_DEBUG, "%s%s: left out: %s", d->path, place, why);
        return RT_OK;
    }
    return RT_FAIL(RT_EDATA, "%s%s: %s; %s", d->path, place, why, skip_hint);
}

rt_status documents_bad_text(const struct documents *d, uint64_t line, text_verdict verdict,
                             unsigned char byte, uint64_t offset)
{
    if (verdict == TEXT_NUL)
        return documents_bad(d, line, "a NUL byte at offset %" PRIu64 ": this is no text", offset);
    return documents_bad(d, line, "byte 0x%02x at offset %" PRIu64 " is not UTF-8", byte, offset);
}

bool documents_begin(struct documents *d)
{
    const uint64_t number = d->number++;

    d->wanted = d->sink->wants == NULL || d->sink->wants(d->sink->ctx, number);
    return d->wanted || d->o->max_bytes > 0; /* where text is counted, everybody counts */
}

rt_status documents_text(struct documents *d, const char *text, size_t bytes)
{
    const size_t room = d->left < bytes ? (size_t)d->left : bytes;
    const size_t taken = text_whole_characters(text, bytes, room);

    d->left = taken < bytes ? 0 : d->left - taken;
    if (!d->wanted || taken == 0) return RT_OK;
    return d->sink->text(d->sink->ctx, text, taken);
}

rt_status documents_end(struct documents *d, document_verdict verdict)
{
    return d->wanted ? d->sink->end(d->sink->ctx, verdict) : RT_OK;
}

/* A plain file under way. */
struct whole {
    char *buffer; /* (DOCUMENTS_PIECE_BYTES) [0, held) read, not yet handed over */
    size_t held;
    uint64_t offset;     /* in the file, of buffer[0] */
    uint64_t line;       /* number of the line that buffer[0] lies in */
    uint64_t line_begun; /* bytes of that line before buffer[0] */
    bool bad;
    bool check_only; /* nothing is handed over yet */
};

/* Count lines of the piece, and refuse one that is too long. */
static rt_status count_lines(struct documents *d, struct whole *w, size_t bytes)
{
    const char *p = w->buffer, *end = p + bytes;

    while (p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        const char *stop = newline != NULL ? newline : end;
        w->line_begun += (uint64_t)(stop - p);
        if (w->line_begun > d->line_limit) {
            w->bad = true;
            return documents_bad(d, w->line,
                                 "the line is longer than %" PRIu64 " bytes; is it text?",
                                 d->line_limit);
        }
        if (newline == NULL) break;
        w->line++;
        w->line_begun = 0;
        p = newline + 1;
    }
    return RT_OK;
}

/* Check buffer[0, bytes) and hand it over. */
static rt_status give_piece(struct documents *d, struct whole *w, size_t bytes)
{
    size_t at = 0;
    text_verdict verdict = text_check(w->buffer, bytes, &at);

    RT_TRY(count_lines(d, w, verdict == TEXT_GOOD ? bytes : at));
    if (w->bad) return RT_OK;
    if (verdict != TEXT_GOOD) {
        w->bad = true;
        return documents_bad_text(d, w->line, verdict, (unsigned char)w->buffer[at],
                                  w->offset + at);
    }
    if (!w->check_only) RT_TRY(documents_text(d, w->buffer, bytes));
    w->offset += bytes;
    w->held -= bytes;
    memmove(w->buffer, w->buffer + bytes, w->held);
    return RT_OK;
}

static void drop_byte_order_mark(struct whole *w)
{
    if (w->held < 3 || memcmp(w->buffer, "\xEF\xBB\xBF", 3) != 0) return;
    w->held -= 3;
    w->offset = 3;
    memmove(w->buffer, w->buffer + 3, w->held);
}

/* The file from its beginning: checked, or handed over, or both where it is one piece. */
static rt_status read_pieces(struct documents *d, struct whole *w)
{
    bool first = true;

    for (;;) {
        size_t got = 0;
        RT_TRY(stream_read(d->stream, w->buffer + w->held, DOCUMENTS_PIECE_BYTES - w->held, &got));
        w->held += got;
        bool ended = w->held < DOCUMENTS_PIECE_BYTES;
        if (first && ended) w->check_only = false;
        if (first) drop_byte_order_mark(w);
        first = false;
        if (w->held == 0) return RT_OK;
        /* one byte less than is held: a cut where text may follow */
        size_t bytes = ended ? w->held : text_cut(w->buffer, w->held, w->held - 1);
        RT_TRY(give_piece(d, w, bytes));
        if (w->bad || (ended && w->held == 0) || d->left == 0) return RT_OK;
        if (w->check_only && w->offset >= d->left) return RT_OK; /* no more of it is wanted */
    }
}

rt_status documents_whole_file(struct documents *d)
{
    struct whole w = {.line = 1, .check_only = true};
    rt_status st;

    if (!documents_begin(d)) return RT_OK;
    w.buffer = malloc(DOCUMENTS_PIECE_BYTES);
    if (w.buffer == NULL)
        return RT_FAIL(RT_ENOMEM, "%s: %d bytes to read it", d->path, DOCUMENTS_PIECE_BYTES);
    RT_TRY_OUT(stream_open(d->path, &d->stream));
    RT_TRY_OUT(read_pieces(d, &w));
    if (w.check_only && !w.bad) { /* larger than a piece: once more, now in earnest */
        stream_close(&d->stream);
        w = (struct whole){.buffer = w.buffer, .line = 1};
        RT_TRY_OUT(stream_open(d->path, &d->stream));
        RT_TRY_OUT(read_pieces(d, &w));
        if (w.bad) {
            st = RT_FAIL(RT_EDATA, "%s: was changed while it was read; start again", d->path);
            goto out;
        }
    }
    RT_TRY_OUT(documents_end(d, w.bad ? DOCUMENT_BAD : DOCUMENT_GOOD));
out:
    stream_close(&d->stream);
    free(w.buffer);
    return st;
}

/* Does `path` end in one of the names of JSON lines, compressed or not? */
static bool is_lines(const char *path)
{
    static const char *const endings[] = {".jsonl", ".ndjson", ".json"};
    static const char *const packed[] = {"", ".gz", ".zst"};
    char ending[32];
    const size_t n = strlen(path);

    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        for (size_t k = 0; k < sizeof packed / sizeof packed[0]; k++) {
            const size_t m = (size_t)snprintf(ending, sizeof ending, "%s%s", endings[i], packed[k]);
            if (n >= m && strcasecmp(path + n - m, ending) == 0) return true;
        }
    }
    return false;
}

rt_status documents_read(const struct documents_options *o, const struct document_sink *sink,
                         uint64_t *files, uint64_t *numbers)
{
    struct documents d = {.o = o, .sink = sink};

    d.line_limit = o->line_limit > 0 ? o->line_limit : DOCUMENTS_LINE_BYTES;
    d.left = o->max_bytes > 0 ? o->max_bytes : UINT64_MAX;
    *files = *numbers = 0;
    for (size_t i = 0; i < o->input_count && d.left > 0; i++) {
        d.path = o->inputs[i];
        ++*files;
        RT_TRY(is_lines(d.path) ? documents_lines(&d) : documents_whole_file(&d));
    }
    *numbers = d.number;
    return RT_OK;
}
