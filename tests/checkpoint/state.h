/* tests/checkpoint/state.h - a made-up model whose every value is known
 *
 * Odd sizes, gaps between tensors, one tensor of more than one block if `large`. Each unit is cut
 * in P equal slices as shard/ does it. The value of an element depends on tensor, kind, index and
 * step; check_h5py.py knows the same formula.
 */
#ifndef TESTS_CHECKPOINT_STATE_H
#define TESTS_CHECKPOINT_STATE_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/checkpoint.h"
#include "tests/check.h"

enum { MADE_TENSORS = 6, MADE_UNITS = 3, MADE_KINDS = 3 };

struct made {
    struct rt_tensor items[MADE_TENSORS];
    size_t unit_elements[MADE_UNITS];
    struct rt_tensors tensors;
    struct shard_extent extents[MADE_TENSORS];
    float *own[MADE_KINDS];
    struct checkpoint_state state;
    struct checkpoint_meta meta;
    struct checkpoint_files files;
};

static inline float made_value(size_t tensor, int kind, uint64_t index, uint64_t step)
{
    const uint64_t v = index * 31 + tensor * 7919 + (uint64_t)kind * 104729 + step * 13;
    return (float)(v % 65521) / 64.0f - 500.0f;
}

static inline void made_tensors(struct made *m, bool large)
{
    const struct rt_tensor items[MADE_TENSORS] = {
        {"tok_embeddings.weight",
         0,
         RT_ROLE_EMBEDDING,
         2,
         {large ? 701 : 7, large ? 523 : 5},
         0,
         0},
        {"layers.0.attention_norm.weight", 1, RT_ROLE_NORM, 1, {523, 0}, 0, 0},
        {"layers.0.attention.wq.weight", 1, RT_ROLE_MATRIX, 2, {17, 31}, 544, 0},
        {"layers.0.attention.wk.weight", 1, RT_ROLE_MATRIX, 2, {1, 1}, 1071, 0},
        {"norm.weight", 2, RT_ROLE_NORM, 1, {7, 0}, 0, 0},
        {"output.weight", 2, RT_ROLE_MATRIX, 2, {13, 5}, 32, 0},
    };

    memcpy(m->items, items, sizeof items);
    m->unit_elements[0] = rt_tensor_count(&items[0]);
    m->unit_elements[1] = 1072;
    m->unit_elements[2] = 97;
    m->tensors = (struct rt_tensors){m->items, MADE_TENSORS, m->unit_elements, MADE_UNITS, 0};
}

/* This rank's slice of every unit. */
static inline size_t made_extents(struct made *m, size_t rank, size_t P)
{
    size_t own = 0, n = 0;

    for (int u = 0; u < MADE_UNITS; u++) {
        const size_t slice = (m->unit_elements[u] + P - 1) / P;
        const size_t begin = rank * slice, end = begin + slice;
        for (size_t t = 0; t < MADE_TENSORS; t++) {
            const size_t first = m->items[t].offset, last = first + rt_tensor_count(&m->items[t]);
            const size_t a = first > begin ? first : begin, b = last < end ? last : end;
            if (m->items[t].unit == u && a < b)
                m->extents[n++] = (struct shard_extent){t, a - first, b - a, own + (a - begin)};
        }
        own += slice;
    }
    m->state =
        (struct checkpoint_state){.tensors = &m->tensors, .extents = m->extents, .extent_count = n};
    return own;
}

static inline void made_describe(struct made *m, uint64_t step, int ranks)
{
    m->meta = (struct checkpoint_meta){.step = step,
                                       .seed = 42,
                                       .data_digest = 0x0123456789abcdef,
                                       .tokenizer_digest = 0xfedcba9876543210,
                                       .ranks = ranks,
                                       .model = "{\"layers\": 1, \"dim\": 523}",
                                       .run_id = "made-up"};
    m->files = (struct checkpoint_files){"seed: 42\n", 9, "not a tokenizer", 15};
}

static inline void made_fill(struct made *m, uint64_t step)
{
    m->meta.step = step;
    m->meta.next_sample = 8 * step;
    m->meta.tokens_total = 4096 * step;
    for (size_t e = 0; e < m->state.extent_count; e++) {
        const struct shard_extent *x = &m->extents[e];
        for (int kind = 0; kind < MADE_KINDS; kind++)
            for (uint64_t i = 0; i < x->count; i++)
                m->own[kind][x->own + i] = made_value(x->tensor, kind, x->start + i, step);
    }
}

/* Rank's part of P, filled for `step`. */
static inline void made_create(struct made *m, bool large, int rank, int P, uint64_t step)
{
    *m = (struct made){0};
    made_tensors(m, large);
    const size_t own = made_extents(m, (size_t)rank, (size_t)P);
    for (int kind = 0; kind < MADE_KINDS; kind++) m->own[kind] = calloc(own, sizeof(float));
    m->state.master = m->own[0];
    m->state.exp_avg = m->own[1];
    m->state.exp_avg_sq = m->own[2];
    made_describe(m, step, P);
    made_fill(m, step);
}

static inline void made_destroy(struct made *m)
{
    for (int kind = 0; kind < MADE_KINDS; kind++) free(m->own[kind]);
}

static inline void made_blank(struct made *m)
{
    for (size_t e = 0; e < m->state.extent_count; e++)
        for (int kind = 0; kind < MADE_KINDS; kind++)
            memset(m->own[kind] + m->extents[e].own, 0xff, m->extents[e].count * sizeof(float));
}

/* Elements that are not what made_fill(step) writes, in the first `kinds` kinds. */
static inline size_t made_wrong(const struct made *m, uint64_t step, int kinds)
{
    size_t wrong = 0;

    for (size_t e = 0; e < m->state.extent_count; e++) {
        const struct shard_extent *x = &m->extents[e];
        for (int kind = 0; kind < kinds; kind++)
            for (uint64_t i = 0; i < x->count; i++)
                wrong +=
                    !(m->own[kind][x->own + i] == made_value(x->tensor, kind, x->start + i, step));
    }
    return wrong;
}

/* out (room): a new directory for this test; in memory if it may be, for tests that sync a lot. */
static inline bool scratch_create(char *out, size_t room, bool in_memory)
{
    const char *base = getenv("TMPDIR");

    if (base == NULL) base = "/tmp";
    if (in_memory && access("/dev/shm", W_OK) == 0) base = "/dev/shm";
    snprintf(out, room, "%s/recua-test-XXXXXX", base);
    return CHECK(mkdtemp(out) != NULL);
}

static inline void scratch_remove(const char *dir)
{
    char command[4200];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    if (system(command) != 0) printf("%s was not removed\n", dir);
}

/* While it lasts, stderr goes to a file, and end gives what was said (buffer of the caller). */
struct capture {
    int saved;
    FILE *file;
};

static inline struct capture capture_begin(void)
{
    struct capture c = {dup(2), tmpfile()};
    if (c.file != NULL) (void)dup2(fileno(c.file), 2);
    return c;
}

static inline void capture_end(struct capture *c, char *text, size_t room)
{
    (void)fflush(stderr);
    (void)dup2(c->saved, 2);
    close(c->saved);
    if (c->file == NULL) return;
    rewind(c->file);
    if (text != NULL) text[fread(text, 1, room - 1, c->file)] = 0;
    (void)fclose(c->file);
}

#endif
