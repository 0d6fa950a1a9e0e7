/* runtime/data/part_read.c - all part files, in the order of documents; see part.h */
#include "runtime/data/part.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/data/part_name.h"

struct part {
    char *path;
    int fd;
    struct part_header header;
    uint64_t at;               /* offset of the next record */
    uint64_t left;             /* records not yet given, the one in `record` included */
    struct part_record record; /* the next one, if `loaded` */
    bool loaded;
};

struct parts {
    struct part *all; /* (size) */
    uint32_t size;
    uint64_t number;    /* of the document that is asked for next */
    uint32_t last;      /* the part that gave the last record */
    uint64_t tokens_at; /* where its tokens lie */
};

static rt_status get(const struct part *p, void *out, size_t bytes, uint64_t offset)
{
    char *to = out;

    while (bytes > 0) {
        ssize_t n = pread(p->fd, to, bytes, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0)
            return RT_FAIL(RT_EIO, "%s: cannot be read at byte %" PRIu64 ": %s", p->path, offset,
                           n < 0 ? strerror(errno) : "it ends there");
        to += n;
        bytes -= (size_t)n;
        offset += (uint64_t)n;
    }
    return RT_OK;
}

static rt_status open_part(struct part *p, const char *output, uint32_t rank, uint32_t size)
{
    RT_TRY(part_name(output, rank, &p->path));
    p->fd = open(p->path, O_RDONLY | O_CLOEXEC);
    if (p->fd < 0)
        return RT_FAIL(RT_EIO,
                       "%s: cannot be opened: %s; the output must lie where all ranks see it, and "
                       "a rank may need %u open files (ulimit -n)",
                       p->path, strerror(errno), size + 64);
    RT_TRY(get(p, &p->header, sizeof p->header, 0));
    if (memcmp(p->header.magic, PART_MAGIC, sizeof p->header.magic) != 0 ||
        p->header.complete != 1 || p->header.rank != rank || p->header.size != size)
        return RT_FAIL(RT_EIO, "%s: is not the part that worker %u has just written", p->path,
                       rank);
    return RT_OK;
}

rt_status parts_open(const char *output, uint32_t size, struct parts **out)
{
    struct parts *p = calloc(1, sizeof *p);
    rt_status st = RT_OK;

    *out = NULL;
    if (p != NULL) p->all = calloc(size, sizeof *p->all);
    if (p == NULL || p->all == NULL) {
        st = RT_FAIL(RT_ENOMEM, "%s: %u part files", output, size);
        goto out;
    }
    p->size = size;
    for (uint32_t r = 0; r < size; r++) p->all[r].fd = -1;
    for (uint32_t r = 0; r < size; r++) RT_TRY_OUT(open_part(&p->all[r], output, r, size));
    parts_rewind(p);
    *out = p;
    p = NULL;
out:
    parts_close(&p);
    return st;
}

void parts_close(struct parts **p)
{
    if (*p == NULL) return;
    for (uint32_t r = 0; r < (*p)->size; r++) {
        if ((*p)->all[r].fd >= 0) close((*p)->all[r].fd);
        free((*p)->all[r].path);
    }
    free((*p)->all);
    free(*p);
    *p = NULL;
}

const struct part_header *parts_header(const struct parts *p, uint32_t rank)
{
    return &p->all[rank].header;
}

void parts_rewind(struct parts *p)
{
    p->number = 0;
    for (uint32_t r = 0; r < p->size; r++) {
        p->all[r].at = sizeof p->all[r].header;
        p->all[r].left = p->all[r].header.records;
        p->all[r].loaded = false;
    }
}

/* The part's next record, still to be given. */
static rt_status load(struct part *p)
{
    if (p->loaded || p->left == 0) return RT_OK;
    RT_TRY(get(p, &p->record, sizeof p->record, p->at));
    p->loaded = true;
    return RT_OK;
}

rt_status parts_next(struct parts *p, struct part_record *out)
{
    const uint64_t numbers = p->all[0].header.numbers;

    *out = (struct part_record){0};
    for (; p->number < numbers; p->number++) {
        const uint32_t r = (uint32_t)(p->number % p->size);
        struct part *part = &p->all[r];
        RT_TRY(load(part));
        if (!part->loaded || part->record.number != p->number) continue;
        *out = part->record;
        p->last = r;
        p->tokens_at = part->at + sizeof part->record;
        part->at = p->tokens_at + out->tokens * part->header.bytes_per_token;
        part->loaded = false;
        part->left--;
        p->number++;
        return RT_OK;
    }
    return RT_OK;
}

rt_status parts_read(const struct parts *p, uint64_t offset, void *out, size_t bytes)
{
    return get(&p->all[p->last], out, bytes, p->tokens_at + offset);
}
