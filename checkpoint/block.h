/* checkpoint/block.h - values of state.h5 as load and verify take them: checked block by block */
#ifndef CHECKPOINT_BLOCK_H
#define CHECKPOINT_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "checkpoint/manifest.h"
#include "runtime/status.h"

/* One array of an open state.h5. */
struct block_source {
    const struct manifest *manifest;
    const struct manifest_tensor *tensor;
    int kind;
    int fd;
    const char *path; /* of state.h5, for messages */
};

/* Elements of block b of extent x. */
static inline size_t block_count(const struct manifest_extent *x, size_t b)
{
    const uint64_t rest = x->count - (uint64_t)b * MANIFEST_BLOCK;
    return rest < MANIFEST_BLOCK ? (size_t)rest : (size_t)MANIFEST_BLOCK;
}

/* Read block b of extent x to values (block_count). RT_EDATA, with tensor, file and offset: its CRC
 * is not the manifest's; values are then not to be used. */
RT_NODISCARD rt_status block_read(const struct block_source *s, const struct manifest_extent *x,
                                  size_t b, float *values);

#endif
