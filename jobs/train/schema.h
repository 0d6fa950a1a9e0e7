/* jobs/train/schema.h - the keys of a run file, each once
 *
 * One table: the check of keys and values, the nearest key in messages, the defaults, libcyaml's
 * schema, the printed run file, what may not change on resume, and the listing in
 * docs/runfile.md all come from it. data.sources, the one list, is handled by name.
 */
#ifndef JOBS_TRAIN_SCHEMA_H
#define JOBS_TRAIN_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <cyaml/cyaml.h>

#include "jobs/train/runfile.h"
#include "jobs/train/tree.h"

typedef enum {
    SCHEMA_INT,    /* int */
    SCHEMA_U64,    /* uint64_t */
    SCHEMA_REAL,   /* double */
    SCHEMA_BOOL,   /* bool */
    SCHEMA_CHOICE, /* an enum: one of the words */
    SCHEMA_WORD,   /* char *: one of the words */
    SCHEMA_STRING, /* char * */
} schema_type;

struct schema_key {
    const char *path; /* "batch.global_sequences" */
    schema_type type;
    size_t offset, bytes;        /* in struct runfile */
    const char *initial;         /* as text; NULL: must be given; "=KEY": as that key */
    double least, most;          /* of numbers */
    const cyaml_strval_t *words; /* of CHOICE and WORD */
    unsigned word_count;
    bool fixed; /* may not change when a run is resumed */
    const char *help;
};

extern const struct schema_key schema_keys[];
extern const size_t schema_count;

/* Check every key and value of a tree and put in the defaults: what remains is what libcyaml
 * reads. RT_EINVAL with file, line, value, limit, nearest key. */
RT_NODISCARD rt_status schema_check(struct tree *root, const char *name);

/* The value of a key as text, as a run file has it. */
void schema_value(const struct schema_key *k, const struct runfile *r, char *buffer, size_t bytes);

/* "a whole number from 1 to 64", "fp32 or bf16". */
const char *schema_limits(const struct schema_key *k, char *buffer, size_t bytes);

/* The valid key nearest to an unknown one, by edit distance. */
const char *schema_nearest(const char *path, char *buffer, size_t bytes);

/* Markdown table of all keys. */
void schema_print(FILE *out);

#endif
