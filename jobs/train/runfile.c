/* jobs/train/runfile.c - see runfile.h
 *
 *     text --libyaml--> tree --(--set, checks, defaults: schema)--> text --libcyaml--> struct
 */
#include "jobs/train/runfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/train/runfile_cyaml.h"
#include "jobs/train/schema.h"

enum { BYTES_MOST = 1 << 20 };

static rt_status read_text(const char *path, char **out, size_t *bytes)
{
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    rt_status st = RT_OK;

    if (f == NULL) {
        return RT_FAIL(errno == ENOENT ? RT_EMISSING : RT_EIO,
                       "%s: %s: the run file cannot be read", path, strerror(errno));
    }
    text = malloc(BYTES_MOST + 1);
    if (text == NULL) RT_TRY_OUT(RT_FAIL(RT_ENOMEM, "%s: the run file's text", path));
    *bytes = fread(text, 1, BYTES_MOST + 1, f);
    if (ferror(f)) RT_TRY_OUT(RT_FAIL(RT_EIO, "%s: %s", path, strerror(errno)));
    if (*bytes > BYTES_MOST)
        RT_TRY_OUT(
            RT_FAIL(RT_EINVAL, "%s: longer than %d bytes, is no run file", path, BYTES_MOST));
    *out = text;
    text = NULL;
out:
    free(text);
    (void)fclose(f);
    return st;
}

rt_status runfile_load(const char *path, const char *const *sets, size_t set_count,
                       struct runfile **out)
{
    char *text = NULL;
    size_t bytes = 0;
    rt_status st;

    *out = NULL;
    RT_TRY(read_text(path, &text, &bytes));
    st = runfile_parse(text, bytes, path, sets, set_count, out);
    free(text);
    return st;
}

/* The model says which of its dimensions does not fit; we say where it was written. */
static rt_status check_model(const struct runfile *r, const struct tree *root)
{
    const struct tree *model = tree_find(root, "model");
    const rt_status st = model_config_check(&r->model);
    char where[512];

    if (st == RT_OK) return RT_OK;
    return RT_FAIL(st, "%s: the section 'model' that begins here does not fit together",
                   tree_where(model, where, sizeof where));
}

rt_status runfile_parse(const char *text, size_t bytes, const char *name, const char *const *sets,
                        size_t set_count, struct runfile **out)
{
    struct tree *root = NULL;
    struct runfile *r = NULL;
    char *resolved = NULL;
    rt_status st;

    *out = NULL;
    RT_TRY_OUT(tree_parse(text, bytes, name, &root));
    for (size_t i = 0; i < set_count; i++) RT_TRY_OUT(tree_set(root, sets[i]));
    RT_TRY_OUT(schema_check(root, name));
    RT_TRY_OUT(tree_print(root, &resolved));
    RT_TRY_OUT(runfile_cyaml_load(resolved, name, &r));
    RT_TRY_OUT(check_model(r, root));
    *out = r;
    r = NULL;
out:
    free(resolved);
    runfile_destroy(&r);
    tree_destroy(&root);
    return st;
}

void runfile_destroy(struct runfile **r)
{
    if (*r == NULL) return;
    for (size_t i = 0; i < schema_count; i++) {
        const struct schema_key *k = &schema_keys[i];
        if (k->type == SCHEMA_WORD || k->type == SCHEMA_STRING)
            free(*(char **)(void *)((char *)*r + k->offset));
    }
    for (size_t i = 0; i < (*r)->data.source_count; i++) free((*r)->data.sources[i].file);
    free((*r)->data.sources);
    free(*r);
    *r = NULL;
}

static rt_status put_sources(const struct runfile *r, struct tree *root)
{
    struct tree *list, *source;
    char weight[32];
    const struct schema_key real = {.type = SCHEMA_REAL,
                                    .offset = offsetof(struct runfile_source, weight)};

    RT_TRY(tree_new(TREE_LIST, NULL, "", 1, &list));
    RT_TRY(tree_put(root, "data.sources", list));
    for (size_t i = 0; i < r->data.source_count; i++) {
        RT_TRY(tree_new(TREE_MAP, NULL, "", 1, &source));
        RT_TRY(tree_append(list, source));
        schema_value(&real, (const void *)&r->data.sources[i], weight, sizeof weight);
        RT_TRY(tree_put_text(source, "file", r->data.sources[i].file, "", 1));
        RT_TRY(tree_put_text(source, "weight", weight, "", 1));
    }
    return RT_OK;
}

rt_status runfile_print(const struct runfile *r, char **out)
{
    struct tree *root = NULL;
    char value[4096 + 64];
    rt_status st;

    *out = NULL;
    RT_TRY(tree_new(TREE_MAP, NULL, "", 1, &root));
    for (size_t i = 0; i < schema_count; i++) {
        schema_value(&schema_keys[i], r, value, sizeof value);
        RT_TRY_OUT(tree_put_text(root, schema_keys[i].path, value, "", 1));
        if (strcmp(schema_keys[i].path, "data.tokenizer") == 0) RT_TRY_OUT(put_sources(r, root));
    }
    st = tree_print(root, out);
out:
    tree_destroy(&root);
    return st;
}
