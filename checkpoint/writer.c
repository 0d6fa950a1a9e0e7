/* checkpoint/writer.c - a staging buffer before one file
 *
 * The buffer stands for the file's bytes base .. base+STAGE-1, base a multiple of PAGE, so a byte
 * is aligned in memory as it is in the file:
 *
 *     base        begin                       end          base + STAGE
 *      |-----------[head|===== direct =====|tail]-----------|
 */
#include "checkpoint/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/file.h"

enum {
    PAGE = 4096,
    STAGE = 4 << 20,
    DIRECT_LEAST = 64 << 10, /* bytes: less is not worth a trip to the disk */
};

struct writer {
    const char *path;
    int fd, direct; /* direct -1: not available */
    unsigned char *stage;
    uint64_t base, begin, end; /* bytes of the file; begin == end: empty */
};

void writer_close(struct writer **w)
{
    if (*w == NULL) return;
    if ((*w)->fd >= 0) close((*w)->fd);
    if ((*w)->direct >= 0) close((*w)->direct);
    free((*w)->stage);
    free(*w);
    *w = NULL;
}

rt_status writer_open(const char *path, struct writer **out)
{
    struct writer *w = calloc(1, sizeof *w);
    rt_status st;

    *out = NULL;
    if (w == NULL) return RT_FAIL(RT_ENOMEM, "writer of %s", path);
    w->path = path;
    w->fd = w->direct = -1;
    w->stage = aligned_alloc(PAGE, STAGE);
    if (w->stage == NULL) {
        st = RT_FAIL(RT_ENOMEM, "%d bytes to stage %s", STAGE, path);
        goto out;
    }
    RT_TRY_OUT(file_open(path, O_WRONLY, &w->fd));
    w->direct = open(path, O_WRONLY | O_DIRECT | O_CLOEXEC); /* -1 is fine */
    *out = w;
    w = NULL;
out:
    writer_close(&w);
    return st;
}

static rt_status write_cached(struct writer *w, uint64_t begin, uint64_t end)
{
    return file_write(w->fd, w->path, w->stage + (begin - w->base), (size_t)(end - begin), begin);
}

/* Write begin .. end-1, both multiples of PAGE. A refusal or a short write is finished through the
 * cache, which says what is wrong if it fails too. */
static rt_status write_direct(struct writer *w, uint64_t begin, uint64_t end)
{
    ssize_t done;

    do {
        done = pwrite(w->direct, w->stage + (begin - w->base), (size_t)(end - begin), (off_t)begin);
    } while (done < 0 && errno == EINTR);
    if (done < 0 && errno == EINVAL) {
        close(w->direct);
        w->direct = -1;
    } else if (done < 0) {
        const int e = errno;
        return RT_FAIL(RT_EIO, "write at byte %llu of %s: %s", (unsigned long long)begin, w->path,
                       strerror(e));
    }
    if (done > 0) begin += (uint64_t)done;
    return begin < end ? write_cached(w, begin, end) : RT_OK;
}

static rt_status flush(struct writer *w)
{
    uint64_t first = (w->begin + PAGE - 1) / PAGE * PAGE, last = w->end / PAGE * PAGE;
    rt_status st = RT_OK;

    if (w->direct < 0 || last < first + DIRECT_LEAST) first = last = w->end;
    if (first > w->begin) st = write_cached(w, w->begin, first);
    if (st == RT_OK && last > first) st = write_direct(w, first, last);
    if (st == RT_OK && w->end > last) st = write_cached(w, last, w->end);
    w->begin = w->end;
    return st;
}

rt_status writer_put(struct writer *w, const void *bytes, size_t n, uint64_t offset)
{
    const unsigned char *p = bytes;

    if (offset != w->end || w->begin == w->end) {
        if (w->begin < w->end) RT_TRY(flush(w));
        w->base = offset / PAGE * PAGE;
        w->begin = w->end = offset;
    }
    while (n > 0) {
        const uint64_t room = w->base + STAGE - w->end;
        const size_t part = n < room ? n : (size_t)room;
        memcpy(w->stage + (w->end - w->base), p, part);
        w->end += part;
        p += part;
        n -= part;
        if (w->end == w->base + STAGE) {
            RT_TRY(flush(w));
            w->base = w->end;
        }
    }
    return RT_OK;
}

rt_status writer_sync(struct writer *w)
{
    if (w->begin < w->end) RT_TRY(flush(w));
    return file_sync(w->fd, w->path);
}
