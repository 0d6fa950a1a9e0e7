/* comm/fabric/topology.c - see topology.h */
#include "comm/fabric/topology.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/log.h"

enum { MOST_BYTES = 16 << 20, MOST_WORD = COMM_READER_NAME - 1, WHY = 96 };

/* One host's line: words in the file's own memory. */
struct line {
    const char *host;
    char *leaves; /* the rest, words with spaces between */
    int number;
};

struct topology {
    char *text;
    struct line *lines;
    size_t count;
};

/* "n17" and "n17.cluster" are one host; "n17" and "n170" are not. */
static bool same_host(const char *a, const char *b)
{
    size_t x = strcspn(a, "."), y = strcspn(b, ".");
    bool whole = a[x] == '\0' || b[y] == '\0'; /* one of them has no domain */

    return strcmp(a, b) == 0 || (whole && x == y && x > 0 && strncmp(a, b, x) == 0);
}

/* The next word at *at, ended by a NUL; NULL where the line is done. */
static char *next_word(char **at)
{
    char *word = *at + strspn(*at, " \t");

    if (*word == '\0') return NULL;
    *at = word + strcspn(word, " \t");
    if (**at != '\0') *(*at)++ = '\0';
    return word;
}

/* Every word short and of bytes that print. */
static bool sound(const char *text)
{
    size_t run = 0;

    for (; *text != '\0'; text++) {
        run = *text == ' ' || *text == '\t' ? 0 : run + 1;
        if (run > MOST_WORD || (*text < ' ' && *text != '\t') || *text > '~') return false;
    }
    return true;
}

/* The whole file into t->text; NUL-terminated. False with the reason. */
static bool load(const struct comm_reader *r, const char *path, struct topology *t, char *why)
{
    for (size_t size = 1 << 16; size <= MOST_BYTES; size *= 4) {
        char *bigger = realloc(t->text, size);
        if (bigger == NULL) break;
        t->text = bigger;
        int n = r->read(r->context, path, t->text, size);
        if (n < 0) {
            snprintf(why, WHY, "it cannot be read: %s", strerror(-n));
            return false;
        }
        if ((size_t)n + 1 == size) continue;
        if (strlen(t->text) == (size_t)n) return true;
        snprintf(why, WHY, "it has NUL bytes in it");
        return false;
    }
    snprintf(why, WHY, "it is larger than %d bytes", MOST_BYTES);
    return false;
}

static int by_host(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    int order = strcmp(x->host, y->host);
    return order != 0 ? order : x->number - y->number;
}

/* The lines of the text; false with the line's number and the reason. */
static bool parse(struct topology *t, int *number, char *why)
{
    size_t lines = 1;

    for (const char *c = t->text; *c != '\0'; c++) lines += *c == '\n';
    t->lines = calloc(lines, sizeof *t->lines);
    *number = 0;
    snprintf(why, WHY, "no memory for its %zu lines", lines);
    if (t->lines == NULL) return false;
    for (char *at = t->text, *next; *at != '\0'; at = next) {
        next = at + strcspn(at, "\n");
        if (*next != '\0') *next++ = '\0';
        ++*number;
        at[strcspn(at, "#\r")] = '\0';
        snprintf(why, WHY, "a word is longer than %d bytes or has odd ones in it", MOST_WORD);
        if (!sound(at)) return false;
        char *host = next_word(&at);
        if (host == NULL) continue;
        at += strspn(at, " \t");
        snprintf(why, WHY, "a host without a leaf");
        if (*at == '\0') return false;
        t->lines[t->count++] = (struct line){.host = host, .leaves = at, .number = *number};
    }
    if (t->count > 0) qsort(t->lines, t->count, sizeof *t->lines, by_host);
    for (size_t i = 1; i < t->count; i++) {
        if (strcmp(t->lines[i].host, t->lines[i - 1].host) != 0) continue;
        *number = t->lines[i].number;
        snprintf(why, WHY, "a host that stands on line %d already", t->lines[i - 1].number);
        return false;
    }
    return true;
}

