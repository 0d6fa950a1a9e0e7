/* jobs/options.h - numbers on the command line, checked: a wrong one is a usage error (exit 2)
 * that names the option, the value and the limits */
#ifndef JOBS_OPTIONS_H
#define JOBS_OPTIONS_H

#include <argp.h>
#include <stdint.h>

int64_t option_integer(const struct argp_state *state, const char *name, const char *text,
                       int64_t least, int64_t most);
double option_number(const struct argp_state *state, const char *name, const char *text,
                     double least, double most);

/* "32M": K M G T are powers of 1024. */
uint64_t option_bytes(const struct argp_state *state, const char *name, const char *text);

#endif
