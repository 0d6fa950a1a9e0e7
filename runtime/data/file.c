/* runtime/data/file.c - see file.h */
#include "runtime/data/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static rt_status open_regular(const char *path, size_t limit, int *out, size_t *bytes)
{
    struct stat s;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not block here */

    if (fd < 0)
        return RT_FAIL(errno == ENOENT ? RT_EMISSING : RT_EIO, "%s: cannot be opened: %s", path,
                       strerror(errno));
    rt_status st = RT_OK;
    if (fstat(fd, &s) != 0)
        st = RT_FAIL(RT_EIO, "%s: %s", path, strerror(errno));
    else if (!S_ISREG(s.st_mode))
        st = RT_FAIL(RT_EDATA, "%s: is not a regular file", path);
    else if ((uint64_t)s.st_size > limit)
        st = RT_FAIL(RT_EDATA, "%s: has %lld bytes, the limit here is %zu; is it the right file?",
                     path, (long long)s.st_size, limit);
    if (st != RT_OK) {
        close(fd);
        return st;
    }
    *out = fd;
    *bytes = (size_t)s.st_size;
    return RT_OK;
}

rt_status data_file_read(const char *path, size_t limit, void **out, size_t *bytes)
{
    int fd = -1;
    size_t size = 0, done = 0;
    char *data = NULL;
    rt_status st;

    *out = NULL;
    RT_TRY(open_regular(path, limit, &fd, &size));
    st = RT_OK;
    data = malloc(size + 1);
    if (data == NULL) {
        st = RT_FAIL(RT_ENOMEM, "%s: %zu bytes to read it", path, size);
        goto out;
    }
    while (done < size) {
        ssize_t n = read(fd, data + done, size - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            st = RT_FAIL(RT_EIO, "%s: cannot be read: %s", path, strerror(errno));
            goto out;
        }
        if (n == 0) break; /* it has shrunk meanwhile */
        done += (size_t)n;
    }
    data[done] = '\0';
    *out = data;
    *bytes = done;
    data = NULL;
out:
    free(data);
    close(fd);
    return st;
}

rt_status data_file_temporary(const char *path, char **out)
{
    if (asprintf(out, "%s.tmp-%ld", path, (long)getpid()) < 0) {
        *out = NULL;
        return RT_FAIL(RT_ENOMEM, "%s: a name", path);
    }
    return RT_OK;
}

rt_status data_file_probe(const char *path)
{
    struct stat info;
    char *temporary = NULL;
    rt_status st = RT_OK;

    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return RT_FAIL(RT_EIO, "%s: is no regular file, and cannot be written as one", path);
    RT_TRY(data_file_temporary(path, &temporary));
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        st = RT_FAIL(RT_EIO, "%s: cannot be created: %s", temporary, strerror(errno));
    else {
        close(fd);
        unlink(temporary);
    }
    free(temporary);
    return st;
}

rt_status data_file_put(int fd, const char *path, const void *data, size_t bytes, uint64_t offset)
{
    const char *p = data;

    while (bytes > 0) {
        ssize_t n = pwrite(fd, p, bytes, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0)
            return RT_FAIL(RT_EIO, "%s: cannot write %zu bytes: %s", path, bytes,
                           n < 0 ? strerror(errno) : "nothing was written");
        p += n;
        bytes -= (size_t)n;
        offset += (uint64_t)n;
    }
    return RT_OK;
}

static rt_status sync_directory_of(const char *path)
{
    char *copy = strdup(path);
    rt_status st = RT_OK;

    if (copy == NULL) return RT_FAIL(RT_ENOMEM, "%s: a name", path);
    char *slash = strrchr(copy, '/');
    if (slash != NULL) slash[slash == copy ? 1 : 0] = '\0';
    const char *directory = slash == NULL ? "." : copy;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* Some file systems refuse to sync a directory (EINVAL): nothing better is to be had there. */
    if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL))
        st = RT_FAIL(RT_EIO, "%s: cannot be synced: %s", directory, strerror(errno));
    if (fd >= 0) close(fd);
    free(copy);
    return st;
}

rt_status data_file_commit(int fd, const char *temporary, const char *path)
{
    if (fsync(fd) != 0)
        return RT_FAIL(RT_EIO, "%s: cannot be synced: %s", temporary, strerror(errno));
    if (rename(temporary, path) != 0)
        return RT_FAIL(RT_EIO, "%s: cannot be renamed to %s: %s", temporary, path, strerror(errno));
    return sync_directory_of(path);
}

rt_status data_file_write(const char *path, const void *data, size_t bytes)
{
    char *temporary = NULL;
    int fd = -1;
    rt_status st;

    RT_TRY(data_file_temporary(path, &temporary));
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        st = RT_FAIL(RT_EIO, "%s: cannot be created: %s", temporary, strerror(errno));
        goto out;
    }
    RT_TRY_OUT(data_file_put(fd, temporary, data, bytes, 0));
    RT_TRY_OUT(data_file_commit(fd, temporary, path));
out:
    if (fd >= 0) close(fd);
    if (st != RT_OK && fd >= 0) unlink(temporary);
    free(temporary);
    return st;
}
