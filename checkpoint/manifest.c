/* checkpoint/manifest.c - a manifest in memory: its lists, its text, and whether it adds up */
#include "checkpoint/manifest.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/crc32c.h"

const char *const manifest_kind_names[MANIFEST_KINDS] = {"model", "exp_avg", "exp_avg_sq"};
const char *const manifest_file_names[MANIFEST_FILES] = {MANIFEST_RUN_YAML, MANIFEST_TOKENIZER};

/* Room for `more` items behind the first `count`; the list, moved perhaps, or NULL. */
static void *make_room(void *items, size_t *room, size_t count, size_t more, size_t size)
{
    if (count + more <= *room) return items;
    size_t n = *room < 16 ? 16 : *room * 2;
    if (n < count + more) n = count + more;
    void *moved = realloc(items, n * size);
    if (moved != NULL) *room = n;
    return moved;
}

struct manifest_gap *manifest_add_gap(struct manifest *m)
{
    struct manifest_gap *list = make_room(m->gaps, &m->gap_room, m->gap_count, 1, sizeof *list);
    if (list == NULL) return NULL;
    m->gaps = list;
    list[m->gap_count] = (struct manifest_gap){0};
    return &list[m->gap_count++];
}

struct manifest_tensor *manifest_add_tensor(struct manifest *m)
{
    struct manifest_tensor *list =
        make_room(m->tensors, &m->tensor_room, m->tensor_count, 1, sizeof *list);
    if (list == NULL) return NULL;
    m->tensors = list;
    list[m->tensor_count] = (struct manifest_tensor){.first_extent = m->extent_count};
    return &list[m->tensor_count++];
}

struct manifest_extent *manifest_add_extent(struct manifest *m)
{
    struct manifest_extent *list =
        make_room(m->extents, &m->extent_room, m->extent_count, 1, sizeof *list);
    if (list == NULL) return NULL;
    m->extents = list;
    list[m->extent_count] = (struct manifest_extent){0};
    m->tensors[m->tensor_count - 1].extent_count++;
    return &list[m->extent_count++];
}

uint32_t *manifest_add_crcs(struct manifest *m, size_t n)
{
    uint32_t *list = make_room(m->crcs, &m->crc_room, m->crc_count, n, sizeof *list);
    if (list == NULL) return NULL;
    m->crcs = list;
    memset(list + m->crc_count, 0, n * sizeof *list);
    m->crc_count += n;
    return list + m->crc_count - n;
}

void manifest_destroy(struct manifest **m)
{
    if (*m == NULL) return;
    free((*m)->gaps);
    free((*m)->tensors);
    free((*m)->extents);
    free((*m)->crcs);
    free(*m);
    *m = NULL;
}

struct range {
    uint64_t offset, bytes;
};

static int by_offset(const void *a, const void *b)
{
    const uint64_t x = ((const struct range *)a)->offset, y = ((const struct range *)b)->offset;
    return x < y ? -1 : x > y;
}

/* Arrays and gaps lie side by side from 0 to the end of state.h5. */
static rt_status check_tiles(const struct manifest *m, const char *name)
{
    const size_t n = m->tensor_count * (size_t)m->kinds + m->gap_count;
    struct range *ranges = malloc((n + 1) * sizeof *ranges);
    rt_status st = RT_OK;
    uint64_t end = 0;
    size_t k = 0;

    if (ranges == NULL) return RT_FAIL(RT_ENOMEM, "%s: list of %zu ranges", name, n);
    for (size_t t = 0; t < m->tensor_count; t++)
        for (int kind = 0; kind < m->kinds; kind++)
            ranges[k++] =
                (struct range){m->tensors[t].arrays[kind].offset, 4 * m->tensors[t].count};
    for (size_t g = 0; g < m->gap_count; g++)
        ranges[k++] = (struct range){m->gaps[g].offset, m->gaps[g].bytes};
    qsort(ranges, n, sizeof *ranges, by_offset);
    for (size_t i = 0; i < n && ranges[i].offset == end && ranges[i].bytes <= m->state_bytes - end;
         i++, k--)
        end += ranges[i].bytes;
    if (k != 0 || end != m->state_bytes)
        st = RT_FAIL(RT_EDATA,
                     "%s: the arrays and gaps do not tile the %" PRIu64 " bytes of " MANIFEST_STATE
                     " behind byte %" PRIu64,
                     name, m->state_bytes, end);
    free(ranges);
    return st;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct manifest_tensor *const *)a)->name,
                  (*(const struct manifest_tensor *const *)b)->name);
}

static rt_status check_names(const struct manifest *m, const char *name)
{
    const struct manifest_tensor **sorted = malloc((m->tensor_count + 1) * sizeof(void *));
    rt_status st = RT_OK;

    if (sorted == NULL) return RT_FAIL(RT_ENOMEM, "%s: list of %zu names", name, m->tensor_count);
    for (size_t t = 0; t < m->tensor_count; t++) sorted[t] = &m->tensors[t];
    qsort(sorted, m->tensor_count, sizeof(void *), by_name);
    for (size_t t = 1; t < m->tensor_count && st == RT_OK; t++)
        if (by_name(&sorted[t - 1], &sorted[t]) == 0)
            st = RT_FAIL(RT_EDATA, "%s: tensor %s stands twice", name, sorted[t]->name);
    free(sorted);
    return st;
}

