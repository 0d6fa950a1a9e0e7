/* jobs/train/schema_check.c - a run file's tree held against the table of schema.c */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/train/schema.h"

/* Keys that the table does not hold: the list of sources, its short form, and what run.yaml
 * carries of the run's past. */
static const char *const others[] = {"data.sources", "data.file", "history"};
enum { OTHERS = sizeof others / sizeof others[0], WORD_MOST = 64 };

/* Levenshtein's distance, letters alike whatever their case; words are cut at WORD_MOST. */
static int distance(const char *a, const char *b)
{
    int row[WORD_MOST + 1];
    const int la = (int)strnlen(a, WORD_MOST), lb = (int)strnlen(b, WORD_MOST);

    for (int j = 0; j <= lb; j++) row[j] = j;
    for (int i = 1; i <= la; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= lb; j++) {
            const int same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            const int change = diagonal + (same ? 0 : 1);
            diagonal = row[j];
            int best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = change < best ? change : best;
        }
    }
    return row[lb];
}

static const char *last_word(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot != NULL ? dot + 1 : path;
}

/* A key that was cut short is near. */
static int cut_distance(const char *path, const char *valid)
{
    const size_t n = strlen(path);
    const int d = distance(path, valid);

    return d > 1 && n >= 4 && strncmp(path, valid, n) == 0 ? 1 : d;
}

/* A key in the right section, misspelt, is nearer than a well-spelt one in the wrong section. */
static int far(const char *path, const char *valid)
{
    const int whole = 2 * cut_distance(path, valid);
    const int word = 3 + 2 * cut_distance(last_word(path), last_word(valid));

    return whole < word ? whole : word;
}

static void nearer(const char *valid, int d, int *least, char *buffer, size_t bytes)
{
    if (d >= *least) return;
    *least = d;
    snprintf(buffer, bytes, "%s", valid);
}

const char *schema_nearest(const char *path, char *buffer, size_t bytes)
{
    char section[WORD_MOST];
    int least = INT_MAX;

    for (size_t i = 0; i < schema_count; i++) {
        const char *valid = schema_keys[i].path, *dot = strchr(valid, '.');
        nearer(valid, far(path, valid), &least, buffer, bytes);
        if (dot == NULL || strchr(path, '.') != NULL) continue;
        snprintf(section, sizeof section, "%.*s", (int)(dot - valid), valid);
        nearer(section, 2 * distance(path, section), &least, buffer, bytes);
    }
    for (size_t i = 0; i < OTHERS; i++)
        nearer(others[i], far(path, others[i]), &least, buffer, bytes);
    return buffer;
}

static const struct schema_key *find_row(const char *path)
{
    for (size_t i = 0; i < schema_count; i++)
        if (strcmp(schema_keys[i].path, path) == 0) return &schema_keys[i];
    return NULL;
}

static bool is_other(const char *path)
{
    for (size_t i = 0; i < OTHERS; i++)
        if (strcmp(others[i], path) == 0) return true;
    return false;
}

/* The first key of a section, or NULL: there is no such section. */
static const char *first_key(const char *section)
{
    const size_t n = strlen(section);

    for (size_t i = 0; i < schema_count; i++)
        if (strncmp(schema_keys[i].path, section, n) == 0 && schema_keys[i].path[n] == '.')
            return schema_keys[i].path;
    return NULL;
}

static rt_status unknown(const struct tree *t, const char *path)
{
    char where[512], nearest[128];

    tree_where(t, where, sizeof where);
    if (strchr(t->key, '.') != NULL)
        return RT_FAIL(RT_EINVAL,
                       "%s: '%s' is no key; write its first word as a section, the rest below it",
                       where, t->key);
    return RT_FAIL(RT_EINVAL, "%s: unknown key '%s'; the nearest is '%s'", where, path,
                   schema_nearest(path, nearest, sizeof nearest));
}

