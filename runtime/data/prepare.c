/* runtime/data/prepare.c - text files to one token file; see prepare.h
 *
 *     documents_read --text--> worker --tokens--> part file --join_parts (worker 0)--> output
 */
#include "runtime/data/prepare.h"

#include <stdlib.h>
#include <xxhash.h>

#include "runtime/data/documents.h"
#include "runtime/data/join.h"
#include "runtime/data/part.h"
#include "runtime/data/sites.h"
#include "runtime/data/tokenizer.h"
#include "runtime/data/tokens_format.h"
#include "runtime/trace.h"

struct worker {
    const struct tokenizer *tokenizer;
    struct part_writer *part;
    uint64_t rank, size;
    struct part_header counts;
    /* the document under way */
    uint64_t number, bytes;
    XXH3_state_t *hash;
};

static bool wants(void *ctx, uint64_t number)
{
    struct worker *w = ctx;

    w->number = number;
    w->bytes = 0;
    return number % w->size == w->rank;
}

static rt_status take_text(void *ctx, const char *text, size_t bytes)
{
    struct worker *w = ctx;
    const int32_t bos = TOKENIZER_BOS;
    int32_t *tokens = NULL;
    size_t count = 0;

    if (w->bytes == 0) {
        XXH3_64bits_reset(w->hash);
        RT_TRY(part_begin(w->part, w->number));
        RT_TRY(part_tokens(w->part, &bos, 1));
        RT_TRY(tokenizer_encode(w->tokenizer, text, bytes, &tokens, &count));
    } else {
        RT_TRY(tokenizer_encode_more(w->tokenizer, text, bytes, &tokens, &count));
    }
    XXH3_64bits_update(w->hash, text, bytes);
    w->bytes += bytes;
    rt_status st = part_tokens(w->part, tokens, count);
    free(tokens);
    return st;
}

static rt_status end_document(void *ctx, document_verdict verdict)
{
    struct worker *w = ctx;
    const int32_t eos = TOKENIZER_EOS;

    w->counts.bad += verdict == DOCUMENT_BAD;
    w->counts.excluded += verdict == DOCUMENT_EXCLUDED;
    if (verdict != DOCUMENT_GOOD) return RT_OK;
    if (w->bytes == 0) {
        w->counts.empty++;
        return RT_OK;
    }
    w->counts.documents++;
    w->counts.text_bytes += w->bytes;
    RT_TRY(part_tokens(w->part, &eos, 1));
    return part_end(w->part, XXH3_64bits_digest(w->hash));
}

static rt_status check_options(const struct prepare_options *o)
{
    if (o->input_count == 0) return RT_FAIL(RT_EINVAL, "no input files to prepare");
    if (!(o->heldout >= 0 && o->heldout <= 0.5))
        return RT_FAIL(RT_EINVAL, "heldout is %g, must be from 0 to 0.5", o->heldout);
    if (o->size < 1 || o->rank < 0 || o->rank >= o->size || (o->size > 1 && o->agree == NULL))
        return RT_FAIL(RT_EINVAL, "worker %d of %d", o->rank, o->size);
    return RT_OK;
}

/* This worker's documents into its part file. */
static rt_status make_part(const struct prepare_options *o, struct worker *w)
{
    struct documents_options from = {.inputs = o->inputs,
                                     .input_count = o->input_count,
                                     .field = o->field,
                                     .skip_bad = o->skip_bad,
                                     .max_bytes = o->max_bytes};
    const struct document_sink sink = {w, wants, take_text, end_document};
    const int small = tokenizer_vocabulary(w->tokenizer) <= TOKENS_UINT16_MOST;
    struct sites *sites = NULL;
    rt_status st;

    w->hash = XXH3_createState();
    if (w->hash == NULL) return RT_FAIL(RT_ENOMEM, "%s: memory for a hash", o->output);
    if (o->exclude_sites != NULL) RT_TRY_OUT(sites_load(o->exclude_sites, &sites));
    from.sites = sites;
    RT_TRY_OUT(
        part_create(o->output, (uint32_t)o->rank, (uint32_t)o->size, small ? 2 : 4, &w->part));
    if (o->rank == 0) part_sweep(o->output, (uint32_t)o->size);
    RT_TRY_OUT(documents_read(&from, &sink, &w->counts.files, &w->counts.numbers));
    RT_TRY_OUT(part_finish(w->part, &w->counts));
out:
    sites_destroy(&sites);
    XXH3_freeState(w->hash);
    return st;
}

static rt_status agree(const struct prepare_options *o, rt_status mine)
{
    return o->agree != NULL ? o->agree(o->ctx, mine) : mine;
}

rt_status prepare_tokens(const struct prepare_options *o, struct prepare_report *report)
{
    const double begun = rt_now_s();
    struct tokenizer *tokenizer = NULL;
    struct worker w = {.rank = (uint64_t)o->rank, .size = (uint64_t)o->size};
    rt_status st = check_options(o);

    *report = (struct prepare_report){0};
    if (st == RT_OK) st = tokenizer_load(o->tokenizer_path, &tokenizer);
    w.tokenizer = tokenizer;
    if (st == RT_OK) st = make_part(o, &w);
    RT_TRY_OUT(agree(o, st));
    if (o->rank == 0) st = join_parts(o, tokenizer, report);
    RT_TRY_OUT(agree(o, st)); /* the parts are needed until here */
    report->seconds = rt_now_s() - begun;
out:
    part_destroy(&w.part);
    tokenizer_destroy(&tokenizer);
    return st;
}
