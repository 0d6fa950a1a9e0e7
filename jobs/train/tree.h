/* jobs/train/tree.h - a YAML document as a tree that knows where each value was written
 *
 * libyaml reads; this keeps scalars as text, with line and origin, so that messages can name
 * them and `--set key.path=value` can replace them before anything is interpreted.
 * Not collective.
 */
#ifndef JOBS_TRAIN_TREE_H
#define JOBS_TRAIN_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/status.h"

typedef enum { TREE_SCALAR, TREE_MAP, TREE_LIST } tree_kind;

struct tree {
    tree_kind kind;
    char *key;           /* owned; of an item of a map, else NULL */
    char *text;          /* owned; of a scalar */
    const char *origin;  /* lent: the file's name, or the whole text of --set */
    int line;            /* 1 is the first; 0: from --set */
    struct tree **items; /* owned; (count), of a map or list */
    size_t count;
};

/* origin: lent for the life of the tree. No text at all gives an empty map. RT_EINVAL: not YAML,
 * a key twice, more than one document; file and line are named. */
RT_NODISCARD rt_status tree_parse(const char *text, size_t bytes, const char *origin,
                                  struct tree **out);
void tree_destroy(struct tree **t);

/* The value at "a.b" under a map, or NULL. */
struct tree *tree_find(const struct tree *map, const char *path);

/* Put a scalar, or a whole tree (which is taken over, also on failure), at "a.b": maps on the
 * way are made, what stood there is replaced. RT_EINVAL: something on the way is no map. */
RT_NODISCARD rt_status tree_put_text(struct tree *map, const char *path, const char *text,
                                     const char *origin, int line);
RT_NODISCARD rt_status tree_put(struct tree *map, const char *path, struct tree *value);
void tree_remove(struct tree *map, const char *path);
RT_NODISCARD rt_status tree_append(struct tree *list, struct tree *value); /* taken over */

/* "key.path=value", the value read as YAML. `set` is lent for the life of the tree. */
RT_NODISCARD rt_status tree_set(struct tree *map, const char *set);

RT_NODISCARD rt_status tree_new(tree_kind kind, const char *text, const char *origin, int line,
                                struct tree **out);

/* "FILE:12", or "--set model.dim=7". */
const char *tree_where(const struct tree *t, char *buffer, size_t bytes);

/* As block YAML. malloc'ed. */
RT_NODISCARD rt_status tree_print(const struct tree *t, char **out);

#endif
