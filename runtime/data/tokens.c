/* runtime/data/tokens.c - token files as they are read; see tokens.h
 *
 * HDF5 is asked once, for the names, shapes and offsets; each answer is checked against the file's
 * size before anything is mapped.
 */
#include "runtime/data/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "runtime/data/tokens_format.h"
#include "runtime/data/tokens_open.h"

static const char prepare_hint[] = "make one with `recua data prepare`";

struct tokens {
    char *path;
    struct tokens_layout layout;
    unsigned char *map; /* the whole file */
    size_t bytes;
};

/* The file opened and mapped, however little there is in it. */
static rt_status map_file(struct tokens *t)
{
    struct stat s;
    int fd = open(t->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT)
        return RT_FAIL(RT_EMISSING, "%s: no such token file; %s", t->path, prepare_hint);
    if (fd < 0) return RT_FAIL(RT_EIO, "%s: cannot be opened: %s", t->path, strerror(errno));
    rt_status st = RT_OK;
    if (fstat(fd, &s) != 0)
        st = RT_FAIL(RT_EIO, "%s: %s", t->path, strerror(errno));
    else if (!S_ISREG(s.st_mode))
        st = RT_FAIL(RT_EDATA, "%s: is not a regular file; %s", t->path, prepare_hint);
    else if (s.st_size == 0)
        st = RT_FAIL(RT_EDATA, "%s: is empty (0 bytes); %s", t->path, prepare_hint);
    if (st == RT_OK) {
        void *map = mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED)
            st = RT_FAIL(RT_EIO, "%s: cannot be mapped: %s", t->path, strerror(errno));
        else {
            t->map = map;
            t->bytes = (size_t)s.st_size;
        }
    }
    close(fd);
    return st;
}

/* The tokenizer inside is the one that the digest names. */
static rt_status check_tokenizer(const struct tokens *t)
{
    const struct tokens_extent *e = &t->layout.tokenizer;
    const uint64_t digest = XXH3_64bits(t->map + e->offset, (size_t)e->count);

    if (digest != t->layout.info.tokenizer_digest)
        return RT_FAIL(RT_EDATA,
                       "%s: is damaged: the tokenizer inside has digest %016" PRIx64
                       ", must be %016" PRIx64 "; make the file again",
                       t->path, digest, t->layout.info.tokenizer_digest);
    return RT_OK;
}

rt_status tokens_open(const char *path, struct tokens **out)
{
    struct tokens *t = calloc(1, sizeof *t);
    rt_status st;

    *out = NULL;
    if (t == NULL || (t->path = strdup(path)) == NULL) {
        st = RT_FAIL(RT_ENOMEM, "%s: a token file", path);
        goto out;
    }
    RT_TRY_OUT(map_file(t));
    RT_TRY_OUT(tokens_layout_read(path, t->bytes, &t->layout));
    RT_TRY_OUT(check_tokenizer(t));
    *out = t;
    t = NULL;
out:
    tokens_close(&t);
    return st;
}

void tokens_close(struct tokens **t)
{
    if (*t == NULL) return;
    if ((*t)->map != NULL) munmap((*t)->map, (*t)->bytes);
    free((*t)->path);
    free(*t);
    *t = NULL;
}

const struct tokens_info *tokens_info(const struct tokens *t) { return &t->layout.info; }

const struct tokens_counted *tokens_counted(const struct tokens *t) { return &t->layout.counted; }

const char *tokens_path(const struct tokens *t) { return t->path; }

rt_status tokens_read(const struct tokens *t, tokens_split split, uint64_t first, size_t count,
                      int32_t *out)
{
    const struct tokens_extent *e = &t->layout.tokens[split];
    const uint32_t vocabulary = (uint32_t)t->layout.info.vocabulary;

    if (first > e->count || count > e->count - first)
        return RT_FAIL(RT_EINVAL, "%s: tokens %" PRIu64 " to %" PRIu64 " of %s, which has %" PRIu64,
                       t->path, first, first + count, tokens_split_name(split), e->count);
    const unsigned char *p = t->map + e->offset + first * (uint64_t)t->layout.info.bytes_per_token;
    for (size_t i = 0; i < count; i++) {
        uint32_t token;
        if (t->layout.info.bytes_per_token == 2) {
            uint16_t small;
            memcpy(&small, p + 2 * i, sizeof small);
            token = small;
        } else {
            memcpy(&token, p + 4 * i, sizeof token);
        }
        if (token >= vocabulary)
            return RT_FAIL(RT_EDATA,
                           "%s: token %" PRIu32 " at place %" PRIu64
                           " of %s is beyond the vocabulary of %" PRIu32 "; make the file again",
                           t->path, token, first + i, tokens_split_name(split), vocabulary);
        out[i] = (int32_t)token;
    }
    return RT_OK;
}

rt_status tokens_verify(const struct tokens *t)
{
    enum { STRETCH = 4096 };
    int32_t stretch[STRETCH];
    XXH3_state_t *state = XXH3_createState();
    rt_status st = RT_OK;

    if (state == NULL) return RT_FAIL(RT_ENOMEM, "%s: memory for a digest", t->path);
    XXH3_64bits_reset(state);
    for (int split = TOKENS_TRAIN; split <= TOKENS_HELDOUT; split++) {
        const struct tokens_extent *e = &t->layout.tokens[split];
        const uint64_t bytes = e->count * (uint64_t)t->layout.info.bytes_per_token;
        if (bytes > 0) XXH3_64bits_update(state, t->map + e->offset, (size_t)bytes);
        for (uint64_t i = 0; i < e->count; i += STRETCH) {
            const uint64_t left = e->count - i;
            RT_TRY_OUT(tokens_read(t, (tokens_split)split, i,
                                   left < STRETCH ? (size_t)left : STRETCH, stretch));
        }
    }
    const uint64_t digest = XXH3_64bits_digest(state);
    if (digest != t->layout.info.data_digest)
        st = RT_FAIL(RT_EDATA,
                     "%s: is damaged: the tokens have digest %016" PRIx64 ", must be %016" PRIx64
                     "; make the file again",
                     t->path, digest, t->layout.info.data_digest);
out:
    XXH3_freeState(state);
    return st;
}

rt_status tokens_tokenizer(const struct tokens *t, void **out, size_t *bytes)
{
    const struct tokens_extent *e = &t->layout.tokenizer;

    *out = malloc((size_t)e->count + 1);
    if (*out == NULL)
        return RT_FAIL(RT_ENOMEM, "%s: %" PRIu64 " bytes for the tokenizer", t->path, e->count);
    memcpy(*out, t->map + e->offset, (size_t)e->count);
    *bytes = (size_t)e->count;
    return RT_OK;
}
