/* jobs/train/changes.c - see changes.h */
#include "jobs/train/changes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/train/schema.h"

enum { TEXT_BYTES = 6144, VALUE_BYTES = 2048 };

struct changes {
    char all[TEXT_BYTES], data[TEXT_BYTES];
};

static void add(char *text, const char *key, const char *now, const char *before)
{
    const size_t used = strlen(text);

    snprintf(text + used, TEXT_BYTES - used, "%s%s %s (was %s)", used > 0 ? ", " : "", key,
             now[0] != '\0' ? now : "empty", before[0] != '\0' ? before : "empty");
}

static void list_sources(const struct runfile *r, char *out, size_t bytes)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < r->data.source_count && used < bytes; i++)
        used += (size_t)snprintf(out + used, bytes - used, "%s%s", i > 0 ? " + " : "",
                                 r->data.sources[i].file);
}

static rt_status compare_sources(const struct runfile *before, const struct runfile *now,
                                 const char *run, struct changes *c)
{
    char a[VALUE_BYTES], b[VALUE_BYTES];
    const size_t n = before->data.source_count;

    if (n != now->data.source_count)
        return RT_FAIL(RT_EINVAL,
                       "%s: data.sources has %zu sources, had %zu: the data of a run may "
                       "not change; choose another output",
                       run, now->data.source_count, n);
    for (size_t i = 0; i < n; i++)
        if (before->data.sources[i].weight != now->data.sources[i].weight)
            return RT_FAIL(RT_EINVAL,
                           "%s: the weight of source %s is %g, was %g: the data of a run may not "
                           "change; choose another output",
                           run, now->data.sources[i].file, now->data.sources[i].weight,
                           before->data.sources[i].weight);
    list_sources(before, a, sizeof a);
    list_sources(now, b, sizeof b);
    if (strcmp(a, b) != 0) {
        add(c->all, "data.sources", b, a);
        add(c->data, "data.sources", b, a);
    }
    return RT_OK;
}

static rt_status compare(const struct runfile *before, const struct runfile *now, const char *run,
                         struct changes *c)
{
    char a[VALUE_BYTES], b[VALUE_BYTES];

    for (size_t i = 0; i < schema_count; i++) {
        const struct schema_key *k = &schema_keys[i];
        schema_value(k, before, a, sizeof a);
        schema_value(k, now, b, sizeof b);
        if (strcmp(a, b) == 0) continue;
        if (k->fixed)
            return RT_FAIL(RT_EINVAL,
                           "%s: %s is %s, but this run was begun with %s: put it back, or choose "
                           "another output",
                           run, k->path, b, a);
        if (strcmp(k->path, "output") == 0) continue;       /* the directory may have been moved */
        if (strcmp(k->path, "shard.chosen") == 0) continue; /* no wish, but what came of one */
        add(c->all, k->path, b, a);
        if (strcmp(k->path, "data.tokenizer") == 0) add(c->data, k->path, b, a);
    }
    return compare_sources(before, now, run, c);
}

rt_status changes_find(const struct runfile *before, const struct runfile *now, const char *run,
                       struct changes **out)
{
    struct changes *c = calloc(1, sizeof *c);
    rt_status st;

    *out = NULL;
    if (c == NULL) return RT_FAIL(RT_ENOMEM, "the changes of a run file");
    RT_TRY_OUT(compare(before, now, run, c));
    *out = c;
    c = NULL;
out:
    changes_destroy(&c);
    return st;
}

void changes_destroy(struct changes **c)
{
    free(*c);
    *c = NULL;
}

const char *changes_text(const struct changes *c) { return c->all; }
const char *changes_data(const struct changes *c) { return c->data; }
