/* tests/comm/fabric/tree.c - see tree.h */
#include "tests/comm/fabric/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
    const char *name;
    int error;
} errors[] = {{"!EIO", EIO}, {"!EACCES", EACCES}, {"!EINVAL", EINVAL}, {"!ENODEV", ENODEV}};

static int by_path(const void *a, const void *b)
{
    const struct tree_entry *x = a, *y = b;
    return strcmp(x->path, y->path);
}

void tree_sort(struct tree *t) { qsort(t->entries, t->count, sizeof t->entries[0], by_path); }

/* \n and \xHH in place; the new length. */
static size_t unescape(char *text)
{
    char *to = text;

    for (const char *at = text; *at != '\0';) {
        unsigned byte;
        if (at[0] == '\\' && at[1] == 'n') {
            *to++ = '\n';
            at += 2;
        } else if (at[0] == '\\' && at[1] == 'x' && sscanf(at + 2, "%2x", &byte) == 1) {
            *to++ = (char)byte;
            at += 4;
        } else {
            *to++ = *at++;
        }
    }
    return (size_t)(to - text);
}

/* One line of [tree]. The full path is built in *spare. */
static bool add_file(struct tree *t, char *line, char *folder, char **spare)
{
    char *tab = strchr(line, '\t');
    struct tree_entry *e = &t->entries[t->count];

    if (tab == NULL || t->count == TREE_ENTRIES) return false;
    *tab = '\0';
    if (strcmp(line, "@") == 0) {
        snprintf(folder, 256, "%s/", tab + 1);
        return true;
    }
    e->path = *spare;
    *spare += sprintf(*spare, "%s%s", line[0] == '/' ? "" : folder, line) + 1;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (strcmp(tab + 1, errors[i].name) == 0) e->error = errors[i].error;
    e->text = tab + 1;
    e->length = unescape(tab + 1);
    t->count++;
    return true;
}

static bool add_case(struct tree *t, char *line)
{
    if (sscanf(line, "ranks %d", &t->ranks) == 1 ||
        sscanf(line, "per-node %d", &t->per_node) == 1 || sscanf(line, "local %d", &t->local) == 1)
        return true;
    if (strncmp(line, "env ", 4) != 0 || t->env_count == TREE_ENV) return false;
    t->env[t->env_count++] = line + 4;
    return true;
}

static bool parse(struct tree *t, char *text, char *spare)
{
    char folder[256] = "";
    int part = 0;

    for (char *line = text, *next; *line != '\0'; line = next) {
        next = line + strcspn(line, "\n");
        if (*next != '\0') *next++ = '\0';
        if (line[0] == '\0' || line[0] == '#') continue;
        if (strcmp(line, "[expect]") == 0) {
            t->expect = next;
            tree_sort(t);
            return true;
        }
        if (line[0] == '[')
            part = strcmp(line, "[tree]") == 0 ? 2 : 1;
        else if (!(part == 2 ? add_file(t, line, folder, &spare) : add_case(t, line)))
            return false;
    }
    return false;
}

struct tree *tree_load(const char *path)
{
    FILE *file = fopen(path, "r");
    struct tree *t = calloc(1, sizeof *t);
    const size_t most = 1 << 20;

    if (t != NULL) t->memory = calloc(1, 4 * most); /* the text, then the full paths */
    if (file == NULL || t == NULL || t->memory == NULL) {
        printf("%s cannot be read\n", path);
        exit(1);
    }
    size_t n = fread(t->memory, 1, most - 1, file);
    fclose(file);
    t->memory[n] = '\0';
    if (parse(t, t->memory, t->memory + most)) return t;
    printf("%s is no fixture\n", path);
    tree_destroy(&t);
    return NULL;
}

void tree_destroy(struct tree **t)
{
    if (*t == NULL) return;
    free((*t)->memory);
    free(*t);
    *t = NULL;
}

/* The first entry whose path is not before `path`. */
static size_t lower(const struct tree *t, const char *path)
{
    size_t low = 0, high = t->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(t->entries[middle].path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Some folder in the path is a file. */
static bool below_a_file(const struct tree *t, const char *path)
{
    char part[256];

    for (const char *at = strchr(path + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        size_t n = (size_t)(at - path);
        if (n >= sizeof part) return false;
        memcpy(part, path, n);
        part[n] = '\0';
        size_t i = lower(t, part);
        if (i < t->count && strcmp(t->entries[i].path, part) == 0) return true;
    }
    return false;
}

static int read_entry(void *context, const char *path, char *text, size_t size)
{
    const struct tree *t = context;
    size_t i = lower(t, path);

    if (i == t->count || strcmp(t->entries[i].path, path) != 0)
        return below_a_file(t, path) ? -ENOTDIR : -ENOENT;
    const struct tree_entry *e = &t->entries[i];
    if (e->error > 0) return -e->error;
    size_t n = e->length < size - 1 ? e->length : size - 1;
    memcpy(text, e->text, n);
    text[n] = '\0';
    return (int)n;
}

static int list_entries(void *context, const char *path, comm_reader_name *names, int most)
{
    const struct tree *t = context;
    char folder[256], last[256] = "";
    int count = 0;
    int n = snprintf(folder, sizeof folder, "%s/", path);
    size_t first = lower(t, folder);

    if (first == t->count || strncmp(t->entries[first].path, folder, (size_t)n) != 0)
        return -ENOENT;
    for (size_t i = first; i < t->count; i++) {
        const char *name = t->entries[i].path + n;
        if (strncmp(t->entries[i].path, folder, (size_t)n) != 0) break;
        int length = (int)strcspn(name, "/");
        if (length == 0 || length > 200) continue;
        if ((int)strlen(last) == length && strncmp(last, name, (size_t)length) == 0) continue;
        snprintf(last, sizeof last, "%.*s", length, name);
        if (count < most) snprintf(names[count], sizeof names[count], "%.63s", last);
        count++;
    }
    return count;
}

static const char *env_of(void *context, const char *name)
{
    const struct tree *t = context;
    size_t n = strlen(name);

    for (size_t i = 0; i < t->env_count; i++)
        if (strncmp(t->env[i], name, n) == 0 && t->env[i][n] == '=') return t->env[i] + n + 1;
    return NULL;
}

struct comm_reader tree_reader(struct tree *t)
{
    return (struct comm_reader){
        .read = read_entry, .list = list_entries, .env = env_of, .context = t};
}

bool tree_unpack(const struct tree *t, const char *folder)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct tree_entry *e = &t->entries[i];
        char path[512];

        if (e->error == EINVAL) continue; /* as if it were not there */
        if (e->error > 0) return false;
        snprintf(path, sizeof path, "%s%s", folder, e->path);
        for (char *at = strchr(path + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
            *at = '\0';
            mkdir(path, 0777);
            *at = '/';
        }
        if (path[strlen(path) - 1] == '/') continue;
        FILE *f = fopen(path, "w");
        if (f == NULL || fwrite(e->text, 1, e->length, f) != e->length || fclose(f) != 0) {
            printf("%s cannot be written\n", path);
            return false;
        }
    }
    return true;
}
