/* jobs/format.h - numbers for people; each writes into buffer and returns it */
#ifndef JOBS_FORMAT_H
#define JOBS_FORMAT_H

#include <stddef.h>
#include <stdint.h>

const char *format_bytes(uint64_t bytes_, char *buffer, size_t size); /* "1.50 GiB" */
const char *format_count(double n, char *buffer, size_t size);        /* "6.74 G" */
const char *format_seconds(double s, char *buffer, size_t size);      /* "1h05m", "3m07s", "2.1s" */
const char *format_utc(char *buffer, size_t size); /* now, "2026-01-31T12:00:00Z" */

#endif
