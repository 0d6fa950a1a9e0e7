/* comm/fabric/parse.c - see parse.h */
#include "comm/fabric/parse.h"

#include <ctype.h>
#include <string.h>

enum { GID_WORDS = 8, MOST_DIGITS = 6 };

/* The digits at *text as a number, at most MOST_DIGITS of them; false where there is none. */
static bool digits(const char **text, int *out)
{
    size_t n = strspn(*text, "0123456789");

    if (n == 0 || n > MOST_DIGITS) return false;
    *out = 0;
    for (size_t i = 0; i < n; i++) *out = *out * 10 + ((*text)[i] - '0');
    *text += n;
    return true;
}

bool comm_parse_numbered(const char *text, int *number, const char **word)
{
    if (!digits(&text, number) || *number > 99) return false;
    if (strncmp(text, ": ", 2) != 0 || text[2] == '\0') return false;
    *word = text + 2;
    return true;
}

bool comm_parse_rate(const char *text, double *gbit_per_s)
{
    int whole, tenth = 0;

    if (!digits(&text, &whole)) return false;
    if (*text == '.') {
        if (!isdigit((unsigned char)text[1])) return false;
        tenth = text[1] - '0';
        text += 2;
    }
    if (strncmp(text, " Gb/sec", 7) != 0 || (text[7] != '\0' && text[7] != ' ')) return false;
    if (whole == 0 && tenth == 0) return false;
    *gbit_per_s = whole + tenth / 10.0;
    return true;
}

bool comm_parse_gid(const char *text, comm_gid_scope *scope)
{
    unsigned words[GID_WORDS] = {0}, all = 0;

    for (int w = 0; w < GID_WORDS; w++) {
        for (int i = 0; i < 4; i++, text++) {
            if (!isxdigit((unsigned char)*text)) return false;
            int c = tolower((unsigned char)*text);
            words[w] = words[w] * 16 + (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
        }
        all |= words[w];
        if (*text++ != (w + 1 < GID_WORDS ? ':' : '\0')) return false;
    }
    *scope = COMM_GID_GLOBAL;
    if (all == 0) *scope = COMM_GID_ZERO;
    if (words[0] == 0xfe80) *scope = COMM_GID_LINK_LOCAL;
    if ((words[0] | words[1] | words[2] | words[3] | words[4]) == 0 && words[5] == 0xffff)
        *scope = COMM_GID_IPV4;
    return true;
}

bool comm_parse_cpu_list(const char *text, bool *has, int cpus)
{
    for (int c = 0; c < cpus; c++) has[c] = false;
    while (*text != '\0') {
        int first, last;

        if (!digits(&text, &first)) return false;
        last = first;
        if (*text == '-') {
            text++;
            if (!digits(&text, &last) || last < first) return false;
        }
        for (int c = first; c <= last && c < cpus; c++) has[c] = true;
        if (*text == ',' && text[1] != '\0')
            text++;
        else if (*text != '\0')
            return false;
    }
    return true;
}

int comm_parse_distances(const char *text, int *out, int most)
{
    int n = 0;

    for (text += strspn(text, " "); *text != '\0'; text += strspn(text, " ")) {
        int d;
        if (!digits(&text, &d) || d == 0 || d > 255 || (*text != ' ' && *text != '\0')) return -1;
        if (n < most) out[n++] = d;
    }
    return n;
}
