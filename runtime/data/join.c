/* runtime/data/join.c - see join.h
 *
 * split_decide has passed over the records and counted both splits, so that the file can be laid
 * out; two passes more copy the tokens of train and of heldout. Nothing is kept a document.
 */
#include "runtime/data/join.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "runtime/data/file.h"
#include "runtime/data/part.h"
#include "runtime/data/split.h"
#include "runtime/data/tokens_format.h"

enum { BUFFER_BYTES = 1 << 20 };
enum { MODEL_BYTES = 256 << 20 };

/* Bytes that go to one place of the output, one after the other. */
struct output {
    int fd;
    const char *path;
    uint64_t at; /* where buffer[0] belongs */
    size_t held;
    unsigned char *buffer; /* (BUFFER_BYTES) */
};

static rt_status flush(struct output *o)
{
    RT_TRY(data_file_put(o->fd, o->path, o->buffer, o->held, o->at));
    o->at += o->held;
    o->held = 0;
    return RT_OK;
}

/* Tokens [first, end) of the record last given. */
static rt_status copy_tokens(const struct parts *p, uint64_t first, uint64_t end,
                             struct output *out, XXH3_state_t *digest)
{
    const uint64_t stop = end * parts_header(p, 0)->bytes_per_token;

    for (uint64_t at = first * parts_header(p, 0)->bytes_per_token; at < stop;) {
        if (out->held == BUFFER_BYTES) RT_TRY(flush(out));
        const size_t room = BUFFER_BYTES - out->held;
        const size_t n = stop - at < room ? (size_t)(stop - at) : room;
        RT_TRY(parts_read(p, at, out->buffer + out->held, n));
        XXH3_64bits_update(digest, out->buffer + out->held, n);
        out->held += n;
        at += n;
    }
    return RT_OK;
}

/* The same as a document: with the BOS and the EOS that all others have. */
static rt_status copy_document(const struct parts *p, const struct part_record *r, uint64_t first,
                               uint64_t end, struct output *out, XXH3_state_t *digest)
{
    if (first > 0) RT_TRY(copy_tokens(p, 0, 1, out, digest));
    RT_TRY(copy_tokens(p, first, end, out, digest));
    return end < r->tokens ? copy_tokens(p, r->tokens - 1, r->tokens, out, digest) : RT_OK;
}

struct join {
    struct parts *parts;
    struct split split;
    struct tokens_place places[2];
    char *temporary;
    int fd;
    unsigned char *buffers; /* two of BUFFER_BYTES */
    XXH3_state_t *digest;
    uint64_t bytes_per_token;
};

static rt_status copy_split(struct join *j, tokens_split split)
{
    struct output tokens = {j->fd, j->temporary, j->places[split].tokens, 0, j->buffers};
    struct output starts = {j->fd, j->temporary, j->places[split].documents, 0,
                            j->buffers + BUFFER_BYTES};
    struct part_record r;
    uint64_t first, end, at = 0;

    parts_rewind(j->parts);
    for (;;) {
        RT_TRY(parts_next(j->parts, &r));
        if (r.tokens == 0) break;
        if (!split_range(&j->split, &r, split, &first, &end)) continue;
        RT_TRY(copy_document(j->parts, &r, first, end, &tokens, j->digest));
        if (starts.held == BUFFER_BYTES) RT_TRY(flush(&starts));
        memcpy(starts.buffer + starts.held, &at, sizeof at);
        starts.held += sizeof at;
        at += end - first + (first > 0) + (end < r.tokens);
    }
    RT_TRY(flush(&tokens));
    return flush(&starts);
}

/* Counts of all workers, and what has become of them. */
static void gather_counts(const struct join *j, uint32_t size, struct tokens_counted *c,
                          struct prepare_report *r)
{
    *c = (struct tokens_counted){0};
    for (uint32_t k = 0; k < size; k++) {
        const struct part_header *h = parts_header(j->parts, k);
        c->documents += h->documents;
        c->excluded += h->excluded;
        c->bad += h->bad;
        c->empty += h->empty;
        c->text_bytes += h->text_bytes;
    }
    r->files = parts_header(j->parts, 0)->files;
    r->documents = c->documents;
    r->excluded = c->excluded;
    r->bad = c->bad;
    r->empty = c->empty;
    r->bytes = c->text_bytes;
    r->train_tokens = j->split.tokens[TOKENS_TRAIN];
    r->heldout_tokens = j->split.tokens[TOKENS_HELDOUT];
    r->train_documents = j->split.documents[TOKENS_TRAIN];
    r->heldout_documents = j->split.documents[TOKENS_HELDOUT];
}

