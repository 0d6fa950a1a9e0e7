/* checkpoint/block.c - read one block and hold it against its CRC */
#include "checkpoint/block.h"

#include <inttypes.h>

#include "checkpoint/crc32c.h"
#include "checkpoint/file.h"

rt_status block_read(const struct block_source *s, const struct manifest_extent *x, size_t b,
                     float *values)
{
    const uint64_t first = x->start + (uint64_t)b * MANIFEST_BLOCK;
    const uint64_t offset = s->tensor->arrays[s->kind].offset + first * sizeof *values;
    const size_t bytes = block_count(x, b) * sizeof *values;

    RT_TRY(file_read(s->fd, s->path, values, bytes, offset));
    const uint32_t is = crc32c(0, values, bytes), said = s->manifest->crcs[x->crc[s->kind] + b];
    if (is == said) return RT_OK;
    return RT_FAIL(RT_EDATA,
                   "%s: tensor %s (%s) is damaged in bytes %" PRIu64 " to %" PRIu64
                   ": CRC %08" PRIx32 ", was saved with %08" PRIx32
                   "; use an older checkpoint (recua checkpoint verify tells which are good)",
                   s->path, s->tensor->name, manifest_kind_names[s->kind], offset,
                   offset + bytes - 1, is, said);
}
