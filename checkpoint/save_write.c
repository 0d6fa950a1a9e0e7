/* checkpoint/save_write.c - this rank's extents to the file
 *
 * A block is read once from memory for its CRC, digest and finite scan while it is in the cache,
 * then put.
 */
#include "checkpoint/save.h"

#include <stdlib.h>

#include "checkpoint/crc32c.h"
#include "checkpoint/digest.h"
#include "checkpoint/writer.h"

/* One extent of one kind; words gets digest and CRCs. Values (count) begin at byte `offset`. */
static rt_status write_values(struct writer *w, const struct shard_extent *x, const float *values,
                              uint64_t offset, uint64_t *words, bool *finite)
{
    struct digest digest = {0};
    size_t block = 0;

    for (uint64_t at = 0; at < x->count; at += MANIFEST_BLOCK, block++) {
        const size_t n =
            x->count - at < MANIFEST_BLOCK ? (size_t)(x->count - at) : (size_t)MANIFEST_BLOCK;
        words[SAVE_RECORD_KIND + block] = crc32c(0, values + at, n * sizeof *values);
        *finite &= digest_add(&digest, x->start + at, values + at, n);
        RT_TRY(writer_put(w, values + at, n * sizeof *values, offset + at * sizeof *values));
    }
    words[0] = digest.low;
    words[1] = digest.high;
    return RT_OK;
}

static rt_status write_extent(struct save *s, struct writer *w, const struct shard_extent *x,
                              uint64_t *words, bool *finite)
{
    const struct checkpoint_state *state = s->state;
    const float *const own[MANIFEST_KINDS] = {state->master, state->exp_avg, state->exp_avg_sq};

    words[0] = x->tensor;
    words[1] = x->start;
    words[2] = x->count;
    words += SAVE_RECORD_HEAD;
    for (int kind = 0; kind < s->kinds; kind++) {
        const uint64_t array = s->offsets[x->tensor * (size_t)s->kinds + (size_t)kind];
        RT_TRY(write_values(w, x, own[kind] + x->own, array + x->start * sizeof(float), words,
                            finite));
        words += SAVE_RECORD_KIND + manifest_blocks(x->count);
    }
    return RT_OK;
}

rt_status save_write(struct save *s)
{
    const struct checkpoint_state *state = s->state;
    struct writer *w = NULL;
    bool finite = true;
    rt_status st;

    s->word_count = SAVE_HEAD;
    for (size_t i = 0; i < state->extent_count; i++)
        s->word_count += save_record_words(s->kinds, state->extents[i].count);
    s->words = calloc(s->word_count, sizeof *s->words);
    if (s->words == NULL) return RT_FAIL(RT_ENOMEM, "%zu words of CRCs", s->word_count);

    uint64_t *words = s->words + SAVE_HEAD;
    RT_TRY_OUT(writer_open(s->state_path, &w));
    for (size_t i = 0; i < state->extent_count; i++) {
        RT_TRY_OUT(write_extent(s, w, &state->extents[i], words, &finite));
        words += save_record_words(s->kinds, state->extents[i].count);
    }
    s->words[0] = state->extent_count;
    s->words[1] = !finite;
    RT_TRY_OUT(writer_sync(w));
out:
    writer_close(&w);
    return st;
}
