/* checkpoint/save_manifest.c - what all ranks wrote, put together on rank 0 */
#include "checkpoint/save.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "checkpoint/crc32c.h"
#include "checkpoint/file.h"
#include "checkpoint/skeleton.h"
#include "runtime/log.h"

static struct manifest_file describe(const void *bytes, size_t n)
{
    const XXH128_hash_t hash = XXH3_128bits(bytes, n);
    return (struct manifest_file){.bytes = n, .high = hash.high64, .low = hash.low64};
}

/* Copy bytes [offset, offset+bytes) of the skeleton to the file and add them as a gap. */
static rt_status add_gap(struct save *s, int skeleton, int fd, uint64_t offset, uint64_t bytes)
{
    unsigned char part[4096];
    struct manifest_gap *g = manifest_add_gap(s->manifest);

    if (g == NULL) return RT_FAIL(RT_ENOMEM, "list of %zu gaps", s->manifest->gap_count + 1);
    *g = (struct manifest_gap){.offset = offset, .bytes = bytes};
    while (bytes > 0) {
        const size_t n = bytes < sizeof part ? (size_t)bytes : sizeof part;
        RT_TRY(file_read(skeleton, "the skeleton of " MANIFEST_STATE, part, n, offset));
        RT_TRY(file_write(fd, s->state_path, part, n, offset));
        g->crc = crc32c(g->crc, part, n);
        offset += n;
        bytes -= n;
    }
    return RT_OK;
}

struct array {
    uint64_t offset, bytes;
};

static int by_offset(const void *a, const void *b)
{
    const uint64_t x = ((const struct array *)a)->offset, y = ((const struct array *)b)->offset;
    return x < y ? -1 : x > y;
}

/* The gaps are what lies between the arrays. */
static rt_status copy_gaps(struct save *s, struct array *arrays, int skeleton, int fd)
{
    const size_t kinds = (size_t)s->kinds, n = s->state->tensors->count * kinds;
    uint64_t end = 0;

    for (size_t i = 0; i < n; i++)
        arrays[i] = (struct array){
            s->offsets[i], 4 * (uint64_t)rt_tensor_count(&s->state->tensors->items[i / kinds])};
    qsort(arrays, n, sizeof *arrays, by_offset);
    for (size_t i = 0; i < n; i++) {
        if (arrays[i].offset > end) RT_TRY(add_gap(s, skeleton, fd, end, arrays[i].offset - end));
        end = arrays[i].offset + arrays[i].bytes;
    }
    if (s->manifest->state_bytes > end)
        RT_TRY(add_gap(s, skeleton, fd, end, s->manifest->state_bytes - end));
    return RT_OK;
}

/* state.h5 with all its space and everything but the values. */
static rt_status make_state(struct save *s, struct array *arrays, int skeleton)
{
    int fd = -1;
    rt_status st;

    RT_TRY(file_size(skeleton, "the skeleton of " MANIFEST_STATE, &s->manifest->state_bytes));
    RT_TRY(file_open(s->state_path, O_RDWR | O_CREAT | O_EXCL, &fd));
    RT_TRY_OUT(file_reserve(fd, s->state_path, s->manifest->state_bytes));
    RT_TRY_OUT(copy_gaps(s, arrays, skeleton, fd));
    RT_TRY_OUT(file_sync(fd, s->state_path));
    RT_TRY_OUT(file_close(&fd, s->state_path));
out:
    if (fd >= 0) close(fd);
    return st;
}

rt_status save_manifest_begin(struct save *s)
{
    const size_t n = s->state->tensors->count * (size_t)s->kinds;
    struct array *arrays = malloc(n * sizeof *arrays);
    int skeleton = -1;
    rt_status st;

    s->manifest = calloc(1, sizeof *s->manifest);
    if (arrays == NULL || s->manifest == NULL) {
        st = RT_FAIL(RT_ENOMEM, "a manifest of %zu arrays", n);
        goto out;
    }
    s->manifest->meta = *s->meta;
    s->manifest->kinds = s->kinds;
    s->manifest->files[0] = describe(s->files->run_yaml, s->files->run_yaml_bytes);
    s->manifest->files[1] = describe(s->files->tokenizer, s->files->tokenizer_bytes);
    RT_TRY_OUT(skeleton_create(s->meta, s->state->tensors, s->kinds, s->offsets, &skeleton));
    RT_TRY_OUT(make_state(s, arrays, skeleton));
out:
    if (skeleton >= 0) close(skeleton);
    free(arrays);
    return st;
}

