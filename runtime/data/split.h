/* runtime/data/split.h - which documents are held out, from the records of all parts
 *
 * Those whose hash lies below a threshold, but none that holds more than SPLIT_SLACK times the
 * wanted share of all tokens. Where that holds out nothing or, with few documents, too much: the
 * one document with the smallest hash that fits. Where none fits (one document, few large ones):
 * the tail of the last document, cut behind a newline where one is near, as a document of its own.
 * Nothing of this depends on the number of workers.
 */
#ifndef DATA_SPLIT_H
#define DATA_SPLIT_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/data/part.h"
#include "runtime/data/tokens.h"

enum { SPLIT_SLACK = 4 };

struct split {
    uint64_t threshold;               /* of hashes */
    uint64_t most;                    /* tokens of a document that may be held out */
    bool one;                         /* only document `number` is concerned, and of that */
    uint64_t number;                  /*   the tokens from `cut` are held out */
    uint64_t cut;                     /*   0: all of it */
    uint64_t tokens[2], documents[2]; /* by tokens_split: what comes of it */
};

/* newline: the token that ends a line. Reads all records; the parts must be rewound after it. */
RT_NODISCARD rt_status split_decide(struct parts *p, double heldout, int32_t newline,
                                    struct split *out);

/* Tokens [first, end) of this document belong to `side`; false where none do. Where first > 0 a
 * BOS is to be put before them, where end < r->tokens an EOS behind. */
bool split_range(const struct split *s, const struct part_record *r, tokens_split side,
                 uint64_t *first, uint64_t *end);

#endif