rt_status manifest_check(const struct manifest *m, const char *name)
{
    for (size_t i = 0; i < m->tensor_count; i++) {
        const struct manifest_tensor *t = &m->tensors[i];
        uint64_t end = 0;
        for (size_t e = t->first_extent; e < t->first_extent + t->extent_count; e++) {
            const struct manifest_extent *x = &m->extents[e];
            if (x->start != end || x->count == 0 || x->count > t->count - end)
                return RT_FAIL(RT_EDATA,
                               "%s: tensor %s: an extent begins at element %" PRIu64
                               ", the one before it ended at %" PRIu64 " of %" PRIu64,
                               name, t->name, x->start, end, t->count);
            end += x->count;
        }
        if (end != t->count)
            return RT_FAIL(RT_EDATA,
                           "%s: tensor %s: extents cover %" PRIu64 " of %" PRIu64 " elements", name,
                           t->name, end, t->count);
    }
    RT_TRY(check_names(m, name));
    return check_tiles(m, name);
}

static void print_head(const struct manifest *m, FILE *out)
{
    const struct checkpoint_meta *meta = &m->meta;

    fprintf(out, "recua-checkpoint 1\n");
    fprintf(out, "step %" PRIu64 "\n", meta->step);
    fprintf(out, "next_sample %" PRIu64 "\n", meta->next_sample);
    fprintf(out, "tokens_total %" PRIu64 "\n", meta->tokens_total);
    fprintf(out, "seed %" PRIu64 "\n", meta->seed);
    fprintf(out, "data_digest %016" PRIx64 "\n", meta->data_digest);
    fprintf(out, "tokenizer_digest %016" PRIx64 "\n", meta->tokenizer_digest);
    fprintf(out, "ranks %d\n", meta->ranks);
    fprintf(out, "run_id %s\n", meta->run_id);
    fprintf(out, "model %s\n", meta->model);
    fprintf(out, "tainted %d\n", m->tainted);
    for (int i = 0; i < MANIFEST_FILES; i++)
        fprintf(out, "file %s %" PRIu64 " %016" PRIx64 "%016" PRIx64 "\n", manifest_file_names[i],
                m->files[i].bytes, m->files[i].high, m->files[i].low);
    fprintf(out, "state " MANIFEST_STATE " %" PRIu64 " %d\n", m->state_bytes, m->kinds);
    for (size_t i = 0; i < m->gap_count; i++)
        fprintf(out, "gap %" PRIu64 " %" PRIu64 " %08" PRIx32 "\n", m->gaps[i].offset,
                m->gaps[i].bytes, m->gaps[i].crc);
}

static void print_tensor(const struct manifest *m, const struct manifest_tensor *t, FILE *out)
{
    fprintf(out, "tensor %s %" PRIu64, t->name, t->shape[0]);
    if (t->dims == 2) fprintf(out, " %" PRIu64, t->shape[1]);
    fprintf(out, "\n");
    for (int kind = 0; kind < m->kinds; kind++)
        fprintf(out, "array %s %" PRIu64 " %016" PRIx64 "%016" PRIx64 "\n",
                manifest_kind_names[kind], t->arrays[kind].offset, t->arrays[kind].digest.high,
                t->arrays[kind].digest.low);
    for (size_t e = t->first_extent; e < t->first_extent + t->extent_count; e++) {
        const struct manifest_extent *x = &m->extents[e];
        fprintf(out, "extent %" PRIu64 " %" PRIu64 "\n", x->start, x->count);
        for (int kind = 0; kind < m->kinds; kind++) {
            fprintf(out, "crc %s", manifest_kind_names[kind]);
            for (size_t b = 0; b < manifest_blocks(x->count); b++)
                fprintf(out, " %08" PRIx32, m->crcs[x->crc[kind] + b]);
            fprintf(out, "\n");
        }
    }
}

rt_status manifest_print(const struct manifest *m, char **text, size_t *bytes)
{
    FILE *out = open_memstream(text, bytes);
    bool bad;

    if (out == NULL) return RT_FAIL(RT_ENOMEM, "text of a manifest");
    print_head(m, out);
    for (size_t t = 0; t < m->tensor_count; t++) print_tensor(m, &m->tensors[t], out);
    bad = fflush(out) != 0;
    if (!bad) fprintf(out, "end %08" PRIx32 "\n", crc32c(0, *text, *bytes));
    bad |= ferror(out) != 0;
    bad |= fclose(out) != 0;
    if (!bad) return RT_OK;
    free(*text);
    *text = NULL;
    return RT_FAIL(RT_ENOMEM, "text of a manifest of %zu tensors", m->tensor_count);
}