static rt_status check_keys(const struct tree *root, const char *name)
{
    char where[512], path[512];

    if (root->kind != TREE_MAP)
        return RT_FAIL(RT_EINVAL, "%s: holds no keys, must be 'key: value' lines", name);
    for (size_t i = 0; i < root->count; i++) {
        const struct tree *t = root->items[i];
        if (strchr(t->key, '.') != NULL) return unknown(t, t->key);
        if (find_row(t->key) != NULL || is_other(t->key)) continue;
        if (first_key(t->key) == NULL) return unknown(t, t->key);
        if (t->kind != TREE_MAP)
            return RT_FAIL(RT_EINVAL, "%s: '%s' is a section, must hold keys such as '%s'",
                           tree_where(t, where, sizeof where), t->key, first_key(t->key));
        for (size_t j = 0; j < t->count; j++) {
            snprintf(path, sizeof path, "%s.%s", t->key, t->items[j]->key);
            if (find_row(path) == NULL && !is_other(path)) return unknown(t->items[j], path);
        }
    }
    return RT_OK;
}

/* Decimal, no sign but minus, no leading zero: libcyaml would take 010 for eight. */
static bool is_whole(const char *text, double *value)
{
    const char *digits = text + (*text == '-');

    if (*digits == '\0' || strspn(digits, "0123456789") != strlen(digits)) return false;
    if (*digits == '0' && (digits[1] != '\0' || digits != text)) return false;
    errno = 0;
    *value = strtod(text, NULL);
    return errno == 0;
}

static bool is_real(const char *text, double *value)
{
    char *end;

    if (*text == '\0' || strspn(text, "+-0123456789.eE") != strlen(text)) return false;
    errno = 0;
    *value = strtod(text, &end);
    return *end == '\0' && isfinite(*value);
}

static bool is_word(const struct schema_key *k, const char *text)
{
    for (unsigned i = 0; i < k->word_count; i++)
        if (strcmp(k->words[i].str, text) == 0) return true;
    return false;
}

static bool holds(const struct schema_key *k, const char *text)
{
    double v = 0;

    switch (k->type) {
    case SCHEMA_INT: return is_whole(text, &v) && v >= k->least && v <= k->most;
    case SCHEMA_U64:
        if (!is_whole(text, &v) || v < k->least || v > k->most) return false;
        errno = 0; /* near 2^64 a double is too coarse to tell */
        return strtoull(text, NULL, 10) < UINT64_MAX || errno == 0;
    case SCHEMA_REAL: return is_real(text, &v) && v >= k->least && v <= k->most;
    case SCHEMA_BOOL: return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
    case SCHEMA_CHOICE:
    case SCHEMA_WORD: return is_word(k, text);
    case SCHEMA_STRING: return true;
    }
    return false;
}

static rt_status check_value(const struct schema_key *k, const struct tree *t)
{
    char where[512], limits[256];

    if (t->kind == TREE_SCALAR && holds(k, t->text)) return RT_OK;
    return RT_FAIL(RT_EINVAL, "%s: %s is %s%s%s, must be %s", tree_where(t, where, sizeof where),
                   k->path, t->kind == TREE_SCALAR ? "'" : "",
                   t->kind == TREE_SCALAR ? t->text
                   : t->kind == TREE_MAP  ? "a section"
                                          : "a list",
                   t->kind == TREE_SCALAR ? "'" : "", schema_limits(k, limits, sizeof limits));
}

static rt_status default_value(const struct schema_key *k, struct tree *root, const char *name)
{
    const char *text = k->initial;
    char limits[256];

    if (text != NULL && text[0] == '=') {
        const struct tree *same = tree_find(root, text + 1);
        text = same != NULL ? same->text : NULL;
    }
    if (text == NULL)
        return RT_FAIL(RT_EINVAL, "%s: %s is missing, must be %s", name, k->path,
                       schema_limits(k, limits, sizeof limits));
    return tree_put_text(root, k->path, text, name, 1);
}

