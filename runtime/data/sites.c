/* runtime/data/sites.c - see sites.h */
#include "runtime/data/sites.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/data/file.h"

enum { HOST_BYTES = 256 }; /* DNS: 253 */
enum { LIST_BYTES = 1 << 30 };

struct sites {
    char *text;         /* owns the bytes */
    const char **names; /* (count), sorted, lower case */
    size_t count, room;
};

/* The host of a URL or of a bare domain, in lower case; false if there is none. */
static bool host_of(const char *url, char host[HOST_BYTES])
{
    const char *scheme = strstr(url, "://");
    const char *begin = scheme != NULL ? scheme + 3 : url;
    size_t length = strcspn(begin, "/?#\\");
    const char *at = memrchr(begin, '@', length);

    if (at != NULL) {
        length -= (size_t)(at + 1 - begin);
        begin = at + 1;
    }
    const char *colon = length > 0 && begin[0] != '[' ? memchr(begin, ':', length) : NULL;
    if (colon != NULL) length = (size_t)(colon - begin);
    while (length > 0 && begin[length - 1] == '.') length--;
    if (length == 0 || length >= HOST_BYTES) return false;
    for (size_t i = 0; i < length; i++) host[i] = (char)tolower((unsigned char)begin[i]);
    host[length] = '\0';
    return true;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static rt_status add(struct sites *s, const char *path, size_t number, char *line)
{
    char host[HOST_BYTES];

    while (isspace((unsigned char)*line)) line++;
    for (size_t n = strlen(line); n > 0 && isspace((unsigned char)line[n - 1]); n--)
        line[n - 1] = '\0';
    if (line[0] == '\0' || line[0] == '#') return RT_OK;
    if (!host_of(line, host) || strpbrk(host, " \t,;*") != NULL || strlen(host) > strlen(line))
        return RT_FAIL(RT_EDATA, "%s:%zu: '%.80s' is no domain; one a line, such as example.org",
                       path, number, line);
    if (s->count == s->room) {
        size_t room = s->room > 0 ? 2 * s->room : 256;
        const char **names = realloc(s->names, room * sizeof *names);
        if (names == NULL) return RT_FAIL(RT_ENOMEM, "%s: %zu domains", path, room);
        s->names = names;
        s->room = room;
    }
    strcpy(line, host); /* never longer than what it came from */
    s->names[s->count++] = line;
    return RT_OK;
}

rt_status sites_load(const char *path, struct sites **out)
{
    struct sites *s = calloc(1, sizeof *s);
    void *text = NULL;
    size_t bytes = 0, number = 0;
    rt_status st;

    *out = NULL;
    if (s == NULL) return RT_FAIL(RT_ENOMEM, "%s: a list of sites", path);
    RT_TRY_OUT(data_file_read(path, LIST_BYTES, &text, &bytes));
    s->text = text;
    char *line = s->text;
    while (line != NULL) {
        char *next = strchr(line, '\n');
        if (next != NULL) *next++ = '\0';
        RT_TRY_OUT(add(s, path, ++number, line));
        line = next;
    }
    if (s->count == 0) {
        st = RT_FAIL(RT_EDATA, "%s: no domain in it; one a line, such as example.org", path);
        goto out;
    }
    qsort(s->names, s->count, sizeof *s->names, compare);
    *out = s;
    s = NULL;
out:
    sites_destroy(&s);
    return st;
}

void sites_destroy(struct sites **s)
{
    if (*s == NULL) return;
    free((*s)->names);
    free((*s)->text);
    free(*s);
    *s = NULL;
}

bool sites_hold(const struct sites *s, const char *url)
{
    char host[HOST_BYTES];

    if (!host_of(url, host)) return false;
    /* the host itself, then its parents: a.b.c, b.c, c */
    for (const char *name = host; name != NULL;) {
        if (bsearch(&name, s->names, s->count, sizeof *s->names, compare) != NULL) return true;
        name = strchr(name, '.');
        if (name != NULL) name++;
    }
    return false;
}
