/* checkpoint/manifest.h - the one file that restart parses: what is in a checkpoint, and where
 *
 * Lines of ASCII, one space between words, closed by the CRC-32C of every byte before the last
 * line; docs/file-formats.md lists them. A file is accepted only if manifest_print would write
 * the same bytes: no leading zeros, no spare spaces, no upper-case digits.
 *
 * Terms    kind    what of a tensor: its value ("model") or one of AdamW's two moments
 *          array   one kind of one tensor: a contiguous range of state.h5 in full shape, f32
 *          extent  a run of elements that one rank wrote, in every kind
 *          block   1 MiB of an extent, counted from its start; the last may be shorter
 *          gap     bytes of state.h5 that are no tensor data
 */
#ifndef CHECKPOINT_MANIFEST_H
#define CHECKPOINT_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checkpoint/checkpoint.h"
#include "checkpoint/digest.h"
#include "runtime/status.h"

#define MANIFEST_FILE "MANIFEST"
#define MANIFEST_STATE "state.h5"
#define MANIFEST_RUN_YAML "run.yaml"
#define MANIFEST_TOKENIZER "tokenizer.model"

enum {
    MANIFEST_KINDS = 3,
    MANIFEST_BLOCK_BYTES = 1 << 20,
    MANIFEST_BLOCK = MANIFEST_BLOCK_BYTES / 4, /* elements */
    MANIFEST_FILES = 2,                        /* run.yaml, tokenizer.model */
};

extern const char *const manifest_kind_names[MANIFEST_KINDS]; /* model, exp_avg, exp_avg_sq */

struct manifest_file {
    uint64_t bytes;
    uint64_t high, low; /* XXH3, 128 bits */
};

struct manifest_gap {
    uint64_t offset, bytes;
    uint32_t crc;
};

struct manifest_array {
    uint64_t offset; /* of the first byte in state.h5 */
    struct digest digest;
};

struct manifest_extent {
    uint64_t start, count;      /* elements of the tensor */
    size_t crc[MANIFEST_KINDS]; /* index of the first block's CRC in manifest.crcs */
};

struct manifest_tensor {
    char name[64];
    int dims;
    uint64_t shape[2], count;
    struct manifest_array arrays[MANIFEST_KINDS];
    size_t first_extent, extent_count; /* sorted by start, gapless, they cover the tensor */
};

struct manifest {
    struct checkpoint_meta meta;
    bool tainted;                               /* some value is NaN or infinite */
    struct manifest_file files[MANIFEST_FILES]; /* in the order of manifest_file_names */
    uint64_t state_bytes;
    int kinds; /* 1 (weights only) or 3 */
    struct manifest_gap *gaps;
    struct manifest_tensor *tensors;
    struct manifest_extent *extents;
    uint32_t *crcs;
    size_t gap_count, tensor_count, extent_count, crc_count;
    size_t gap_room, tensor_room, extent_room, crc_room; /* allocated */
};

extern const char *const manifest_file_names[MANIFEST_FILES];

/* Blocks of an extent of so many elements. */
static inline size_t manifest_blocks(uint64_t count)
{
    return (size_t)((count + MANIFEST_BLOCK - 1) / MANIFEST_BLOCK);
}

/* Add one, zeroed, to a list of the manifest; NULL: out of memory. */
struct manifest_gap *manifest_add_gap(struct manifest *m);
struct manifest_tensor *manifest_add_tensor(struct manifest *m);
struct manifest_extent *manifest_add_extent(struct manifest *m); /* of the last tensor */
uint32_t *manifest_add_crcs(struct manifest *m, size_t n);

/* Text (bytes), which need not end in 0, to a manifest that holds together: extents cover their
 * tensors, arrays and gaps tile state.h5, names differ. `name` stands for the file in messages.
 * RT_EDATA: line and what was expected there. RT_ENOMEM. */
RT_NODISCARD rt_status manifest_parse(const char *text, size_t bytes, const char *name,
                                      struct manifest **out);

/* The text; *text is malloc'ed. RT_ENOMEM. */
RT_NODISCARD rt_status manifest_print(const struct manifest *m, char **text, size_t *bytes);

/* What manifest_parse checks beyond the form of each line. RT_EDATA, RT_ENOMEM. */
RT_NODISCARD rt_status manifest_check(const struct manifest *m, const char *name);

void manifest_destroy(struct manifest **m);

#endif
