/* comm/fabric/apply.c - the settings into the environment, and the line that says so */
#include "comm/fabric/impl.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/log.h"

size_t comm_fabric_apply(const struct comm_fabric *f)
{
    size_t count = 0;

    for (size_t i = 0; i < f->setting_count; i++) {
        const struct comm_setting *s = &f->settings[i];
        if (!s->users && getenv(s->name) == NULL && setenv(s->name, s->value, 0) == 0) count++;
    }
    return count;
}

/* "UCX_A=1 UCX_B=2", and the warnings' codes. */
static void say(const struct comm_fabric *f)
{
    char set[1024] = "", warned[512] = "", rails[32] = "";
    size_t used = 0, told = 0;

    for (size_t i = 0; i < f->setting_count && used < sizeof set; i++)
        if (!f->settings[i].users)
            used += (size_t)snprintf(set + used, sizeof set - used, " %s=%s", f->settings[i].name,
                                     f->settings[i].value);
    for (size_t i = 0; i < f->warning_count && told < sizeof warned; i++)
        if (i == 0 || strcmp(f->warnings[i].code, f->warnings[i - 1].code) != 0)
            told += (size_t)snprintf(
                warned + told, sizeof warned - told, "%s%s",
                told > 0 ? " " : "; warnings (recua fabric shows them): ", f->warnings[i].code);
    if (f->rail_count > 0)
        snprintf(rails, sizeof rails, ", %zu rail%s", f->rail_count, f->rail_count == 1 ? "" : "s");
    rt_log_once(RT_LOG_INFO, "network %s%s; %s%s%s", comm_fabric_kind_name(f->kind), rails,
                set[0] == '\0' ? "nothing is set" : "set", set, warned);
    for (size_t i = 0; i < f->setting_count; i++)
        rt_log(RT_LOG_DEBUG, "network: %s=%s: %s", f->settings[i].name, f->settings[i].value,
               f->settings[i].reason);
    for (size_t i = 0; i < f->warning_count; i++)
        rt_log(RT_LOG_DEBUG, "network: %s: %s", f->warnings[i].code, f->warnings[i].text);
}

rt_status comm_fabric_launch(void)
{
    const struct comm_reader machine = comm_reader_at("");
    struct comm_location place;
    struct comm_fabric *f = NULL;

    comm_location_read(&machine, &place);
    if (place.nodes < 2) return RT_OK;
    /* MPI has not told the ranks yet: until it does, the launcher's word is good enough to log. */
    if (place.rank >= 0 && place.ranks > 0) rt_log_init(place.rank, place.ranks);
    rt_status st = comm_fabric_probe("", NULL, &f);
    if (st == RT_OK) {
        comm_fabric_apply(f);
        say(f);
    }
    comm_fabric_destroy(&f);
    return st == RT_EINVAL ? st : RT_OK;
}
