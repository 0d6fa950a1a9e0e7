/* tests/data/test_documents.c - runtime/data/documents.h: what comes out of files, and what is
 * refused */
#include "runtime/data/documents.h"

#include <sys/resource.h>
#include <zlib.h>
#include <zstd.h>

#include "tests/data/fixture.h"

/* What the reader hands over: "number:text|" for good ones, "number!|" bad, "number-|" excluded. */
struct seen {
    char text[1 << 16];
    size_t used;
    uint64_t bytes, number;
    unsigned every; /* wants only each every-th, 0: all */
    bool keep;
    bool begun;
};

static void note(struct seen *s, const char *text, size_t bytes)
{
    if (!s->keep || s->used + bytes >= sizeof s->text) return;
    memcpy(s->text + s->used, text, bytes);
    s->used += bytes;
    s->text[s->used] = '\0';
}

static bool wants(void *ctx, uint64_t number)
{
    struct seen *s = ctx;
    s->number = number;
    s->begun = false;
    return s->every == 0 || number % s->every == 0;
}

static rt_status take(void *ctx, const char *text, size_t bytes)
{
    struct seen *s = ctx;
    char head[32];
    snprintf(head, sizeof head, "%d:", (int)s->number);
    if (!s->begun) note(s, head, strlen(head));
    s->begun = true;
    s->bytes += bytes;
    note(s, text, bytes);
    return RT_OK;
}

static rt_status end(void *ctx, document_verdict v)
{
    struct seen *s = ctx;
    char tail[32];
    snprintf(tail, sizeof tail, "%d%s", (int)s->number, v == DOCUMENT_BAD ? "!|" : "-|");
    if (v == DOCUMENT_GOOD)
        note(s, "|", 1);
    else
        note(s, tail, strlen(tail));
    return RT_OK;
}

static struct seen seen;
static struct documents_options options;

static rt_status read_files(const char *const *paths, size_t count)
{
    const struct document_sink sink = {&seen, wants, take, end};
    struct documents_options o = options;
    uint64_t files, numbers;
    const unsigned every = seen.every;

    memset(&seen, 0, sizeof seen);
    seen.keep = true;
    seen.every = every;
    o.inputs = paths;
    o.input_count = count;
    return documents_read(&o, &sink, &files, &numbers);
}

static rt_status read_one(const char *path) { return read_files(&path, 1); }

static bool gives(const char *path, const char *what)
{
    const rt_status st = read_one(path);
    if (st != RT_OK || strcmp(seen.text, what) != 0) printf("    %d '%s'\n", st, seen.text);
    return st == RT_OK && strcmp(seen.text, what) == 0;
}

static void put_gzip(const char *name, const char *text, const char *mode)
{
    gzFile f = gzopen(at(name), mode);
    gzwrite(f, text, (unsigned)strlen(text));
    gzclose(f);
}

static void put_zstd(const char *name, const void *text, size_t bytes)
{
    const size_t room = ZSTD_compressBound(bytes);
    char *packed = malloc(room);
    put_bytes(name, packed, ZSTD_compress(packed, room, text, bytes, 1));
    free(packed);
}

static void plain_gzip_and_zstd_are_told_by_their_bytes(void)
{
    CHECK(gives(put_text("a.txt", "one\ntwo\n"), "0:one\ntwo\n|"));
    CHECK(gives(put_text("COPYING", "licence"), "0:licence|"));
    CHECK(gives(put_text("empty", ""), "|"));
    CHECK(gives(put_text("bom.txt", "\xEF\xBB\xBFx"), "0:x|"));
    put_gzip("a.gz", "packed", "wb");
    CHECK(gives(at("a.gz"), "0:packed|"));
    put_gzip("a.gz", " twice", "ab"); /* another member */
    CHECK(gives(at("a.gz"), "0:packed twice|"));
    put_zstd("a.zst", "zstd text", 9);
    CHECK(gives(at("a.zst"), "0:zstd text|"));
    put_gzip("b.jsonl.gz", "{\"text\":\"j\"}\n", "wb");
    CHECK(gives(at("b.jsonl.gz"), "0:j|"));
}

static void json_lines_are_documents(void)
{
    const char *path =
        put_text("c.jsonl", "\xEF\xBB\xBF{\"text\":\"a\\u00e9\\n\",\"n\":1}\n\n"
                            "  \r\n{\"text\":\"\"}\r\n{\"url\":\"u\",\"text\":\"z\"}");
    CHECK(gives(path, "0:a\xC3\xA9\n||2:z|"));
    options.field = "body";
    CHECK(gives(put_text("d.ndjson", "{\"body\":\"b\",\"text\":3}\n"), "0:b|"));
    CHECK_SAYS(read_one(path), RT_EDATA, "c.jsonl:1: no field 'body'");
    options.field = NULL;
    const char *both[] = {at("a.txt"), path};
    seen.every = 2;
    CHECK_OK(read_files(both, 2));
    CHECK(strcmp(seen.text, "0:one\ntwo\n||") == 0);
    seen.every = 0;
}