static rt_status check_source(struct tree *t)
{
    char where[512];
    double weight = 1;

    tree_where(t, where, sizeof where);
    if (t->kind != TREE_MAP)
        return RT_FAIL(RT_EINVAL, "%s: a source must be {file: F, weight: W}", where);
    for (size_t i = 0; i < t->count; i++) {
        const struct tree *item = t->items[i];
        const bool is_file = strcmp(item->key, "file") == 0;
        if (!is_file && strcmp(item->key, "weight") != 0)
            return RT_FAIL(RT_EINVAL, "%s: unknown key '%s' of a source; the nearest is '%s'",
                           tree_where(item, where, sizeof where), item->key,
                           distance(item->key, "file") <= distance(item->key, "weight") ? "file"
                                                                                        : "weight");
        if (item->kind != TREE_SCALAR || (is_file && item->text[0] == '\0') ||
            (!is_file && (!is_real(item->text, &weight) || weight <= 0 || weight > 1e9)))
            return RT_FAIL(RT_EINVAL, "%s: %s of a source is '%s', must be %s",
                           tree_where(item, where, sizeof where), item->key,
                           item->kind == TREE_SCALAR ? item->text : "no single value",
                           is_file ? "a path" : "a number above 0");
    }
    if (tree_find(t, "file") == NULL) return RT_FAIL(RT_EINVAL, "%s: a source has no file", where);
    if (tree_find(t, "weight") == NULL) return tree_put_text(t, "weight", "1", t->origin, t->line);
    return RT_OK;
}

/* data.file: F is short for data.sources: [{file: F}]. */
static rt_status expand_file(struct tree *root)
{
    const struct tree *file = tree_find(root, "data.file"), *had = tree_find(root, "data.sources");
    struct tree *list = NULL, *source = NULL;
    char where[512];

    if (file == NULL) return RT_OK;
    if (had != NULL && (had->line > 0) == (file->line > 0))
        return RT_FAIL(RT_EINVAL, "%s: data.file and data.sources are both given, must be one",
                       tree_where(file, where, sizeof where));
    if (had != NULL && had->line == 0) { /* --set data.sources beats the file's data.file */
        tree_remove(root, "data.file");
        return RT_OK;
    }
    if (file->kind != TREE_SCALAR || file->text[0] == '\0')
        return RT_FAIL(RT_EINVAL, "%s: data.file must be a path",
                       tree_where(file, where, sizeof where));
    RT_TRY(tree_new(TREE_LIST, NULL, file->origin, file->line, &list));
    RT_TRY(tree_put(root, "data.sources", list));
    RT_TRY(tree_new(TREE_MAP, NULL, file->origin, file->line, &source));
    RT_TRY(tree_append(list, source));
    RT_TRY(tree_put_text(source, "file", file->text, file->origin, file->line));
    tree_remove(root, "data.file");
    return RT_OK;
}

static rt_status check_sources(struct tree *root, const char *name)
{
    struct tree *list;
    char where[512];

    RT_TRY(expand_file(root));
    list = tree_find(root, "data.sources");
    if (list == NULL) { /* none: enough to plan and to benchmark */
        RT_TRY(tree_new(TREE_LIST, NULL, name, 1, &list));
        return tree_put(root, "data.sources", list);
    }
    if (list->kind != TREE_LIST)
        return RT_FAIL(RT_EINVAL, "%s: data.sources must be a list of {file: F, weight: W}",
                       tree_where(list, where, sizeof where));
    for (size_t i = 0; i < list->count; i++) RT_TRY(check_source(list->items[i]));
    return RT_OK;
}

/* What no key can tell alone. */
static rt_status check_together(const struct tree *root)
{
    const struct tree *micro = tree_find(root, "batch.micro_sequences");
    const struct tree *global = tree_find(root, "batch.global_sequences");
    char where[512];

    if (atoi(micro->text) > atoi(global->text))
        return RT_FAIL(
            RT_EINVAL,
            "%s: batch.micro_sequences is %s, must be at most batch.global_sequences, "
            "which is %s",
            tree_where(micro->line > 0 && global->line == 0 ? global : micro, where, sizeof where),
            micro->text, global->text);
    return RT_OK;
}

rt_status schema_check(struct tree *root, const char *name)
{
    RT_TRY(check_keys(root, name));
    for (size_t i = 0; i < schema_count; i++) {
        const struct tree *t = tree_find(root, schema_keys[i].path);
        if (t != NULL) RT_TRY(check_value(&schema_keys[i], t));
    }
    for (size_t i = 0; i < schema_count; i++)
        if (tree_find(root, schema_keys[i].path) == NULL)
            RT_TRY(default_value(&schema_keys[i], root, name));
    RT_TRY(check_sources(root, name));
    tree_remove(root, "history");
    return check_together(root);
}