/* The token of a newline: a byte piece, the last of what "\\n" gives. */
static rt_status find_newline(const struct tokenizer *t, int32_t *out)
{
    int32_t *tokens = NULL;
    size_t count = 0;

    RT_TRY(tokenizer_encode(t, "\n", 1, &tokens, &count));
    *out = count > 0 ? tokens[count - 1] : TOKENIZER_UNK;
    free(tokens);
    return RT_OK;
}

static rt_status write_file(struct join *j, const struct prepare_options *o,
                            const struct tokenizer *t, const struct tokens_counted *counted,
                            const struct prepare_report *r)
{
    const struct tokens_info info = {.vocabulary = tokenizer_vocabulary(t),
                                     .bytes_per_token = (int)j->bytes_per_token,
                                     .train = r->train_tokens,
                                     .heldout = r->heldout_tokens,
                                     .train_documents = r->train_documents,
                                     .heldout_documents = r->heldout_documents,
                                     .tokenizer_digest = tokenizer_digest(t)};
    void *model = NULL;
    size_t bytes = 0;
    rt_status st;

    RT_TRY_OUT(data_file_read(o->tokenizer_path, MODEL_BYTES, &model, &bytes));
    if (XXH3_64bits(model, bytes) != info.tokenizer_digest) {
        st = RT_FAIL(RT_EDATA, "%s: was changed meanwhile; start again", o->tokenizer_path);
        goto out;
    }
    RT_TRY_OUT(tokens_skeleton(j->temporary, &info, counted, model, bytes, j->places));
    j->fd = open(j->temporary, O_RDWR | O_CLOEXEC);
    if (j->fd < 0) {
        st = RT_FAIL(RT_EIO, "%s: cannot be opened: %s", j->temporary, strerror(errno));
        goto out;
    }
    RT_TRY_OUT(copy_split(j, TOKENS_TRAIN));
    RT_TRY_OUT(copy_split(j, TOKENS_HELDOUT));
    RT_TRY_OUT(tokens_seal(j->temporary, XXH3_64bits_digest(j->digest)));
    RT_TRY_OUT(data_file_commit(j->fd, j->temporary, o->output));
out:
    free(model);
    return st;
}

rt_status join_parts(const struct prepare_options *o, const struct tokenizer *t,
                     struct prepare_report *report)
{
    struct join j = {.fd = -1, .digest = XXH3_createState(), .buffers = malloc(2 * BUFFER_BYTES)};
    struct tokens_counted counted;
    int32_t newline;
    rt_status st;

    if (j.digest == NULL || j.buffers == NULL) {
        st = RT_FAIL(RT_ENOMEM, "%s: %d bytes to join it", o->output, 2 * BUFFER_BYTES);
        goto out;
    }
    XXH3_64bits_reset(j.digest);
    RT_TRY_OUT(parts_open(o->output, (uint32_t)o->size, &j.parts));
    j.bytes_per_token = parts_header(j.parts, 0)->bytes_per_token;
    RT_TRY_OUT(find_newline(t, &newline));
    RT_TRY_OUT(split_decide(j.parts, o->heldout, newline, &j.split));
    gather_counts(&j, (uint32_t)o->size, &counted, report);
    if (counted.documents == 0) {
        st =
            RT_FAIL(RT_EDATA,
                    "no text in the input: %" PRIu64 " files, %" PRIu64 " empty documents, %" PRIu64
                    " excluded, %" PRIu64 " bad (the first file is %s)",
                    report->files, counted.empty, counted.excluded, counted.bad, o->inputs[0]);
        goto out;
    }
    /* one name for all: our part file's lock keeps others away, and what a killed job left behind
     * is written over */
    if (asprintf(&j.temporary, "%s.tmp", o->output) < 0) {
        j.temporary = NULL;
        st = RT_FAIL(RT_ENOMEM, "%s: a name", o->output);
        goto out;
    }
    st = write_file(&j, o, t, &counted, report);
    if (st != RT_OK) unlink(j.temporary);
out:
    if (j.fd >= 0) close(j.fd);
    parts_close(&j.parts);
    XXH3_freeState(j.digest);
    free(j.buffers);
    free(j.temporary);
    return st;
}
