/* runtime/data/part.h - the part files of `data prepare`: one a worker, joined by worker 0
 *
 *     header | record, tokens | record, tokens | ...     (native byte order, removed in the end)
 * Document n belongs to worker n mod size; a document without a record was empty, bad or excluded.
 */
#ifndef DATA_PART_H
#define DATA_PART_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "runtime/status.h"

struct part_header {
    char magic[8];
    uint32_t rank, size, bytes_per_token, complete;
    uint64_t files, numbers;                  /* inputs begun, documents numbered */
    uint64_t documents, excluded, bad, empty; /* this worker's */
    uint64_t text_bytes, records;
};

struct part_record {
    uint64_t number; /* of the document */
    uint64_t tokens; /* <s> and </s> included */
    uint64_t hash;   /* XXH3-64 of its text: decides the split */
};

/* Writing: for each document begin, tokens..., end; then finish. */
struct part_writer;
/* RT_EBUSY: another prepare is writing the same output. RT_EIO: names the file. */
RT_NODISCARD rt_status part_create(const char *output, uint32_t rank, uint32_t size,
                                   uint32_t bytes_per_token, struct part_writer **out);
RT_NODISCARD rt_status part_begin(struct part_writer *w, uint64_t number);
RT_NODISCARD rt_status part_tokens(struct part_writer *w, const int32_t *tokens, size_t count);
RT_NODISCARD rt_status part_end(struct part_writer *w, uint64_t hash);
/* h: the counts; the rest is filled in. */
RT_NODISCARD rt_status part_finish(struct part_writer *w, const struct part_header *h);
void part_destroy(struct part_writer **w); /* removes the file */
/* Remove the part files of ranks from `size` on: of an earlier run that was killed. For the worker
 * that holds part 0; what another process holds stays. */
void part_sweep(const char *output, uint32_t size);

/* Reading all parts in the order of documents. */
struct parts;
RT_NODISCARD rt_status parts_open(const char *output, uint32_t size, struct parts **out);
void parts_close(struct parts **p);
const struct part_header *parts_header(const struct parts *p, uint32_t rank);
void parts_rewind(struct parts *p);
/* The next record, and where its tokens lie in its part; out->tokens is 0 after the last. */
RT_NODISCARD rt_status parts_next(struct parts *p, struct part_record *out);
/* `bytes` of the tokens of the record last given, from `offset`. */
RT_NODISCARD rt_status parts_read(const struct parts *p, uint64_t offset, void *out, size_t bytes);

#endif
