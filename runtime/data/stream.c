/* runtime/data/stream.c - see stream.h */
#include "runtime/data/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { IN_BYTES = 1 << 18 };

typedef enum { PLAIN, GZIP, ZSTD } stream_kind;

struct stream {
    char *path;
    int fd;
    stream_kind kind;
    unsigned char *in; /* (IN_BYTES) bytes of the file not yet used: [pos, len) */
    size_t pos, len;
    bool in_frame; /* gzip, zstd: a member is begun and not yet ended */
    z_stream z;
    bool z_ready;
    ZSTD_DStream *zstd;
};

/* Formats that people do feed to text tools. */
static const struct {
    const char *magic;
    size_t bytes;
    const char *what, *remedy;
} foreign[] = {
    {"PAR1", 4, "parquet",
     "convert it: python3 -c \"import pandas; pandas.read_parquet('IN.parquet')"
     ".to_json('OUT.jsonl', orient='records', lines=True, force_ascii=False)\""},
    {"\xFD"
     "7zXZ",
     5, "xz", "decompress it with xz -d, or recompress it with zstd"},
    {"BZh", 3, "bzip2", "decompress it with bzip2 -d, or recompress it with zstd"},
    {"PK\3\4", 4, "zip", "unpack it"},
    {"\x89HDF", 4, "HDF5", "token files are made from text, not from token files"},
    {"\xFF\xFE", 2, "UTF-16", "convert it with iconv -f UTF-16 -t UTF-8"},
    {"\xFE\xFF", 2, "UTF-16", "convert it with iconv -f UTF-16 -t UTF-8"},
};

