/* runtime/data/tokenizer_train.c - the text that the trainer is fed; see tokenizer.h
 *
 * Two passes over the inputs: the first counts the bytes of text, the second takes a line whenever
 * the share taken so far lags behind the share seen so far. So lines are spread evenly, and which
 * they are depends on nothing but the text.
 */
#include "runtime/data/tokenizer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/data/documents.h"
#include "runtime/data/file.h"
#include "runtime/data/text.h"
#include "runtime/data/tokenizer_shim.h"
#include "runtime/log.h"

enum { VOCABULARY_LEAST = 3 + 256 + 1, VOCABULARY_MOST = 1 << 24 };

struct sample {
    bool counting;  /* the first pass */
    uint64_t total; /* bytes of text, by the first pass */
    uint64_t seen, taken, bad;
    char *text; /* (TOKENIZER_TRAIN_BYTES) */
    size_t used;
    struct shim_text *lines; /* point into text */
    size_t count, room;
};

static rt_status keep_line(struct sample *s, const char *line, size_t bytes)
{
    if (s->count == s->room) {
        size_t room = s->room > 0 ? 2 * s->room : 1 << 16;
        struct shim_text *lines = realloc(s->lines, room * sizeof *lines);
        if (lines == NULL) return RT_FAIL(RT_ENOMEM, "%zu lines to train a tokenizer", room);
        s->lines = lines;
        s->room = room;
    }
    memcpy(s->text + s->used, line, bytes);
    s->lines[s->count++] = (struct shim_text){s->text + s->used, bytes};
    s->used += bytes;
    return RT_OK;
}

static rt_status take_line(struct sample *s, const char *line, size_t bytes)
{
    const double limit = TOKENIZER_TRAIN_BYTES, total = (double)s->total;

    s->seen += bytes;
    if (total > limit && (double)(s->taken + bytes) * total > (double)s->seen * limit) return RT_OK;
    if (bytes > TOKENIZER_TRAIN_BYTES - s->used) return RT_OK; /* a file that has grown meanwhile */
    s->taken += bytes;
    return keep_line(s, line, bytes);
}

static rt_status take_text(void *ctx, const char *text, size_t bytes)
{
    struct sample *s = ctx;

    if (s->counting) {
        s->total += bytes;
        return RT_OK;
    }
    while (bytes > 0) {
        const char *newline = memchr(text, '\n', bytes);
        const size_t line = newline != NULL ? (size_t)(newline - text) : bytes;
        for (size_t i = 0; i < line;) {
            const size_t n = text_cut(text + i, line - i, SHIM_SENTENCE_BYTES);
            RT_TRY(take_line(s, text + i, n));
            i += n;
        }
        s->seen += newline != NULL;
        text += line + (newline != NULL);
        bytes -= line + (newline != NULL);
    }
    return RT_OK;
}

static rt_status end_document(void *ctx, document_verdict verdict)
{
    struct sample *s = ctx;
    s->bad += s->counting && verdict == DOCUMENT_BAD;
    return RT_OK;
}

static rt_status read_sample(const struct tokenizer_training *o, struct sample *s, uint64_t *files)
{
    const struct documents_options from = {.inputs = o->inputs,
                                           .input_count = o->input_count,
                                           .field = o->field,
                                           .skip_bad = o->skip_bad,
                                           .max_bytes = o->max_bytes};
    const struct document_sink sink = {.ctx = s, .text = take_text, .end = end_document};
    uint64_t numbers;

    s->counting = true;
    RT_TRY(documents_read(&from, &sink, files, &numbers));
    if (s->bad > 0)
        rt_log_once(RT_LOG_WARN, "%" PRIu64 " of %" PRIu64 " documents are bad and left out",
                    s->bad, numbers);
    if (s->total == 0)
        return RT_FAIL(RT_EDATA, "no text in %" PRIu64 " input files (the first is %s)", *files,
                       o->inputs[0]);
    s->text = malloc(TOKENIZER_TRAIN_BYTES);
    if (s->text == NULL)
        return RT_FAIL(RT_ENOMEM, "%d bytes of text to train a tokenizer", TOKENIZER_TRAIN_BYTES);
    s->counting = false;
    RT_TRY(documents_read(&from, &sink, files, &numbers));
    if (s->count == 0)
        return RT_FAIL(RT_EDATA, "only empty lines in %" PRIu64 " input files (the first is %s)",
                       *files, o->inputs[0]);
    return RT_OK;
}

/* SentencePiece says where its limits are; say it in our words. */
static rt_status explain(const char *why, int vocabulary, uint64_t bytes)
{
    const char *most = strstr(why, "<= "), *least = strstr(why, " vs ");
    int limit;

    if (strstr(why, "too high") != NULL && most != NULL && sscanf(most, "<= %d", &limit) == 1)
        return RT_FAIL(RT_EINVAL,
                       "vocabulary of %d is too large for this text of %" PRIu64
                       " bytes: at most %d; ask for less or give more text",
                       vocabulary, bytes, limit);
    if (strstr(why, "smaller than") != NULL && least != NULL &&
        sscanf(least, " vs %d", &limit) == 1)
        return RT_FAIL(RT_EINVAL,
                       "vocabulary of %d is too small for this text: its characters and the byte "
                       "pieces alone need %d",
                       vocabulary, limit);
    return RT_FAIL(RT_EDATA, "the tokenizer cannot be trained: %s", why);
}

rt_status tokenizer_train_with(const struct tokenizer_training *o, struct tokenizer_trained *report)
{
    struct sample s = {0};
    char why[SHIM_WHY_BYTES];
    void *model = NULL;
    size_t bytes = 0;
    rt_status st;

    *report = (struct tokenizer_trained){0};
    if (o->vocabulary < VOCABULARY_LEAST || o->vocabulary > VOCABULARY_MOST)
        return RT_FAIL(RT_EINVAL, "vocabulary is %d, must be from %d to %d", o->vocabulary,
                       VOCABULARY_LEAST, VOCABULARY_MOST);
    if (o->input_count == 0) return RT_FAIL(RT_EINVAL, "no text to train a tokenizer on");
    RT_TRY(data_file_probe(o->model_path));
    RT_TRY_OUT(read_sample(o, &s, &report->files));
    if (!shim_train(s.lines, s.count, o->vocabulary, &model, &bytes, why)) {
        st = explain(why, o->vocabulary, s.used);
        goto out;
    }
    RT_TRY_OUT(data_file_write(o->model_path, model, bytes));
    report->bad = s.bad;
    report->text_bytes = s.total;
    report->fed_bytes = s.used;
    report->fed_lines = s.count;
out:
    free(model);
    free(s.text);
    free(s.lines);
    return st;
}

rt_status tokenizer_train(const char *const *text_paths, size_t count, int vocabulary,
                          const char *model_path)
{
    struct tokenizer_trained report;

    return tokenizer_train_with(&(struct tokenizer_training){.inputs = text_paths,
                                                             .input_count = count,
                                                             .vocabulary = vocabulary,
                                                             .model_path = model_path},
                                &report);
}
