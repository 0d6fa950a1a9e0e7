/* tests/data/fixture.h - a directory of its own, files in it, and what was said on stderr */
#ifndef TESTS_DATA_FIXTURE_H
#define TESTS_DATA_FIXTURE_H

#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/data/file.h"
#include "runtime/data/tokenizer.h"
#include "tests/check.h"

static char fixture_directory[256];

static inline void fixture_open(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(fixture_directory, sizeof fixture_directory, "%s/recua-data-XXXXXX",
             base != NULL ? base : "/tmp");
    if (mkdtemp(fixture_directory) == NULL) {
        perror(fixture_directory);
        exit(1);
    }
}

static inline int fixture_remove(const char *path, const struct stat *s, int type, struct FTW *f)
{
    (void)s, (void)type, (void)f;
    return remove(path);
}

static inline int fixture_close(void)
{
    nftw(fixture_directory, fixture_remove, 16, FTW_DEPTH | FTW_PHYS);
    printf(check_failures ? "%d checks failed\n" : "all checks passed\n", check_failures);
    return check_failures != 0;
}

/* The path of a name in the directory; lasts as long as the test. */
static inline const char *at(const char *name)
{
    static char *paths[256];
    char path[512];
    snprintf(path, sizeof path, "%s/%s", fixture_directory, name);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (paths[i] == NULL) paths[i] = strdup(path);
        if (strcmp(paths[i], path) == 0) return paths[i];
    }
    fprintf(stderr, "more paths than a test may have\n");
    exit(1);
}

static inline const char *put_bytes(const char *name, const void *data, size_t bytes)
{
    const char *path = at(name);
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(data, 1, bytes, f) != bytes || fclose(f) != 0) {
        perror(path);
        exit(1);
    }
    return path;
}

static inline const char *put_text(const char *name, const char *text)
{
    return put_bytes(name, text, strlen(text));
}

static inline void *get_bytes(const char *path, size_t *bytes)
{
    void *data = NULL;
    if (data_file_read(path, SIZE_MAX / 2, &data, bytes) != RT_OK) exit(1);
    return data;
}

static inline bool exists(const char *path) { return access(path, F_OK) == 0; }

static inline bool same_files(const char *a, const char *b)
{
    size_t m = 0, n = 0;
    void *x = get_bytes(a, &m), *y = get_bytes(b, &n);
    bool same = m == n && memcmp(x, y, n) == 0;
    free(x);
    free(y);
    return same;
}

static int said_stderr = -1;

/* What is written on stderr between the two. */
static inline void said_begin(void)
{
    fflush(stderr);
    said_stderr = dup(STDERR_FILENO);
    int fd = open(at("stderr"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    dup2(fd, STDERR_FILENO);
    close(fd);
}

static inline const char *said_end(void)
{
    static char text[8192];
    fflush(stderr);
    ssize_t n = pread(STDERR_FILENO, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    dup2(said_stderr, STDERR_FILENO);
    close(said_stderr);
    return text;
}

/* The expression has this status, and its message holds these words. */
#define CHECK_SAYS(expr, code, words)                                                              \
    do {                                                                                           \
        said_begin();                                                                              \
        const rt_status says_ = (expr);                                                            \
        const char *said_ = said_end();                                                            \
        if (!check_(says_ == (code), #expr " is " #code, __FILE__, __LINE__))                      \
            printf("    it is %d\n", (int)says_);                                                  \
        if (!check_(strstr(said_, (words)) != NULL, #expr " says " #words, __FILE__, __LINE__))    \
            printf("    it says %s\n", said_);                                                     \
    } while (0)

/* English-like text that depends on nothing but `seed`, about `bytes` long; malloc'ed. */
static inline char *make_text(uint64_t seed, size_t bytes)
{
    static const char *const words[] = {
        "the",  "llama", "train", "carries", "water",       "over",    "stone", "and",   "returns",
        "with", "salt",  "2026",  "14",      "caf\xC3\xA9", "path_to", "(x)",   "while", "int"};
    char *text = malloc(bytes + 32);
    size_t n = 0;
    while (n < bytes) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        const uint64_t r = seed >> 33;
        n += (size_t)sprintf(text + n, "%s%s", words[r % 18],
                             r % 11 == 0   ? "\n"
                             : r % 29 == 0 ? "  "
                                           : " ");
    }
    text[n] = '\0';
    return text;
}

/* A tokenizer of 400 pieces trained on make_text, in the directory. */
static inline const char *make_tokenizer(const char *name)
{
    char *text = make_text(1, 200000);
    const char *from = put_text("tokenizer-text.txt", text), *to = at(name);
    free(text);
    if (tokenizer_train(&from, 1, 400, to) != RT_OK) exit(1);
    return to;
}

#endif
