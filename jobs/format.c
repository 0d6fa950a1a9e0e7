/* jobs/format.c - see format.h */
#include "jobs/format.h"

#include <stdio.h>
#include <time.h>

const char *format_bytes(uint64_t bytes_, char *buffer, size_t size)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double v = (double)bytes_;
    size_t u = 0;

    while (v >= 1024 && u + 1 < sizeof units / sizeof units[0]) {
        v /= 1024;
        u++;
    }
    snprintf(buffer, size, u == 0 ? "%.0f %s" : "%.2f %s", v, units[u]);
    return buffer;
}

const char *format_count(double n, char *buffer, size_t size)
{
    static const char *const units[] = {"", " k", " M", " G", " T", " P", " E"};
    size_t u = 0;

    while (n >= 1000 && u + 1 < sizeof units / sizeof units[0]) {
        n /= 1000;
        u++;
    }
    snprintf(buffer, size, u == 0 ? "%.0f%s" : "%.2f%s", n, units[u]);
    return buffer;
}

const char *format_seconds(double s, char *buffer, size_t size)
{
    const long whole = s < 1e12 ? (long)(s + 0.5) : 0;

    if (!(s >= 0 && s < 1e12))
        snprintf(buffer, size, "?");
    else if (s >= 172800)
        snprintf(buffer, size, "%ldd%02ldh", whole / 86400, whole % 86400 / 3600);
    else if (s >= 3600)
        snprintf(buffer, size, "%ldh%02ldm", whole / 3600, whole % 3600 / 60);
    else if (s >= 60)
        snprintf(buffer, size, "%ldm%02lds", whole / 60, whole % 60);
    else
        snprintf(buffer, size, "%.3gs", s);
    return buffer;
}

const char *format_utc(char *buffer, size_t size)
{
    const time_t now = time(NULL);
    struct tm utc;

    if (gmtime_r(&now, &utc) == NULL || strftime(buffer, size, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        snprintf(buffer, size, "?");
    return buffer;
}
