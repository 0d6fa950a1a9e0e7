/* runtime/data/stream.h - the bytes of a file, plain, gzip or zstd by its magic bytes
 *
 * Not collective. Memory: two buffers, and the window of the format (128 MiB at most).
 * Formats that are no text are refused by name when opened: parquet with a one-line converter.
 */
#ifndef DATA_STREAM_H
#define DATA_STREAM_H

#include <stddef.h>

#include "runtime/status.h"

struct stream;

/* RT_EMISSING: no such file. RT_EDATA: not a regular file, or a format that is no text. */
RT_NODISCARD rt_status stream_open(const char *path, struct stream **out);
void stream_close(struct stream **s);

/* Up to `room` bytes; *got is less than `room` only at the end.
 * RT_EDATA: damaged or truncated gzip or zstd. RT_EIO. */
RT_NODISCARD rt_status stream_read(struct stream *s, void *out, size_t room, size_t *got);

#endif
