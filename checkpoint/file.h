/* checkpoint/file.h - files that are on stable storage when the call returns
 *
 * Short transfers and EINTR are gone on with; every other error is said with path, offset and the
 * system's reason, and is RT_EIO. An error of fsync is never tried again on the same file: the
 * kernel may have dropped the pages. Nothing here is collective.
 */
#ifndef CHECKPOINT_FILE_H
#define CHECKPOINT_FILE_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/status.h"

/* out (PATH_MAX) = dir/name. RT_EINVAL: too long. */
RT_NODISCARD rt_status file_path(char *out, const char *dir, const char *name);

RT_NODISCARD rt_status file_open(const char *path, int flags, int *fd);
/* Close a file that was written; what close says counts. *fd becomes -1. */
RT_NODISCARD rt_status file_close(int *fd, const char *path);
RT_NODISCARD rt_status file_write(int fd, const char *path, const void *bytes, size_t n,
                                  uint64_t offset);
/* RT_EDATA: the file ends before. */
RT_NODISCARD rt_status file_read(int fd, const char *path, void *bytes, size_t n, uint64_t offset);
RT_NODISCARD rt_status file_sync(int fd, const char *path);
RT_NODISCARD rt_status file_size(int fd, const char *path, uint64_t *bytes);

/* Preallocate bytes 0..n-1: a full disk shows here and not later. */
RT_NODISCARD rt_status file_reserve(int fd, const char *path, uint64_t n);

RT_NODISCARD rt_status file_sync_dir(const char *dir);
/* Make the directory, durably, unless it is there; its parent must be. */
RT_NODISCARD rt_status file_make_dir(const char *dir);
/* A new file dir/name with these bytes, synced. The entry itself lasts once dir is synced. */
RT_NODISCARD rt_status file_create(const char *dir, const char *name, const void *bytes, size_t n);
/* Rename, and nothing else. */
RT_NODISCARD rt_status file_rename(const char *from, const char *to);
/* Remove path, a file or a directory of files; not being there is no error. */
RT_NODISCARD rt_status file_remove(const char *path);

/* A whole file of at most `limit` bytes; *bytes is malloc'ed. RT_EMISSING: no such file (nothing is
 * said). RT_EDATA: larger. */
RT_NODISCARD rt_status file_load(const char *path, uint64_t limit, void **bytes, size_t *n);

#endif
