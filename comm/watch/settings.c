/* comm/watch/settings.c - the watchdog's limits from the environment */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "comm/watch/watchdog.h"

static rt_status read_seconds(const char *name, double least, double most, double *value)
{
    const char *text = getenv(name);
    char *end;

    if (text == NULL || *text == '\0') return RT_OK;
    const double given = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(given) || given < least || given > most)
        return RT_FAIL(RT_EINVAL,
                       "%s is '%s', must be a number of seconds from %g to %g; leave it unset for "
                       "%g",
                       name, text, least, most, *value);
    *value = given;
    return RT_OK;
}

static rt_status read_switch(bool *on)
{
    const char *text = getenv("RECUA_WATCHDOG");

    if (text == NULL || *text == '\0') return RT_OK;
    *on = strcmp(text, "off") != 0;
    if (*on && strcmp(text, "on") != 0)
        return RT_FAIL(RT_EINVAL, "RECUA_WATCHDOG is '%s', must be on or off", text);
    return RT_OK;
}

static rt_status read_dump(const char **dir)
{
    const char *text = getenv("RECUA_WATCH_DUMP");
    struct stat s;

    if (text == NULL || *text == '\0') return RT_OK;
    if (stat(text, &s) != 0 || !S_ISDIR(s.st_mode) || access(text, W_OK | X_OK) != 0)
        return RT_FAIL(RT_EINVAL,
                       "RECUA_WATCH_DUMP is '%s', must be a directory that can be written to: "
                       "make it first",
                       text);
    *dir = text;
    return RT_OK;
}

rt_status comm_watch_settings_read(struct comm_watch_settings *out)
{
    struct comm_watch_settings s = {
        .on = true,
        .silent_s = 6,
        .stuck_s = 600,
        .straggler_s = 3,
        .init_s = 300,
    };

    RT_TRY(read_switch(&s.on));
    RT_TRY(read_seconds("RECUA_WATCH_SILENT", 1, 86400, &s.silent_s));
    RT_TRY(read_seconds("RECUA_WATCH_STUCK", 1, 864000, &s.stuck_s));
    RT_TRY(read_seconds("RECUA_INIT_LIMIT", 1, 864000, &s.init_s));
    RT_TRY(read_dump(&s.dump_dir));
    *out = s;
    return RT_OK;
}
