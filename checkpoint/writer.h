/* checkpoint/writer.h - many pieces into one file at disk speed
 *
 * Pieces that follow each other in the file are gathered in a buffer; its aligned middle goes to
 * the disk directly (O_DIRECT), the rest through the page cache, so that a page which two ranks
 * share stays whole. Where the file system refuses O_DIRECT everything goes through the cache.
 */
#ifndef CHECKPOINT_WRITER_H
#define CHECKPOINT_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/status.h"

struct writer;

/* path is lent. RT_EIO, RT_ENOMEM. */
RT_NODISCARD rt_status writer_open(const char *path, struct writer **out);
RT_NODISCARD rt_status writer_put(struct writer *w, const void *bytes, size_t n, uint64_t offset);
/* Everything that was put is on stable storage. */
RT_NODISCARD rt_status writer_sync(struct writer *w);
/* What was put after the last sync may be lost. Never fails. */
void writer_close(struct writer **w);

#endif
