/* runtime/data/text.h - UTF-8: is it valid, and where may it be cut */
#ifndef DATA_TEXT_H
#define DATA_TEXT_H

#include <stddef.h>

typedef enum { TEXT_GOOD, TEXT_NUL, TEXT_BAD } text_verdict;

/* Strict UTF-8 (no overlong forms, surrogates or values above U+10FFFF) without NUL. When it is
 * not, *at is the offset of the first byte that is wrong. */
text_verdict text_check(const char *text, size_t bytes, size_t *at);

/* Where to cut valid text of `bytes` bytes so that the head has at most `limit`: all of it if it
 * fits; else behind the last newline; else before the last space that follows no space; else
 * between two characters. At least 1 where limit >= 4. */
size_t text_cut(const char *text, size_t bytes, size_t limit);

/* The same, but 0 where there is neither newline nor space to cut at. */
size_t text_cut_at_space(const char *text, size_t bytes, size_t limit);

/* The largest n <= limit that does not cut a character. */
size_t text_whole_characters(const char *text, size_t bytes, size_t limit);

#endif
