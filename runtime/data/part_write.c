/* runtime/data/part_write.c - a worker's part file; see part.h */
#include "runtime/data/part.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "runtime/data/file.h"
#include "runtime/data/part_name.h"

enum { BUFFER_BYTES = 1 << 20 };

struct part_writer {
    char *path;
    int fd;
    struct part_header header;
    struct part_record record; /* of the document under way */
    uint64_t record_at;        /* its offset */
    uint64_t end;              /* of what is written and buffered */
    unsigned char *buffer;     /* (BUFFER_BYTES) the last `held` bytes before end */
    size_t held;
};

static rt_status lock(struct part_writer *w)
{
    w->fd = open(w->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (w->fd < 0) return RT_FAIL(RT_EIO, "%s: cannot be created: %s", w->path, strerror(errno));
    if (flock(w->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        close(w->fd);
        w->fd = -1; /* not ours, so not ours to remove */
        return RT_FAIL(RT_EBUSY, "%s: is being written by another `recua data prepare`", w->path);
    }
    if (ftruncate(w->fd, 0) != 0)
        return RT_FAIL(RT_EIO, "%s: cannot be emptied: %s", w->path, strerror(errno));
    return RT_OK;
}

rt_status part_create(const char *output, uint32_t rank, uint32_t size, uint32_t bytes_per_token,
                      struct part_writer **out)
{
    struct part_writer *w = calloc(1, sizeof *w);
    rt_status st;

    *out = NULL;
    if (w == NULL) return RT_FAIL(RT_ENOMEM, "%s: a part file", output);
    w->fd = -1;
    w->header =
        (struct part_header){.rank = rank, .size = size, .bytes_per_token = bytes_per_token};
    memcpy(w->header.magic, PART_MAGIC, sizeof w->header.magic);
    w->end = sizeof w->header;
    w->buffer = malloc(BUFFER_BYTES);
    if (w->buffer == NULL) {
        st = RT_FAIL(RT_ENOMEM, "%s: %d bytes to write it", output, BUFFER_BYTES);
        goto out;
    }
    RT_TRY_OUT(part_name(output, rank, &w->path));
    RT_TRY_OUT(lock(w));
    *out = w;
    w = NULL;
out:
    part_destroy(&w);
    return st;
}

static rt_status flush(struct part_writer *w)
{
    if (w->held == 0) return RT_OK;
    RT_TRY(data_file_put(w->fd, w->path, w->buffer, w->held, w->end - w->held));
    w->held = 0;
    return RT_OK;
}

static rt_status put(struct part_writer *w, const void *data, size_t bytes)
{
    if (w->held + bytes > BUFFER_BYTES) RT_TRY(flush(w));
    memcpy(w->buffer + w->held, data, bytes);
    w->held += bytes;
    w->end += bytes;
    return RT_OK;
}

rt_status part_begin(struct part_writer *w, uint64_t number)
{
    w->record = (struct part_record){.number = number};
    w->record_at = w->end;
    return put(w, &w->record, sizeof w->record);
}

rt_status part_tokens(struct part_writer *w, const int32_t *tokens, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint16_t small = (uint16_t)tokens[i];
        RT_TRY(w->header.bytes_per_token == 2 ? put(w, &small, sizeof small)
                                              : put(w, &tokens[i], sizeof tokens[i]));
    }
    w->record.tokens += count;
    return RT_OK;
}

/* The record goes where room was left for it: into the buffer if it is still there. */
rt_status part_end(struct part_writer *w, uint64_t hash)
{
    const uint64_t flushed = w->end - w->held;

    w->record.hash = hash;
    w->header.records++;
    if (w->record_at >= flushed) {
        memcpy(w->buffer + (w->record_at - flushed), &w->record, sizeof w->record);
        return RT_OK;
    }
    return data_file_put(w->fd, w->path, &w->record, sizeof w->record, w->record_at);
}

rt_status part_finish(struct part_writer *w, const struct part_header *h)
{
    struct part_header all = *h;

    memcpy(all.magic, w->header.magic, sizeof all.magic);
    all.rank = w->header.rank;
    all.size = w->header.size;
    all.bytes_per_token = w->header.bytes_per_token;
    all.records = w->header.records;
    all.complete = 1;
    RT_TRY(flush(w));
    RT_TRY(data_file_put(w->fd, w->path, &all, sizeof all, 0));
    /* not for safety: worker 0 may see the file through another node's cache */
    if (fsync(w->fd) != 0)
        return RT_FAIL(RT_EIO, "%s: cannot be synced: %s", w->path, strerror(errno));
    return RT_OK;
}

void part_destroy(struct part_writer **w)
{
    if (*w == NULL) return;
    if ((*w)->fd >= 0) {
        unlink((*w)->path);
        close((*w)->fd);
    }
    free((*w)->buffer);
    free((*w)->path);
    free(*w);
    *w = NULL;
}

/* Is this the name of a part of `base` that a worker from `size` on has written? */
static bool is_stale(const char *name, const char *base, uint32_t size)
{
    const size_t n = strlen(base);
    unsigned rank;
    int length = 0;

    if (strncmp(name, base, n) != 0 || sscanf(name + n, ".part-%5u%n", &rank, &length) != 1)
        return false;
    return length == (int)sizeof ".part-00000" - 1 && name[n + (size_t)length] == '\0' &&
           rank >= size;
}

void part_sweep(const char *output, uint32_t size)
{
    const char *slash = strrchr(output, '/');
    const char *base = slash != NULL ? slash + 1 : output;
    char *folder = slash != NULL ? strndup(output, (size_t)(base - output)) : strdup(".");
    DIR *all = folder != NULL ? opendir(folder) : NULL;
    const struct dirent *e;

    while (all != NULL && (e = readdir(all)) != NULL) {
        if (!is_stale(e->d_name, base, size)) continue;
        const int fd = openat(dirfd(all), e->d_name, O_RDWR | O_CLOEXEC);
        if (fd < 0) continue;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) (void)unlinkat(dirfd(all), e->d_name, 0);
        close(fd);
    }
    if (all != NULL) closedir(all);
    free(folder);
}
