/* jobs/train/tree.c - see tree.h: nodes, paths, --set; reading and writing are in tree_yaml.c */
#include "jobs/train/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

rt_status tree_new(tree_kind kind, const char *text, const char *origin, int line,
                   struct tree **out)
{
    struct tree *t = calloc(1, sizeof *t);

    *out = NULL;
    if (t == NULL) return RT_FAIL(RT_ENOMEM, "a node of the run file");
    t->kind = kind;
    t->origin = origin;
    t->line = line;
    if (text != NULL && (t->text = strdup(text)) == NULL) {
        free(t);
        return RT_FAIL(RT_ENOMEM, "a value of the run file");
    }
    *out = t;
    return RT_OK;
}

void tree_destroy(struct tree **t)
{
    if (*t == NULL) return;
    for (size_t i = 0; i < (*t)->count; i++) tree_destroy(&(*t)->items[i]);
    free((*t)->items);
    free((*t)->key);
    free((*t)->text);
    free(*t);
    *t = NULL;
}

rt_status tree_append(struct tree *list, struct tree *value)
{
    struct tree **more = realloc(list->items, (list->count + 1) * sizeof *more);

    if (more == NULL) {
        tree_destroy(&value);
        return RT_FAIL(RT_ENOMEM, "a value of the run file");
    }
    list->items = more;
    list->items[list->count++] = value;
    return RT_OK;
}

/* The item of a map whose key is the first `bytes` of name, or -1. */
static long find_key(const struct tree *map, const char *name, size_t bytes)
{
    for (size_t i = 0; i < map->count; i++)
        if (strlen(map->items[i]->key) == bytes && memcmp(map->items[i]->key, name, bytes) == 0)
            return (long)i;
    return -1;
}

struct tree *tree_find(const struct tree *map, const char *path)
{
    const size_t bytes = strcspn(path, ".");
    long i;

    if (map->kind != TREE_MAP || (i = find_key(map, path, bytes)) < 0) return NULL;
    return path[bytes] == '\0' ? map->items[i] : tree_find(map->items[i], path + bytes + 1);
}

static void drop(struct tree *map, long i)
{
    tree_destroy(&map->items[i]);
    map->count--;
    memmove(&map->items[i], &map->items[i + 1], (map->count - (size_t)i) * sizeof *map->items);
}

void tree_remove(struct tree *map, const char *path)
{
    const size_t bytes = strcspn(path, ".");
    long i;

    if (map->kind != TREE_MAP || (i = find_key(map, path, bytes)) < 0) return;
    if (path[bytes] == '\0')
        drop(map, i);
    else
        tree_remove(map->items[i], path + bytes + 1);
}

rt_status tree_put(struct tree *map, const char *path, struct tree *value)
{
    const size_t bytes = strcspn(path, ".");
    const bool last = path[bytes] == '\0';
    struct tree *item = value, *middle = NULL;
    char where[256];
    long i;
    rt_status st = RT_OK;

    if (map->kind != TREE_MAP)
        RT_TRY_OUT(RT_FAIL(RT_EINVAL, "%s: '%s' is to lie in something that holds no keys (%s)",
                           tree_where(value, where, sizeof where), path,
                           map->key != NULL ? map->key : "the document"));
    i = find_key(map, path, bytes);
    if (i >= 0 && !last) return tree_put(map->items[i], path + bytes + 1, value);
    if (!last) {
        RT_TRY_OUT(tree_new(TREE_MAP, NULL, value->origin, value->line, &middle));
        item = middle;
    }
    free(item->key);
    item->key = strndup(path, bytes);
    if (item->key == NULL) RT_TRY_OUT(RT_FAIL(RT_ENOMEM, "a key of the run file"));
    if (i >= 0) {
        tree_destroy(&map->items[i]);
        map->items[i] = value;
        return RT_OK;
    }
    if (last) return tree_append(map, value);
    st = tree_append(map, middle); /* taken over, also on failure */
    middle = NULL;
    if (st == RT_OK) return tree_put(map->items[map->count - 1], path + bytes + 1, value);
out:
    tree_destroy(&value);
    tree_destroy(&middle);
    return st;
}

rt_status tree_put_text(struct tree *map, const char *path, const char *text, const char *origin,
                        int line)
{
    struct tree *value;

    RT_TRY(tree_new(TREE_SCALAR, text, origin, line, &value));
    return tree_put(map, path, value);
}

static void mark(struct tree *t)
{
    t->line = 0;
    for (size_t i = 0; i < t->count; i++) mark(t->items[i]);
}

rt_status tree_set(struct tree *map, const char *set)
{
    const char *equals = strchr(set, '=');
    struct tree *value = NULL;
    char *path = NULL;
    rt_status st;

    if (equals == NULL || equals == set)
        return RT_FAIL(RT_EINVAL, "--set %s: must be key.path=value", set);
    path = strndup(set, (size_t)(equals - set));
    if (path == NULL) return RT_FAIL(RT_ENOMEM, "--set %s", set);
    if (equals[1] == '\0')
        st = tree_new(TREE_SCALAR, "", set, 0, &value);
    else
        st = tree_parse(equals + 1, strlen(equals + 1), set, &value);
    if (st == RT_OK) {
        mark(value);
        st = tree_put(map, path, value);
    }
    free(path);
    return st;
}

const char *tree_where(const struct tree *t, char *buffer, size_t bytes)
{
    if (t->line > 0)
        snprintf(buffer, bytes, "%s:%d", t->origin, t->line);
    else
        snprintf(buffer, bytes, "--set %s", t->origin);
    return buffer;
}