/* Records of all ranks, sorted by tensor and start. */
static int by_place(const void *a, const void *b)
{
    const uint64_t *x = *(const uint64_t *const *)a, *y = *(const uint64_t *const *)b;
    for (int i = 0; i < 2; i++)
        if (x[i] != y[i]) return x[i] < y[i] ? -1 : 1;
    return 0;
}

static rt_status add_record(struct manifest *m, const uint64_t *record)
{
    struct manifest_tensor *t = &m->tensors[m->tensor_count - 1];
    struct manifest_extent *x = manifest_add_extent(m);

    if (x == NULL) return RT_FAIL(RT_ENOMEM, "list of %zu extents", m->extent_count + 1);
    x->start = record[1];
    x->count = record[2];
    const size_t blocks = manifest_blocks(x->count);
    record += SAVE_RECORD_HEAD;
    for (int kind = 0; kind < m->kinds; kind++) {
        uint32_t *crcs = manifest_add_crcs(m, blocks);
        if (crcs == NULL) return RT_FAIL(RT_ENOMEM, "list of %zu CRCs", m->crc_count + blocks);
        x->crc[kind] = m->crc_count - blocks;
        digest_merge(&t->arrays[kind].digest, &(struct digest){record[0], record[1]});
        for (size_t b = 0; b < blocks; b++) crcs[b] = (uint32_t)record[SAVE_RECORD_KIND + b];
        record += SAVE_RECORD_KIND + blocks;
    }
    return RT_OK;
}

/* Every tensor with the records (n, sorted) that are its own. */
static rt_status add_tensors(struct save *s, const uint64_t *const *records, size_t n)
{
    const struct rt_tensors *tensors = s->state->tensors;
    size_t r = 0;

    for (size_t i = 0; i < tensors->count; i++) {
        const struct rt_tensor *from = &tensors->items[i];
        struct manifest_tensor *t = manifest_add_tensor(s->manifest);
        if (t == NULL) return RT_FAIL(RT_ENOMEM, "list of %zu tensors", i + 1);
        strcpy(t->name, from->name);
        t->dims = from->dims;
        t->shape[0] = from->shape[0];
        t->shape[1] = from->dims == 2 ? from->shape[1] : 1;
        t->count = t->shape[0] * t->shape[1];
        for (int kind = 0; kind < s->kinds; kind++)
            t->arrays[kind].offset = s->offsets[i * (size_t)s->kinds + (size_t)kind];
        for (; r < n && records[r][0] == i; r++) RT_TRY(add_record(s->manifest, records[r]));
    }
    return manifest_check(s->manifest, "the state to be saved");
}

rt_status save_manifest_end(struct save *s, const uint64_t *words, size_t n)
{
    const uint64_t **records = malloc((n + 1) * sizeof *records); /* more than enough */
    size_t count = 0, at = 0;
    rt_status st;

    if (records == NULL) return RT_FAIL(RT_ENOMEM, "list of the extents of all ranks");
    while (at < n) { /* one rank after the other */
        uint64_t extents = words[at];
        s->manifest->tainted |= words[at + 1] != 0;
        for (at += SAVE_HEAD; extents > 0; extents--) {
            records[count++] = words + at;
            at += save_record_words(s->kinds, words[at + 2]);
        }
    }
    qsort(records, count, sizeof *records, by_place);
    st = add_tensors(s, records, count);
    if (st == RT_OK && s->manifest->tainted)
        rt_log(RT_LOG_WARN,
               "step %" PRIu64
               ": some values are NaN or infinite; the checkpoint is marked tainted",
               s->meta->step);
    free(records);
    return st;
}
