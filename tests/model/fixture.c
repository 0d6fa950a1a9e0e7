/* tests/model/fixture.c - reads what record_torch.py wrote */
#include "tests/model/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_key(struct fixture *f, const char *line)
{
    const struct {
        const char *format;
        int *value;
    } keys[] = {{"layers %d", &f->c.layers},
                {"dim %d", &f->c.dim},
                {"heads %d", &f->c.heads},
                {"kv_heads %d", &f->c.kv_heads},
                {"ffn_dim %d", &f->c.ffn_dim},
                {"vocabulary %d", &f->c.vocabulary},
                {"B %d", &f->B},
                {"T %d", &f->T}};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (sscanf(line, keys[i].format, keys[i].value) == 1) return true;
    return false;
}

/* Reads the text; returns the bytes that must follow, 0 if the text is wrong. */
static size_t read_head(FILE *in, struct fixture *f)
{
    size_t bytes = 0;
    char line[256], type[8];

    while (fgets(line, sizeof line, in) != NULL) {
        struct fixture_tensor *t = &f->tensors[f->count];

        if (strcmp(line, "end\n") == 0) return bytes;
        if (sscanf(line, "tensor %95s %7s %zu", t->name, type, &t->count) != 3) {
            if (!read_key(f, line)) return 0;
            continue;
        }
        t->data = (const void *)bytes; /* made an address below */
        bytes += t->count * (strcmp(type, "f64") == 0 ? 8 : 4);
        f->count++;
    }
    return 0;
}

bool fixture_read(const char *path, struct fixture *f)
{
    FILE *in = fopen(path, "rb");
    size_t bytes = 0;
    bool whole = false;

    memset(f, 0, sizeof *f);
    if (in != NULL) bytes = read_head(in, f);
    if (bytes > 0) f->bytes = malloc(bytes);
    if (f->bytes != NULL) whole = fread(f->bytes, 1, bytes, in) == bytes;
    if (in != NULL) fclose(in);
    if (!whole) printf("%s: not a whole fixture\n", path);
    for (size_t i = 0; whole && i < f->count; i++)
        f->tensors[i].data = (char *)f->bytes + (size_t)f->tensors[i].data;
    f->c.context = f->T;
    f->c.rope_theta = 10000;
    f->c.norm_eps = 1e-5;
    return whole;
}

void fixture_free(struct fixture *f)
{
    free(f->bytes);
    f->bytes = NULL;
}

const void *fixture_find(const struct fixture *f, const char *prefix, const char *name,
                         size_t count)
{
    char full[128];

    snprintf(full, sizeof full, "%s%s", prefix, name);
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->tensors[i].name, full) == 0 && f->tensors[i].count == count)
            return f->tensors[i].data;
    printf("the fixture has no %s of %zu elements\n", full, count);
    return NULL;
}
