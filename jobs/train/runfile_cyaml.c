/* jobs/train/runfile_cyaml.c - see runfile_cyaml.h
 *
 * libcyaml's schema is built from the table of schema.c, so there is one list of keys. Sections
 * are mappings that begin at the start of the struct: the table's offsets count from there.
 */
#include "jobs/train/runfile_cyaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/train/schema.h"

enum { FIELDS_MOST = 80, SECTIONS_MOST = 16, NAME_MOST = 32 };

static const cyaml_schema_field_t source_fields[] = {
    CYAML_FIELD_STRING_PTR("file", CYAML_FLAG_POINTER, struct runfile_source, file, 1,
                           CYAML_UNLIMITED),
    CYAML_FIELD_FLOAT("weight", CYAML_FLAG_DEFAULT, struct runfile_source, weight),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t source = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct runfile_source, source_fields),
};

static const cyaml_schema_field_t sources_field = {
    .key = "sources",
    .data_offset = offsetof(struct runfile, data.sources),
    .count_offset = offsetof(struct runfile, data.source_count),
    .count_size = sizeof(((struct runfile *)NULL)->data.source_count),
    .value = {.type = CYAML_SEQUENCE,
              .flags = CYAML_FLAG_POINTER,
              .data_size = sizeof(struct runfile_source),
              .sequence = {.entry = &source, .min = 0, .max = CYAML_UNLIMITED}},
};

/* fields of all sections, each closed by an empty one; top: what stands at the top level. */
struct fields {
    cyaml_schema_field_t top[FIELDS_MOST], inner[FIELDS_MOST];
    char names[SECTIONS_MOST][NAME_MOST];
    size_t top_count, inner_count, sections;
};

static cyaml_schema_field_t field_of(const struct schema_key *k, const char *key)
{
    cyaml_schema_field_t f = {.key = key, .data_offset = (uint32_t)k->offset};

    f.value.data_size = (uint32_t)k->bytes;
    switch (k->type) {
    case SCHEMA_INT: f.value.type = CYAML_INT; break;
    case SCHEMA_U64: f.value.type = CYAML_UINT; break;
    case SCHEMA_REAL: f.value.type = CYAML_FLOAT; break;
    case SCHEMA_BOOL: f.value.type = CYAML_BOOL; break;
    case SCHEMA_CHOICE:
        f.value.type = CYAML_ENUM;
        f.value.flags = CYAML_FLAG_STRICT;
        f.value.enumeration.strings = k->words;
        f.value.enumeration.count = k->word_count;
        break;
    case SCHEMA_WORD:
    case SCHEMA_STRING:
        f.value.type = CYAML_STRING;
        f.value.flags = CYAML_FLAG_POINTER;
        f.value.data_size = sizeof(char);
        f.value.string.max = CYAML_UNLIMITED;
        break;
    }
    return f;
}

/* Keys of a section are neighbours in the table. */
static void add_key(struct fields *f, const struct schema_key *k)
{
    const char *dot = strchr(k->path, '.');

    if (dot == NULL) {
        f->top[f->top_count++] = field_of(k, k->path);
        return;
    }
    const size_t n = (size_t)(dot - k->path);
    const char *open = f->sections > 0 ? f->names[f->sections - 1] : "";
    if (strlen(open) != n || strncmp(open, k->path, n) != 0) {
        char *name = f->names[f->sections++];
        snprintf(name, NAME_MOST, "%.*s", (int)n, k->path);
        if (f->inner_count > 0) f->inner_count++; /* the empty field */
        cyaml_schema_field_t *section = &f->top[f->top_count++];
        section->key = name;
        section->value.type = CYAML_MAPPING;
        section->value.data_size = sizeof(struct runfile);
        section->value.mapping.fields = &f->inner[f->inner_count];
        if (strcmp(name, "data") == 0) f->inner[f->inner_count++] = sources_field;
    }
    f->inner[f->inner_count++] = field_of(k, dot + 1);
}

static void to_log(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
    char *text = ctx;

    (void)level;
    vsnprintf(text, 256, fmt, args);
    text[strcspn(text, "\n")] = '\0';
}

rt_status runfile_cyaml_load(const char *text, const char *name, struct runfile **out)
{
    struct fields *f = calloc(1, sizeof *f);
    char problem[256] = "";
    cyaml_data_t *data = NULL;

    *out = NULL;
    if (f == NULL) return RT_FAIL(RT_ENOMEM, "%s: the schema of the run file", name);
    for (size_t i = 0; i < schema_count; i++) add_key(f, &schema_keys[i]);
    const cyaml_schema_value_t top = {.type = CYAML_MAPPING,
                                      .flags = CYAML_FLAG_POINTER,
                                      .data_size = sizeof(struct runfile),
                                      .mapping = {.fields = f->top}};
    const cyaml_config_t config = {
        .log_fn = to_log, .log_ctx = problem, .log_level = CYAML_LOG_ERROR, .mem_fn = cyaml_mem};
    const cyaml_err_t error =
        cyaml_load_data((const uint8_t *)text, strlen(text), &config, &top, &data, NULL);
    free(f);
    if (error == CYAML_ERR_OOM) return RT_FAIL(RT_ENOMEM, "%s: the run file", name);
    if (error != CYAML_OK)
        return RT_FAIL(RT_EINVAL, "%s: %s: %s", name, cyaml_strerror(error), problem);
    *out = (struct runfile *)data;
    return RT_OK;
}