static void leaf_of_line(const struct line *l, int rail, char *leaf, size_t size)
{
    char *at = l->leaves;

    for (char *word = next_word(&at); word != NULL && rail >= 0; word = next_word(&at), rail--)
        snprintf(leaf, size, "%s", word);
}

static void from_file(const struct comm_reader *r, const char *path, const char *host, int rail,
                      char *leaf, size_t size)
{
    struct topology t = {0};
    char why[WHY] = "";
    int number = 0;

    if (!load(r, path, &t, why))
        rt_log_once(RT_LOG_WARN, "RECUA_TOPOLOGY is %s: %s: not used", path, why);
    else if (!parse(&t, &number, why))
        rt_log_once(RT_LOG_WARN, "%s:%d: %s; a line is `host leaf`: the file is not used", path,
                    number, why);
    else
        for (size_t i = 0; i < t.count && leaf[0] == '\0'; i++)
            if (same_host(t.lines[i].host, host)) leaf_of_line(&t.lines[i], rail, leaf, size);
    free(t.lines);
    free(t.text);
}

/* Parts of both texts go together; a host's name may have dots of its own, and it is the last. */
static void from_slurm(const struct comm_reader *r, char *leaf, size_t size)
{
    const char *at = comm_reader_env(r, "SLURM_TOPOLOGY_ADDR");
    const char *pattern = comm_reader_env(r, "SLURM_TOPOLOGY_ADDR_PATTERN");

    if (at == NULL || pattern == NULL || !sound(at)) return;
    while (strcmp(pattern, "node") != 0) {
        size_t part = strcspn(pattern, "."), name = strcspn(at, ".");
        if (pattern[part] == '\0' || at[name] == '\0' || name == 0) {
            leaf[0] = '\0'; /* they do not fit together */
            return;
        }
        snprintf(leaf, size, "%.*s", (int)name, at);
        pattern += part + 1;
        at += name + 1;
    }
}

void comm_topology_leaf(const struct comm_reader *r, const char *host, int rail, char *leaf,
                        size_t size)
{
    const char *path = comm_reader_env(r, "RECUA_TOPOLOGY");

    leaf[0] = '\0';
    if (path != NULL) from_file(r, path, host, rail, leaf, size);
    if (leaf[0] == '\0') from_slurm(r, leaf, size);
}

struct key {
    const char *host, *leaf;
    int local_rank, rank, first; /* first: the first rank of its host */
};

static int by_name(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    int order = strcmp(x->host, y->host);
    return order != 0 ? order : x->rank - y->rank;
}

static int by_place(const void *a, const void *b)
{
    const struct key *x = a, *y = b;

    if ((x->leaf[0] == '\0') != (y->leaf[0] == '\0')) return x->leaf[0] == '\0' ? 1 : -1;
    int order = comm_reader_order(x->leaf, y->leaf);
    if (order == 0) order = strcmp(x->leaf, y->leaf);
    if (order == 0) order = x->first < y->first ? -1 : x->first > y->first;
    if (order == 0) order = x->local_rank < y->local_rank ? -1 : x->local_rank > y->local_rank;
    return order != 0 ? order : x->rank - y->rank;
}

rt_status comm_topology_order(const struct comm_topology_place *places, size_t count, int *order)
{
    struct key *keys = calloc(count > 0 ? count : 1, sizeof *keys);

    if (keys == NULL) return RT_FAIL(RT_ENOMEM, "the order of %zu ranks", count);
    for (size_t i = 0; i < count; i++)
        keys[i] = (struct key){places[i].host, places[i].leaf, places[i].local_rank, (int)i, 0};
    qsort(keys, count, sizeof *keys, by_name);
    for (size_t i = 0; i < count; i++) {
        bool begins = i == 0 || strcmp(keys[i].host, keys[i - 1].host) != 0;
        keys[i].first = begins ? keys[i].rank : keys[i - 1].first;
        keys[i].leaf = places[keys[i].first].leaf;
    }
    qsort(keys, count, sizeof *keys, by_place);
    for (size_t i = 0; i < count; i++) order[i] = keys[i].rank;
    free(keys);
    return RT_OK;
}
