/* tests/comm/fabric/tree.h - a machine's small files in memory, read from a fixture
 *
 * A fixture has three parts:
 *
 *     [case]      "ranks N", "per-node K", "local R", "env NAME=VALUE"
 *     [tree]      "path<TAB>content", one file a line; "@<TAB>folder" begins the paths that follow;
 *                 \n and \xHH stand for themselves; a content of !EIO (or another name) cannot be
 *                 read; a path that ends in / is an empty folder
 *     [expect]    lines for the test to compare
 */
#ifndef TESTS_COMM_FABRIC_TREE_H
#define TESTS_COMM_FABRIC_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "comm/fabric/reader.h"

enum { TREE_ENTRIES = 1024, TREE_ENV = 16 };

struct tree_entry {
    const char *path, *text; /* lent by the tree's own memory, or by who mutates */
    size_t length;
    int error; /* > 0: an errno that reading gives */
};

struct tree {
    struct tree_entry entries[TREE_ENTRIES]; /* in strcmp's order of paths */
    size_t count;
    char *env[TREE_ENV]; /* NAME=VALUE */
    size_t env_count;
    int ranks, per_node, local;
    char *expect; /* the lines of [expect] */
    char *memory; /* owned */
};

/* NULL, with a message, where the fixture is none. */
struct tree *tree_load(const char *path);
void tree_destroy(struct tree **t);

/* After entries were changed by hand. */
void tree_sort(struct tree *t);

struct comm_reader tree_reader(struct tree *t);

/* The tree as real files below an existing folder; false, with a message, where that fails or an
 * entry cannot be a file (one that cannot be read). */
bool tree_unpack(const struct tree *t, const char *folder);

#endif