static void sites_are_left_out_by_url(void)
{
    struct sites *s = NULL;
    CHECK_OK(sites_load(put_text("sites", "bad.org\n"), &s));
    options.sites = s;
    CHECK(gives(put_text("s.jsonl", "{\"text\":\"a\",\"url\":\"http://www.bad.org/\"}\n"
                                    "{\"text\":\"b\",\"url\":\"http://good.org/\"}\n"
                                    "{\"text\":\"c\"}\n{\"text\":\"d\",\"url\":7}\n"),
                "0-|1:b|2:c|3:d|"));
    options.sites = NULL;
    sites_destroy(&s);
}

/* name, bytes, words of the message; NULL ends */
struct refusal {
    const char *name, *bytes;
    size_t count;
    const char *words;
};
#define R(name, bytes, words)                                                                      \
    {                                                                                              \
        name, bytes, sizeof(bytes) - 1, words                                                      \
    }

static void bad_documents_are_refused_with_their_place(void)
{
    static const struct refusal all[] = {
        R("nul.txt", "ab\ncd\0ef", "nul.txt:2: a NUL byte at offset 5"),
        R("bad.txt", "ab\n\ncd\xFF", "bad.txt:3: byte 0xff at offset 6 is not UTF-8"),
        R("cut.txt", "ab\xE2\x82", "byte 0xe2 at offset 2"),
        R("nul.jsonl", "{\"text\":\"a\"}\n{\"text\":\"\0\"}\n", "nul.jsonl:2: a NUL byte"),
        R("esc.jsonl", "{\"text\":\"a\\u0000b\"}\n", "esc.jsonl:1: a NUL byte at offset 1"),
        R("sur.jsonl", "{\"text\":\"\\ud800\"}\n", "sur.jsonl:1: not JSON"),
        R("bad.jsonl", "{\"text\":\"\xC0\x80\"}\n", "bad.jsonl:1: byte 0xc0 at offset 9"),
        R("arr.jsonl", "[1]\n", "arr.jsonl:1: not a JSON object"),
        R("num.jsonl", "{\"text\":3}\n", "field 'text' is not a string"),
        R("none.jsonl", "{}\n{\"txt\":\"\"}\n", "none.jsonl:1: no field 'text'"),
        R("syn.jsonl", "{\"text\":\"a\"}\n{\"text\":\n", "syn.jsonl:2: not JSON"),
        R("two.jsonl", "{\"text\":\"a\"} {\"text\":\"b\"}\n", "two.jsonl:1: not JSON"),
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        const char *path = put_bytes(all[i].name, all[i].bytes, all[i].count);
        CHECK_SAYS(read_one(path), RT_EDATA, "--skip-bad");
        said_begin();
        (void)read_one(path);
        const char *said = said_end();
        if (!CHECK(strstr(said, all[i].words) != NULL)) printf("    %s: %s", all[i].name, said);
        options.skip_bad = true;
        CHECK_OK(read_one(path));
        CHECK(strstr(seen.text, "!|") != NULL);
        options.skip_bad = false;
    }
}

static void files_that_are_no_text_are_named(void)
{
    static const struct refusal all[] = {
        R("p.txt", "PAR1....", "parquet"),
        R("p.jsonl", "PAR1....", "pandas.read_parquet"),
        R("x.txt",
          "\xFD"
          "7zXZ\0",
          "xz -d"),
        R("u.txt", "\xFF\xFEh\0", "iconv"),
        R("h.txt", "\x89HDF\r\n", "HDF5"),
        R("g.gz", "\x1F\x8B\x08garbage garbage", "damaged gzip"),
        R("z.zst", "\x28\xB5\x2F\xFDgarbage garbage", "damaged zstd"),
    };
    options.skip_bad = true; /* no excuse for these */
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        const char *path = put_bytes(all[i].name, all[i].bytes, all[i].count);
        said_begin();
        const rt_status st = read_one(path);
        const char *said = said_end();
        if (!CHECK(st == RT_EDATA && strstr(said, all[i].words) != NULL))
            printf("    %s: %d %s", all[i].name, st, said);
    }
    options.skip_bad = false;
    CHECK_SAYS(read_one(at("not-there")), RT_EMISSING, "not-there");
    CHECK_SAYS(read_one(fixture_directory), RT_EDATA, "is a directory");
}

