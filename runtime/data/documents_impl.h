/* runtime/data/documents_impl.h - what the two readers (whole files, lines) share */
#ifndef DATA_DOCUMENTS_IMPL_H
#define DATA_DOCUMENTS_IMPL_H

#include "runtime/data/documents.h"
#include "runtime/data/stream.h"
#include "runtime/data/text.h"

struct documents {
    const struct documents_options *o;
    const struct document_sink *sink;
    uint64_t number; /* of the next document */
    bool wanted;     /* the document under way, by the sink */
    uint64_t left;   /* bytes of text until max_bytes */
    uint64_t line_limit;
    const char *path; /* the file under way */
    struct stream *stream;
};

/* Begin the next document. False: it is to be passed over unread. */
bool documents_begin(struct documents *d);
/* A piece of a good document, cut where max_bytes is reached: then `left` is 0. */
RT_NODISCARD rt_status documents_text(struct documents *d, const char *text, size_t bytes);
RT_NODISCARD rt_status documents_end(struct documents *d, document_verdict verdict);

/* The document under way is bad: RT_OK and a line for debugging where bad ones are skipped, else
 * RT_EDATA and the reason. Line 0: the file as a whole. */
RT_NODISCARD rt_status documents_bad(const struct documents *d, uint64_t line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for what text_check found at `offset` of the file or line. */
RT_NODISCARD rt_status documents_bad_text(const struct documents *d, uint64_t line,
                                          text_verdict verdict, unsigned char byte,
                                          uint64_t offset);

RT_NODISCARD rt_status documents_whole_file(struct documents *d);
RT_NODISCARD rt_status documents_lines(struct documents *d);

#endif
