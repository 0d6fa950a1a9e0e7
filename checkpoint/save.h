/* checkpoint/save.h - one save under way, as the files of this folder see it
 *
 *     save.c           the order of things, and what all ranks agree on
 *     save_write.c     every rank: its extents to state.h5, CRCs and digests on the way
 *     save_manifest.c  rank 0: everybody's extents to one manifest
 */
#ifndef CHECKPOINT_SAVE_H
#define CHECKPOINT_SAVE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checkpoint/checkpoint.h"
#include "checkpoint/manifest.h"

struct save {
    struct comm *world;
    const char *dir;
    const struct checkpoint_meta *meta;
    const struct checkpoint_files *files;
    const struct checkpoint_state *state;
    int kinds;                 /* 1 or 3 */
    char tmp[PATH_MAX];        /* the directory being filled */
    char state_path[PATH_MAX]; /* state.h5 in it */
    uint64_t *offsets;         /* (count*kinds+1) of every array; last the bytes saved */
    uint64_t *words;           /* what this rank wrote, see below */
    size_t word_count;
    struct manifest *manifest; /* rank 0 */
};

/* What a rank tells rank 0, in words of 64 bits: the number of its extents, whether some value was
 * not finite, then one record an extent:
 *     tensor, start, count, then for each kind: digest low, digest high, a CRC a block */
enum { SAVE_HEAD = 2, SAVE_RECORD_HEAD = 3, SAVE_RECORD_KIND = 2 };

/* Words of the record of an extent. */
static inline size_t save_record_words(int kinds, uint64_t count)
{
    return SAVE_RECORD_HEAD + (size_t)kinds * (SAVE_RECORD_KIND + manifest_blocks(count));
}

/* Write and sync this rank's extents; fills words. Not collective. */
RT_NODISCARD rt_status save_write(struct save *s);

/* Rank 0. Make state.h5, synced, with all but the values; offsets, and the manifest's head: meta,
 * files, gaps with their CRCs. */
RT_NODISCARD rt_status save_manifest_begin(struct save *s);
/* Rank 0. Tensors and extents from everybody's words (n), checked: they cover all. */
RT_NODISCARD rt_status save_manifest_end(struct save *s, const uint64_t *words, size_t n);

#endif
