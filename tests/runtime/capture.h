/* tests/runtime/capture.h - what a call writes on stderr, as text */
#ifndef TESTS_RUNTIME_CAPTURE_H
#define TESTS_RUNTIME_CAPTURE_H

#include <stdio.h>
#include <unistd.h>

struct capture {
    FILE *file;
    int saved; /* the real stderr */
};

static inline struct capture capture_begin(void)
{
    struct capture c = {.file = tmpfile(), .saved = dup(STDERR_FILENO)};
    fflush(stderr);
    if (c.file != NULL) dup2(fileno(c.file), STDERR_FILENO);
    return c;
}

/* The text, cut to size - 1 bytes; its length on the whole. */
static inline size_t capture_end(struct capture *c, char *text, size_t size)
{
    fflush(stderr);
    dup2(c->saved, STDERR_FILENO);
    close(c->saved);
    text[0] = '\0';
    if (c->file == NULL) return 0;
    rewind(c->file);
    size_t n = fread(text, 1, size - 1, c->file), more = 0;
    text[n] = '\0';
    while (fgetc(c->file) != EOF) more++;
    fclose(c->file);
    return n + more;
}

#endif
