/* runtime/data/documents.h - the documents of a list of files, one after the other
 *
 * FILE.jsonl, .ndjson, .json (also with .gz or .zst behind): a document a line, the string in
 * field `field` of the line's object; blank lines do not count. Any other name: one document, the
 * whole file. Text is handed over in pieces as it is read, so only a line of .jsonl is ever held
 * whole. A byte order mark at the beginning of a file is dropped.
 *
 *     wants(number)  false: another worker's; passed over unread where there is no max_bytes
 *     text(piece)    of good documents only, none or several times: valid UTF-8 without NUL,
 *                    whole characters
 *     end(verdict)   once for each document that was wanted
 * A plain file larger than a piece is read twice, so that it is refused before any work is done.
 */
#ifndef DATA_DOCUMENTS_H
#define DATA_DOCUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/data/sites.h"
#include "runtime/status.h"

enum { DOCUMENTS_PIECE_BYTES = 1 << 20 }; /* of a plain text, at most */
enum { DOCUMENTS_LINE_BYTES = 1 << 30 };  /* the longest line that is taken */

typedef enum { DOCUMENT_GOOD, DOCUMENT_BAD, DOCUMENT_EXCLUDED } document_verdict;

struct document_sink {
    void *ctx;
    bool (*wants)(void *ctx, uint64_t number); /* NULL: all. Numbers count from 0 over all files */
    rt_status (*text)(void *ctx, const char *text, size_t bytes);
    rt_status (*end)(void *ctx, document_verdict verdict);
};

struct documents_options {
    const char *const *inputs;
    size_t input_count;
    const char *field;         /* NULL is "text" */
    const struct sites *sites; /* a document whose `url` lies in them is excluded; or NULL */
    bool skip_bad;             /* DOCUMENT_BAD and go on; else RT_EDATA */
    uint64_t max_bytes;        /* stop after so much text, within a document (0: no limit) */
    uint64_t line_limit;       /* 0 is DOCUMENTS_LINE_BYTES */
};

/* *files: how many were begun; *numbers: how many documents were numbered.
 * RT_EDATA: with file, line or offset, and what to do. RT_EMISSING, RT_EIO, RT_ENOMEM; and what
 * the sink returns. */
RT_NODISCARD rt_status documents_read(const struct documents_options *o,
                                      const struct document_sink *sink, uint64_t *files,
                                      uint64_t *numbers);

#endif
