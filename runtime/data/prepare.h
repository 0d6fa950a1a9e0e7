/* runtime/data/prepare.h - text files to one token file
 *
 * .txt (a document a file), .jsonl (a document a line, in field `field`), each plain, gzip or
 * zstd by its magic bytes. Documents come in the order of the inputs; the held-out split is
 * drawn by a hash of the document's text, so it depends on neither order nor ranks; where no whole
 * document is small enough, the tail of the last one is held out instead (split.h).
 * Work is divided by document among `size` workers (ranks): worker `rank` writes part files
 * beside the output, worker 0 joins them in document order; the bytes of the result are the
 * same for any size. The caller puts a barrier (through `agree`) between the two.
 */
#ifndef DATA_PREPARE_H
#define DATA_PREPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct prepare_options {
    const char *const *inputs; /* paths, in order */
    size_t input_count;
    const char *tokenizer_path;
    const char *output;        /* written whole or not at all */
    const char *field;         /* jsonl text field; NULL is "text" */
    const char *exclude_sites; /* file, one domain a line; documents whose `url` field lies in
                                    one of them or below are left out; or NULL */
    double heldout;            /* share held out, e.g. 0.01: above 0 something always is, but for
                                    a single document of one token */
    uint64_t max_bytes;        /* stop after this many bytes of text; 0: no limit */
    bool skip_bad;             /* count bad documents and go on; else RT_EDATA names the line */
    int rank, size;            /* this worker; 0 of 1 alone */
    rt_status (*agree)(void *ctx, rt_status mine); /* worst over all workers and a barrier; NULL
                                                      when size is 1 */
    void *ctx;
};

/* Of all workers; on worker 0 only (elsewhere zeros, and the seconds). */
struct prepare_report {
    uint64_t files, documents, excluded, bad, bytes; /* documents: those in the token file */
    uint64_t empty;                                  /* documents without text, left out */
    /* a document of which the tail is held out counts in both */
    uint64_t train_tokens, heldout_tokens, train_documents, heldout_documents;
    double seconds;
};

/* Bad input, each with file, line or offset, and what to do: NUL bytes, invalid UTF-8, a line
 * above 1 GiB, a missing or non-string field, JSON errors, nothing in it (RT_EDATA); parquet
 * (RT_EDATA, naming a one-line converter to .jsonl); a file that is not there (RT_EMISSING). */
RT_NODISCARD rt_status prepare_tokens(const struct prepare_options *o,
                                      struct prepare_report *report);

#ifdef __cplusplus
}
#endif
#endif
