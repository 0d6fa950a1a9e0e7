/* runtime/data/split.c - see split.h */
#include "runtime/data/split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW_TOKENS = 1 << 16 }; /* a newline is looked for in so many, at most */

bool split_range(const struct split *s, const struct part_record *r, tokens_split side,
                 uint64_t *first, uint64_t *end)
{
    const bool held =
        s->one ? r->number == s->number : r->hash < s->threshold && r->tokens <= s->most;
    const uint64_t cut = held ? s->cut : r->tokens;

    *first = side == TOKENS_TRAIN ? 0 : cut;
    *end = side == TOKENS_TRAIN ? cut : r->tokens;
    return *first < *end;
}

/* What a pass over the records shows. */
struct seen {
    uint64_t all;              /* tokens of all documents, as they came */
    struct part_record last;   /* tokens 0: there is none */
    struct part_record lowest; /* by hash, of those that may be held out; or tokens 0 */
};

static rt_status count(struct parts *p, struct split *s, struct seen *seen)
{
    struct part_record r;
    uint64_t first, end;

    *seen = (struct seen){0};
    memset(s->tokens, 0, sizeof s->tokens);
    memset(s->documents, 0, sizeof s->documents);
    parts_rewind(p);
    for (;;) {
        RT_TRY(parts_next(p, &r));
        if (r.tokens == 0) return RT_OK;
        seen->all += r.tokens;
        seen->last = r;
        if (r.tokens <= s->most && (seen->lowest.tokens == 0 || r.hash < seen->lowest.hash))
            seen->lowest = r;
        for (tokens_split side = TOKENS_TRAIN; side <= TOKENS_HELDOUT; side++) {
            if (!split_range(s, &r, side, &first, &end)) continue;
            s->tokens[side] += end - first + (first > 0) + (end < r.tokens);
            s->documents[side]++;
        }
    }
}

/* Move *cut of the record last given back behind a newline, if one is among the `reach` tokens
 * before it. */
static rt_status to_line_end(const struct parts *p, uint64_t reach, int32_t newline, uint64_t *cut)
{
    const size_t n = reach < WINDOW_TOKENS ? (size_t)reach : WINDOW_TOKENS;
    const size_t bytes = parts_header(p, 0)->bytes_per_token;
    unsigned char *window = malloc(n * bytes + 1);
    rt_status st;

    if (window == NULL) return RT_FAIL(RT_ENOMEM, "%zu tokens to find the end of a line", n);
    RT_TRY_OUT(parts_read(p, (*cut - n) * bytes, window, n * bytes));
    for (size_t i = n; i > 0; i--) {
        uint16_t small;
        int32_t token;
        memcpy(&small, window + (i - 1) * bytes, sizeof small);
        token = small;
        if (bytes == sizeof token) memcpy(&token, window + (i - 1) * bytes, sizeof token);
        if (token != newline) continue;
        *cut -= n - i;
        break;
    }
out:
    free(window);
    return st;
}

/* Hold out the end of the last document, which is the record last given: `share` of all tokens,
 * at least 1 % and at most half of the document. */
static rt_status hold_tail(const struct parts *p, double share, int32_t newline,
                           const struct seen *seen, struct split *s)
{
    const uint64_t text = seen->last.tokens - 2; /* without BOS and EOS */
    const double wanted = share * (double)seen->all, least = 0.01 * (double)text;
    uint64_t tail = (uint64_t)ceil(wanted > least ? wanted : least);

    s->one = true;
    s->number = seen->last.number;
    if (tail > text / 2) tail = text / 2;
    s->cut = 1 + text - tail;
    const uint64_t reach = tail / 2 < s->cut - 2 ? tail / 2 : s->cut - 2;
    return to_line_end(p, reach, newline, &s->cut);
}

rt_status split_decide(struct parts *p, double heldout, int32_t newline, struct split *out)
{
    struct seen seen;

    *out = (struct split){0}; /* nothing lies below 0 */
    RT_TRY(count(p, out, &seen));
    if (!(heldout > 0) || seen.all == 0) return RT_OK;
    const double limit = SPLIT_SLACK * heldout < 0.75 ? SPLIT_SLACK * heldout : 0.75;
    out->most = (uint64_t)(limit * (double)seen.all); /* less than all: something is left */
    out->threshold = (uint64_t)ldexp(heldout, 64);
    RT_TRY(count(p, out, &seen));
    if (out->documents[TOKENS_HELDOUT] > 0 && out->tokens[TOKENS_HELDOUT] <= out->most)
        return RT_OK;
    if (seen.lowest.tokens > 0) {
        out->one = true;
        out->number = seen.lowest.number;
    } else if (seen.last.tokens >= 4) {
        RT_TRY(hold_tail(p, heldout, newline, &seen, out));
    } else {
        out->threshold = 0; /* no text that could be cut */
    }
    return count(p, out, &seen);
}
