/* runtime/data/file.h - whole files: read at once, written whole or not at all
 *
 * What is written lies in PATH.tmp-PID until it is complete and on stable storage; then it is
 * renamed, and the directory synced. Not collective.
 */
#ifndef DATA_FILE_H
#define DATA_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* All bytes of a regular file of at most `limit` bytes, malloc'ed, and a NUL behind them.
 * RT_EMISSING: no such file; RT_EDATA: not a regular file, or larger. RT_EIO, RT_ENOMEM. */
RT_NODISCARD rt_status data_file_read(const char *path, size_t limit, void **out, size_t *bytes);

/* Can a file be made there? Asked before long work. RT_EIO. */
RT_NODISCARD rt_status data_file_probe(const char *path);

/* The temporary name beside `path`, malloc'ed. */
RT_NODISCARD rt_status data_file_temporary(const char *path, char **out);

/* All of it at this offset. RT_EIO: names the file. */
RT_NODISCARD rt_status data_file_put(int fd, const char *path, const void *data, size_t bytes,
                                     uint64_t offset);

/* fsync fd, rename temporary to path, fsync the directory. fd stays open. */
RT_NODISCARD rt_status data_file_commit(int fd, const char *temporary, const char *path);

/* All of the above for bytes in memory. */
RT_NODISCARD rt_status data_file_write(const char *path, const void *data, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
