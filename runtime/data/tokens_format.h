/* runtime/data/tokens_format.h - what stands in a token file, and how one is made
 *
 * A file is made in three steps, so that its bytes can be written without HDF5: skeleton (names,
 * shapes, attributes; contiguous data sets, allocated at once, never filled), the caller's
 * pwrite at the offsets, seal (the digest of what was written). No time stamps: the same tokens
 * give the same bytes. The caller syncs and renames.
 */
#ifndef DATA_TOKENS_FORMAT_H
#define DATA_TOKENS_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/data/tokens.h"

#define TOKENS_FORMAT "recua-tokens"
enum { TOKENS_VERSION = 1, TOKENS_UINT16_MOST = 65536 };

/* Where the bytes of a split lie in the file; 0 where there are none. */
struct tokens_place {
    uint64_t tokens, documents;
};

/* info->data_digest is not looked at. */
RT_NODISCARD rt_status tokens_skeleton(const char *path, const struct tokens_info *info,
                                       const struct tokens_counted *counted, const void *tokenizer,
                                       size_t tokenizer_bytes, struct tokens_place places[2]);
RT_NODISCARD rt_status tokens_seal(const char *path, uint64_t data_digest);

static inline const char *tokens_split_name(tokens_split split)
{
    return split == TOKENS_TRAIN ? "train" : "heldout";
}

#endif
