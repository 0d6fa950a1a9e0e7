/* jobs/train/tree_yaml.c - trees read with libyaml and written as block YAML */
#include "jobs/train/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { DEPTH_MOST = 16 }; /* aliases can make a document that contains itself */

struct reading {
    yaml_document_t *document;
    const char *origin;
};

static rt_status convert(const struct reading *r, int index, int depth, struct tree **out);

static rt_status convert_pair(const struct reading *r, const yaml_node_pair_t *pair, int depth,
                              struct tree *map)
{
    const yaml_node_t *key = yaml_document_get_node(r->document, pair->key);
    const int line = (int)key->start_mark.line + 1;
    struct tree *value = NULL;

    if (key->type != YAML_SCALAR_NODE || strlen((char *)key->data.scalar.value) == 0)
        return RT_FAIL(RT_EINVAL, "%s:%d: a key must be a word", r->origin, line);
    const char *name = (const char *)key->data.scalar.value;
    for (size_t i = 0; i < map->count; i++)
        if (strcmp(map->items[i]->key, name) == 0)
            return RT_FAIL(RT_EINVAL, "%s:%d: '%s' stands twice, first in line %d", r->origin, line,
                           name, map->items[i]->line);
    RT_TRY(convert(r, pair->value, depth + 1, &value));
    value->line = line; /* of the key: where the reader looks for it */
    value->key = strdup(name);
    if (value->key == NULL) {
        tree_destroy(&value);
        return RT_FAIL(RT_ENOMEM, "%s: key '%s'", r->origin, name);
    }
    return tree_append(map, value);
}

static rt_status convert_items(const struct reading *r, const yaml_node_t *node, int depth,
                               struct tree *t)
{
    if (node->type == YAML_MAPPING_NODE) {
        for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
             p < node->data.mapping.pairs.top; p++)
            RT_TRY(convert_pair(r, p, depth, t));
    } else if (node->type == YAML_SEQUENCE_NODE) {
        for (const yaml_node_item_t *i = node->data.sequence.items.start;
             i < node->data.sequence.items.top; i++) {
            struct tree *item = NULL;
            RT_TRY(convert(r, *i, depth + 1, &item));
            RT_TRY(tree_append(t, item));
        }
    }
    return RT_OK;
}

static rt_status convert(const struct reading *r, int index, int depth, struct tree **out)
{
    const yaml_node_t *node = yaml_document_get_node(r->document, index);
    const int line = (int)node->start_mark.line + 1;
    const char *text = NULL;
    tree_kind kind = TREE_SCALAR;
    rt_status st;

    if (depth > DEPTH_MOST)
        return RT_FAIL(RT_EINVAL, "%s:%d: values lie in values more than %d deep", r->origin, line,
                       DEPTH_MOST);
    if (node->type == YAML_SCALAR_NODE) text = (const char *)node->data.scalar.value;
    if (node->type == YAML_MAPPING_NODE) kind = TREE_MAP;
    if (node->type == YAML_SEQUENCE_NODE) kind = TREE_LIST;
    if (text != NULL && strlen(text) != node->data.scalar.length)
        return RT_FAIL(RT_EINVAL, "%s:%d: a NUL byte", r->origin, line);
    RT_TRY(tree_new(kind, text, r->origin, line, out));
    st = convert_items(r, node, depth, *out);
    if (st != RT_OK) tree_destroy(out);
    return st;
}

static rt_status load(yaml_parser_t *parser, const char *origin, yaml_document_t *document)
{
    if (yaml_parser_load(parser, document)) return RT_OK;
    const char *what = parser->problem != NULL ? parser->problem : "not YAML";
    if (parser->error == YAML_READER_ERROR)
        return RT_FAIL(RT_EINVAL, "%s: byte %zu: %s", origin, parser->problem_offset, what);
    return RT_FAIL(RT_EINVAL, "%s:%zu: %s", origin, parser->problem_mark.line + 1, what);
}

rt_status tree_parse(const char *text, size_t bytes, const char *origin, struct tree **out)
{
    yaml_parser_t parser;
    yaml_document_t document, second;
    rt_status st;

    *out = NULL;
    if (!yaml_parser_initialize(&parser)) return RT_FAIL(RT_ENOMEM, "a YAML parser");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
    st = load(&parser, origin, &document);
    if (st != RT_OK) {
        yaml_parser_delete(&parser);
        return st;
    }
    if (yaml_document_get_root_node(&document) == NULL)
        st = tree_new(TREE_MAP, NULL, origin, 1, out);
    else
        st = convert(&(struct reading){&document, origin}, 1, 0, out);
    if (st == RT_OK && (st = load(&parser, origin, &second)) == RT_OK) {
        if (yaml_document_get_root_node(&second) != NULL)
            st = RT_FAIL(RT_EINVAL, "%s: more than one document, must be one", origin);
        yaml_document_delete(&second);
    }
    if (st != RT_OK) tree_destroy(out);
    yaml_document_delete(&document);
    yaml_parser_delete(&parser);
    return st;
}

/* Words, numbers and paths stand as they are, all else in quotes. */
static void print_scalar(FILE *f, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_./+-";

    if (*text != '\0' && strspn(text, plain) == strlen(text) && *text != '-') {
        fputs(text, f);
        return;
    }
    fputc('"', f);
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\')
            fprintf(f, "\\%c", *c);
        else if (*c < 0x20 || *c == 0x7f)
            fprintf(f, "\\x%02x", *c);
        else
            fputc(*c, f);
    }
    fputc('"', f);
}

static void print_value(FILE *f, const struct tree *t, int indent, bool in_list);

static void print_items(FILE *f, const struct tree *t, int indent, bool in_list)
{
    for (size_t i = 0; i < t->count; i++) {
        const bool first_in_list = in_list && i == 0; /* stands behind the dash */
        fprintf(f, "%*s", first_in_list ? 0 : indent, "");
        if (t->kind == TREE_MAP)
            fprintf(f, "%s:", t->items[i]->key);
        else
            fputs("- ", f);
        print_value(f, t->items[i], indent, t->kind == TREE_LIST);
    }
}

/* What stands behind "key:" or "- ", with its line end. */
static void print_value(FILE *f, const struct tree *t, int indent, bool in_list)
{
    if (t->kind == TREE_SCALAR || t->count == 0) {
        if (!in_list) fputc(' ', f);
        if (t->kind == TREE_SCALAR)
            print_scalar(f, t->text);
        else
            fputs(t->kind == TREE_MAP ? "{}" : "[]", f);
        fputc('\n', f);
        return;
    }
    if (!in_list) fputc('\n', f);
    print_items(f, t, indent + 2, in_list);
}

rt_status tree_print(const struct tree *t, char **out)
{
    size_t bytes = 0;
    FILE *f;

    *out = NULL;
    f = open_memstream(out, &bytes);
    if (f != NULL) print_items(f, t, 0, false);
    if (f == NULL || fclose(f) != 0) {
        free(*out);
        *out = NULL;
        return RT_FAIL(RT_ENOMEM, "a run file as text");
    }
    return RT_OK;
}
