/* runtime/data/tokenizer_check.h - is this a model that SentencePiece can load without harm? */
#ifndef DATA_TOKENIZER_CHECK_H
#define DATA_TOKENIZER_CHECK_H

#include <stddef.h>

#include "runtime/status.h"

/* Walks the protobuf by itself: the library trusts what it reads, and ends the process on some of
 * it. RT_EDATA says what is wrong with `path`. */
RT_NODISCARD rt_status tokenizer_check(const char *path, const void *model, size_t bytes);

#endif
