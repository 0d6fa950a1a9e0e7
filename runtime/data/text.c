/* runtime/data/text.c - see text.h
 * Source  The Unicode Standard 15.0, table 3-7, "well-formed UTF-8 byte sequences"
 */
#include "runtime/data/text.h"

#include <stdint.h>
#include <string.h>

/* Eight bytes at once: all of them ASCII, none of them NUL. */
static inline int plain8(const unsigned char *p)
{
    uint64_t w;

    memcpy(&w, p, sizeof w);
    if (w & 0x8080808080808080u) return 0;
    return ((w - 0x0101010101010101u) & 0x8080808080808080u) == 0;
}

/* Length of the well-formed character at p, of which `left` bytes are there; 0: ill-formed. */
static size_t character(const unsigned char *p, size_t left)
{
    const unsigned char c = p[0];
    unsigned char low = 0x80, high = 0xBF; /* of the second byte */
    size_t n;

    if (c < 0x80) return 1;
    if (c < 0xC2 || c > 0xF4) return 0;
    n = c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    if (c == 0xE0) low = 0xA0;
    if (c == 0xED) high = 0x9F;
    if (c == 0xF0) low = 0x90;
    if (c == 0xF4) high = 0x8F;
    if (n > left || p[1] < low || p[1] > high) return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    return n;
}

text_verdict text_check(const char *text, size_t bytes, size_t *at)
{
    const unsigned char *p = (const unsigned char *)text;

    for (size_t i = 0; i < bytes;) {
        if (bytes - i >= 8 && plain8(p + i)) {
            i += 8;
            continue;
        }
        size_t n = character(p + i, bytes - i);
        if (n == 0 || p[i] == 0) {
            *at = i;
            return n == 0 ? TEXT_BAD : TEXT_NUL;
        }
        i += n;
    }
    return TEXT_GOOD;
}

size_t text_whole_characters(const char *text, size_t bytes, size_t limit)
{
    if (bytes <= limit) return bytes;
    size_t n = limit;
    while (n > 0 && limit - n < 3 && ((unsigned char)text[n] & 0xC0) == 0x80) n--;
    return n;
}

size_t text_cut_at_space(const char *text, size_t bytes, size_t limit)
{
    if (bytes <= limit) return bytes;
    const char *newline = memrchr(text, '\n', limit);
    if (newline != NULL) return (size_t)(newline - text) + 1;
    for (size_t i = limit; i > 1; i--)
        if (text[i - 1] == ' ' && text[i - 2] != ' ') return i - 1;
    return 0;
}

size_t text_cut(const char *text, size_t bytes, size_t limit)
{
    const size_t n = text_cut_at_space(text, bytes, limit);
    return n > 0 ? n : text_whole_characters(text, bytes, limit);
}