static rt_status fill(struct stream *s)
{
    s->pos = s->len = 0;
    while (s->len < IN_BYTES) {
        ssize_t n = read(s->fd, s->in + s->len, IN_BYTES - s->len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return RT_FAIL(RT_EIO, "%s: cannot be read: %s", s->path, strerror(errno));
        if (n == 0) break;
        s->len += (size_t)n;
    }
    return RT_OK;
}

static rt_status recognise(struct stream *s)
{
    const unsigned char *p = s->in;

    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        if (s->len >= foreign[i].bytes && memcmp(p, foreign[i].magic, foreign[i].bytes) == 0)
            return RT_FAIL(RT_EDATA, "%s: is %s, not plain, gzip or zstd text; %s", s->path,
                           foreign[i].what, foreign[i].remedy);
    if (s->len >= 2 && p[0] == 0x1F && p[1] == 0x8B) {
        s->kind = GZIP;
        if (inflateInit2(&s->z, 15 + 16) != Z_OK)
            return RT_FAIL(RT_ENOMEM, "%s: memory for gzip", s->path);
        s->z_ready = true;
    }
    /* a zstd frame, or a skippable frame before one */
    bool zstd = s->len >= 4 && p[0] == 0x28 && p[1] == 0xB5 && p[2] == 0x2F && p[3] == 0xFD;
    bool skip =
        s->len >= 4 && (p[0] & 0xF0) == 0x50 && p[1] == 0x2A && p[2] == 0x4D && p[3] == 0x18;
    if (zstd || skip) {
        s->kind = ZSTD;
        s->zstd = ZSTD_createDStream();
        if (s->zstd == NULL) return RT_FAIL(RT_ENOMEM, "%s: memory for zstd", s->path);
    }
    return RT_OK;
}

static rt_status open_file(struct stream *s, const char *path)
{
    struct stat info;

    s->path = strdup(path);
    s->in = malloc(IN_BYTES);
    if (s->path == NULL || s->in == NULL)
        return RT_FAIL(RT_ENOMEM, "%s: %d bytes to read it", path, IN_BYTES);
    s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (s->fd < 0)
        return RT_FAIL(errno == ENOENT ? RT_EMISSING : RT_EIO, "%s: cannot be opened: %s", path,
                       strerror(errno));
    if (fstat(s->fd, &info) != 0) return RT_FAIL(RT_EIO, "%s: %s", path, strerror(errno));
    if (S_ISDIR(info.st_mode))
        return RT_FAIL(RT_EDATA,
                       "%s: is a directory; list its files (find %s -type f | sort > LIST) and "
                       "give --input-list LIST",
                       path, path);
    if (!S_ISREG(info.st_mode))
        return RT_FAIL(RT_EDATA, "%s: is not a regular file; write the text to a file first", path);
    return RT_OK;
}

rt_status stream_open(const char *path, struct stream **out)
{
    struct stream *s = calloc(1, sizeof *s);
    rt_status st;

    *out = NULL;
    if (s == NULL) return RT_FAIL(RT_ENOMEM, "%s: a stream", path);
    s->fd = -1;
    RT_TRY_OUT(open_file(s, path));
    RT_TRY_OUT(fill(s));
    RT_TRY_OUT(recognise(s));
    *out = s;
    s = NULL;
out:
    stream_close(&s);
    return st;
}

void stream_close(struct stream **s)
{
    if (*s == NULL) return;
    if ((*s)->z_ready) inflateEnd(&(*s)->z);
    ZSTD_freeDStream((*s)->zstd);
    if ((*s)->fd >= 0) close((*s)->fd);
    free((*s)->in);
    free((*s)->path);
    free(*s);
    *s = NULL;
}

/* Each of these uses some of in[pos, len) and makes *made bytes of out. */
static rt_status step_plain(struct stream *s, unsigned char *out, size_t room, size_t *made)
{
    *made = room < s->len - s->pos ? room : s->len - s->pos;
    memcpy(out, s->in + s->pos, *made);
    s->pos += *made;
    return RT_OK;
}

static rt_status step_gzip(struct stream *s, unsigned char *out, size_t room, size_t *made)
{
    const uInt take = (uInt)(room < (1u << 30) ? room : 1u << 30);

    s->z.next_in = s->in + s->pos;
    s->z.avail_in = (uInt)(s->len - s->pos);
    s->z.next_out = out;
    s->z.avail_out = take;
    int code = inflate(&s->z, Z_NO_FLUSH);
    s->in_frame = true;
    s->pos = s->len - s->z.avail_in;
    *made = take - s->z.avail_out;
    if (code == Z_STREAM_END) { /* another member may follow */
        s->in_frame = false;
        code = inflateReset(&s->z);
    }
    if (code != Z_OK && code != Z_BUF_ERROR)
        return RT_FAIL(RT_EDATA, "%s: damaged gzip: %s; fetch or compress it again", s->path,
                       s->z.msg != NULL ? s->z.msg : zError(code));
    return RT_OK;
}

static rt_status step_zstd(struct stream *s, unsigned char *out, size_t room, size_t *made)
{
    ZSTD_inBuffer in = {s->in, s->len, s->pos};
    ZSTD_outBuffer to = {out, room, 0};
    const size_t code = ZSTD_decompressStream(s->zstd, &to, &in);

    s->pos = in.pos;
    *made = to.pos;
    if (ZSTD_isError(code))
        return RT_FAIL(RT_EDATA, "%s: damaged zstd: %s; fetch or compress it again", s->path,
                       ZSTD_getErrorName(code));
    s->in_frame = code != 0;
    return RT_OK;
}

rt_status stream_read(struct stream *s, void *out, size_t room, size_t *got)
{
    unsigned char *to = out;

    *got = 0;
    while (*got < room) {
        size_t made = 0;
        bool ended = false;
        if (s->pos == s->len) {
            RT_TRY(fill(s));
            ended = s->len == 0;
        }
        if (ended && !s->in_frame) break;
        /* at the end of the file a codec may still hold output back */
        if (s->kind == PLAIN) RT_TRY(step_plain(s, to + *got, room - *got, &made));
        if (s->kind == GZIP) RT_TRY(step_gzip(s, to + *got, room - *got, &made));
        if (s->kind == ZSTD) RT_TRY(step_zstd(s, to + *got, room - *got, &made));
        if (ended && made == 0 && s->in_frame)
            return RT_FAIL(RT_EDATA,
                           "%s: truncated %s: the file ends within a frame; fetch it "
                           "again",
                           s->path, s->kind == GZIP ? "gzip" : "zstd");
        *got += made;
    }
    return RT_OK;
}
