/* checkpoint/file.c - POSIX files, with every error said where it is seen */
#include "checkpoint/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Say what failed on path, and what may be done about the common causes. */
static rt_status fail(const char *what, const char *path)
{
    const int e = errno;
    const char *remedy = e == ENOSPC || e == EDQUOT ? "; free some space, or set output elsewhere"
                         : e == EFBIG               ? "; raise the limit on file size (ulimit -f)"
                         : e == EACCES || e == EPERM || e == EROFS
                             ? "; make the directory writable, or set output elsewhere"
                             : "";
    return RT_FAIL(RT_EIO, "%s %s: %s%s", what, path, strerror(e), remedy);
}

rt_status file_path(char *out, const char *dir, const char *name)
{
    const int n = snprintf(out, PATH_MAX, "%s/%s", dir, name);
    if (n < 0 || n >= PATH_MAX)
        return RT_FAIL(RT_EINVAL, "path %.60s... with %s is longer than %d characters", dir, name,
                       PATH_MAX - 1);
    return RT_OK;
}

rt_status file_open(const char *path, int flags, int *fd)
{
    do {
        *fd = open(path, flags | O_CLOEXEC, 0666);
    } while (*fd < 0 && errno == EINTR);
    return *fd >= 0 ? RT_OK : fail("open", path);
}

rt_status file_close(int *fd, const char *path)
{
    const int was = *fd;

    *fd = -1;
    /* after EINTR Linux has closed it all the same, and its data were synced before */
    return was < 0 || close(was) == 0 || errno == EINTR ? RT_OK : fail("close", path);
}

rt_status file_write(int fd, const char *path, const void *bytes, size_t n, uint64_t offset)
{
    const char *p = bytes;

    while (n > 0) {
        const ssize_t done = pwrite(fd, p, n, (off_t)offset);
        if (done < 0 && errno == EINTR) continue;
        if (done == 0) errno = EIO;
        if (done <= 0) {
            char what[64];
            snprintf(what, sizeof what, "write at byte %" PRIu64 " of", offset);
            return fail(what, path);
        }
        p += done;
        n -= (size_t)done;
        offset += (uint64_t)done;
    }
    return RT_OK;
}

rt_status file_read(int fd, const char *path, void *bytes, size_t n, uint64_t offset)
{
    char *p = bytes;

    while (n > 0) {
        const ssize_t done = pread(fd, p, n, (off_t)offset);
        if (done < 0 && errno == EINTR) continue;
        if (done == 0)
            return RT_FAIL(RT_EDATA, "%s ends at byte %" PRIu64 ", %zu bytes early: truncated?",
                           path, offset, n);
        if (done < 0) {
            char what[64];
            snprintf(what, sizeof what, "read at byte %" PRIu64 " of", offset);
            return fail(what, path);
        }
        p += done;
        n -= (size_t)done;
        offset += (uint64_t)done;
    }
    return RT_OK;
}

rt_status file_sync(int fd, const char *path)
{
    int bad;

    do {
        bad = fsync(fd);
    } while (bad && errno == EINTR);
    return bad ? fail("fsync", path) : RT_OK;
}

rt_status file_size(int fd, const char *path, uint64_t *bytes)
{
    struct stat s;

    if (fstat(fd, &s) != 0) return fail("stat", path);
    *bytes = (uint64_t)s.st_size;
    return RT_OK;
}

rt_status file_reserve(int fd, const char *path, uint64_t n)
{
    char what[64];
    int e;

    do {
        e = posix_fallocate(fd, 0, (off_t)n);
    } while (e == EINTR);
    if (e == 0) return RT_OK;
    errno = e;
    snprintf(what, sizeof what, "reserve %" PRIu64 " bytes for", n);
    return fail(what, path);
}

rt_status file_sync_dir(const char *dir)
{
    rt_status st;
    int fd;

    RT_TRY(file_open(dir, O_RDONLY | O_DIRECTORY, &fd));
    st = file_sync(fd, dir);
    close(fd);
    return st;
}

rt_status file_make_dir(const char *dir)
{
    char parent[PATH_MAX];
    size_t n = strlen(dir);

    if (mkdir(dir, 0777) != 0) return errno == EEXIST ? RT_OK : fail("make directory", dir);
    while (n > 1 && dir[n - 1] == '/') n--;
    while (n > 0 && dir[n - 1] != '/') n--;
    if (n >= sizeof parent) return RT_FAIL(RT_EINVAL, "path %.60s... is too long", dir);
    memcpy(parent, dir, n);
    parent[n] = 0;
    return file_sync_dir(n > 0 ? parent : ".");
}

rt_status file_create(const char *dir, const char *name, const void *bytes, size_t n)
{
    char path[PATH_MAX];
    rt_status st;
    int fd = -1;

    RT_TRY(file_path(path, dir, name));
    RT_TRY(file_open(path, O_WRONLY | O_CREAT | O_TRUNC, &fd));
    RT_TRY_OUT(file_write(fd, path, bytes, n, 0));
    RT_TRY_OUT(file_sync(fd, path));
    RT_TRY_OUT(file_close(&fd, path));
out:
    if (fd >= 0) close(fd);
    return st;
}

rt_status file_rename(const char *from, const char *to)
{
    if (rename(from, to) == 0) return RT_OK;
    const int e = errno;
    return RT_FAIL(RT_EIO, "rename %s to %s: %s", from, to, strerror(e));
}

/* Unlink what is in a directory of files. */
static rt_status empty_dir(const char *path)
{
    DIR *dir = opendir(path);
    rt_status st = RT_OK;

    if (dir == NULL) return fail("open directory", path);
    for (struct dirent *e; st == RT_OK && (e = readdir(dir)) != NULL;) {
        char name[PATH_MAX];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        st = file_path(name, path, e->d_name);
        if (st == RT_OK && unlink(name) != 0 && errno != ENOENT) st = fail("remove", name);
    }
    closedir(dir);
    return st;
}

rt_status file_remove(const char *path)
{
    struct stat s;

    if (lstat(path, &s) != 0)
        return errno == ENOENT || errno == ENOTDIR ? RT_OK : fail("stat", path);
    if (!S_ISDIR(s.st_mode)) return unlink(path) == 0 ? RT_OK : fail("remove", path);
    RT_TRY(empty_dir(path));
    return rmdir(path) == 0 ? RT_OK : fail("remove", path);
}

rt_status file_load(const char *path, uint64_t limit, void **bytes, size_t *n)
{
    void *data = NULL;
    uint64_t size = 0;
    rt_status st;
    int fd;

    *bytes = NULL;
    *n = 0;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT || errno == ENOTDIR ? RT_EMISSING : fail("open", path);
    RT_TRY_OUT(file_size(fd, path, &size));
    if (size > limit) {
        st = RT_FAIL(RT_EDATA, "%s has %" PRIu64 " bytes, at most %" PRIu64 " are expected", path,
                     size, limit);
        goto out;
    }
    data = malloc((size_t)size + 1);
    if (data == NULL) {
        st = RT_FAIL(RT_ENOMEM, "%s: %" PRIu64 " bytes", path, size);
        goto out;
    }
    RT_TRY_OUT(file_read(fd, path, data, (size_t)size, 0));
    *bytes = data;
    *n = (size_t)size;
    data = NULL;
out:
    free(data);
    close(fd);
    return st;
}