static void truncated_gzip_and_zstd_are_refused(void)
{
    char *text = make_text(3, 300000);
    size_t bytes;
    put_gzip("t.gz", text, "wb");
    put_zstd("t.zst", text, strlen(text));
    const char *const names[] = {"t.gz", "t.zst"};
    for (int k = 0; k < 2; k++) {
        char *packed = get_bytes(at(names[k]), &bytes);
        const size_t cuts[] = {4, 20, bytes / 2, bytes - 9, bytes - 1};
        for (size_t c = 0; c < sizeof cuts / sizeof cuts[0]; c++) {
            const char *path = put_bytes("cut", packed, cuts[c]);
            CHECK_SAYS(read_one(path), RT_EDATA, k == 0 ? "truncated gzip" : "truncated zstd");
        }
        free(packed);
    }
    free(text);
}

static void long_lines_are_refused_at_the_limit(void)
{
    char *line = malloc(3 << 20);
    memset(line, 'x', 3 << 20);
    options.line_limit = 1000;
    line[1000] = '\n';
    CHECK_OK(read_one(put_bytes("ok.txt", line, 1001)));
    line[1000] = 'x';
    CHECK_SAYS(read_one(put_bytes("long.txt", line, 1001)), RT_EDATA, "long.txt:1: the line is");
    CHECK_SAYS(read_one(put_bytes("long.jsonl", line, 1001)), RT_EDATA, "long.jsonl:1: the line");
    options.skip_bad = true;
    memcpy(line + (2 << 20), "\n{\"text\":\"after\"}\n", 18);
    CHECK(gives(put_bytes("long.jsonl", line, (2 << 20) + 18), "0!|1:after|"));
    CHECK(gives(put_bytes("long.jsonl", line, 2 << 20), "0!|"));
    options.skip_bad = false;
    options.line_limit = 0;
    free(line);
}

/* Pieces of a large file are the file. */
static void large_files_come_in_pieces_and_whole(void)
{
    const size_t bytes = 3500000;
    char *text = make_text(9, bytes);
    const size_t n = strlen(text);
    CHECK_OK(read_one(put_bytes("large.txt", text, n)));
    CHECK(seen.bytes == n);
    put_zstd("large.txt.zst", text, n);
    CHECK_OK(read_one(at("large.txt.zst")));
    CHECK(seen.bytes == n);
    text[n - 1] = '\xFF'; /* bad at its very end: nothing was handed over */
    CHECK_SAYS(read_one(put_bytes("late.txt", text, n)), RT_EDATA, "is not UTF-8");
    CHECK(seen.bytes == 0);
    options.max_bytes = 1 << 20;
    CHECK_OK(read_one(at("large.txt")));
    CHECK(seen.bytes <= 1 << 20 && seen.bytes > (1 << 20) - 4);
    options.max_bytes = 0;
    free(text);
}

static void max_bytes_stops_within_a_document(void)
{
    const char *both[] = {put_text("m1.txt", "h\xC3\xA9llo"), put_text("m2.txt", "world"),
                          at("not-there")};
    options.max_bytes = 8;
    CHECK_OK(read_files(both, 3));
    CHECK(strcmp(seen.text, "0:h\xC3\xA9llo|1:wo|") == 0);
    options.max_bytes = 2; /* within a character */
    CHECK_OK(read_files(both, 3));
    CHECK(strcmp(seen.text, "0:h|") == 0);
    options.max_bytes = 8;
    seen.every = 2; /* others' text counts too */
    CHECK_OK(read_files(both, 3));
    CHECK(strcmp(seen.text, "0:h\xC3\xA9llo|") == 0);
    seen.every = 0;
    options.max_bytes = 0;
}

/* 1 GiB and a little of one line, 100 KB on disk: refused, in little memory. */
static void a_line_above_one_gib_is_refused_in_little_memory(void)
{
    const size_t step = 1 << 20;
    char *text = malloc(step), *packed = malloc(ZSTD_compressBound(step));
    struct rusage before, after;
    FILE *f = fopen(at("huge.txt.zst"), "wb");
    memset(text, 'a', step);
    const size_t n = ZSTD_compress(packed, ZSTD_compressBound(step), text, step, 1);
    for (int i = 0; i < 1025; i++) fwrite(packed, 1, n, f);
    fclose(f);
    free(text);
    free(packed);
    getrusage(RUSAGE_SELF, &before);
    CHECK_SAYS(read_one(at("huge.txt.zst")), RT_EDATA, "longer than 1073741824 bytes");
    getrusage(RUSAGE_SELF, &after);
    CHECK(seen.bytes == 0);
    CHECK(after.ru_maxrss - before.ru_maxrss < 64 << 10); /* KiB; sanitizers included */
}

int main(void)
{
    fixture_open();
    plain_gzip_and_zstd_are_told_by_their_bytes();
    json_lines_are_documents();
    sites_are_left_out_by_url();
    bad_documents_are_refused_with_their_place();
    files_that_are_no_text_are_named();
    truncated_gzip_and_zstd_are_refused();
    long_lines_are_refused_at_the_limit();
    large_files_come_in_pieces_and_whole();
    max_bytes_stops_within_a_document();
    a_line_above_one_gib_is_refused_in_little_memory();
    return fixture_close();
}
