/* jobs/options.c - see options.h */
#include "jobs/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int64_t option_integer(const struct argp_state *state, const char *name, const char *text,
                       int64_t least, int64_t most)
{
    char *end;

    errno = 0;
    const long long v = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || v < least || v > most)
        argp_error(state, "%s is '%s', must be a whole number from %lld to %lld", name, text,
                   (long long)least, (long long)most);
    return v;
}

double option_number(const struct argp_state *state, const char *name, const char *text,
                     double least, double most)
{
    char *end;

    errno = 0;
    const double v = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !(v >= least && v <= most))
        argp_error(state, "%s is '%s', must be a number from %g to %g", name, text, least, most);
    return v;
}

uint64_t option_bytes(const struct argp_state *state, const char *name, const char *text)
{
    static const char units[] = "KMGT";
    char *end;

    errno = 0;
    const unsigned long long v = strtoull(text, &end, 10);
    const char *unit = *end != '\0' ? strchr(units, *end) : NULL;
    const int shift = unit != NULL ? 10 * (int)(unit - units + 1) : 0;
    if (errno != 0 || end == text || text[0] == '-' || (*end != '\0' && unit == NULL) ||
        (unit != NULL && end[1] != '\0') || v > UINT64_MAX >> shift)
        argp_error(state, "%s is '%s', must be bytes such as 1048576, 32M or 80G", name, text);
    return (uint64_t)v << shift;
}
