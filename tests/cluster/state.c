/* tests/cluster/state.c - what the switch has counted, as JSON for `hosts stats` */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/cluster/switch.h"

static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void write_host(FILE *out, const struct ether *e, int i)
{
    const struct port *p = &e->port[i];
    const struct port_settings *s = &e->settings.port[i];
    char name[16];

    port_name(i, name, sizeof name);
    fprintf(out,
            "  {\"name\": \"%s\", \"pid\": %ld, \"alive\": %s, \"link_up\": %s, \"mbit_per_s\": ",
            name, (long)p->pid, p->gone ? "false" : "true", s->up ? "true" : "false");
    if (s->mbit_per_s > 0)
        fprintf(out, "%g", s->mbit_per_s);
    else
        fprintf(out, "null");
    fprintf(out,
            ", \"latency_us\": %g, \"sent_frames\": %" PRIu64 ", \"sent_bytes\": %" PRIu64
            ", \"received_frames\": %" PRIu64 ", \"received_bytes\": %" PRIu64
            ", \"dropped_frames\": %" PRIu64 ", \"queued_bytes\": %zu}%s\n",
            s->latency_us, p->sent_frames, p->sent_bytes, p->received_frames, p->received_bytes,
            p->dropped_frames, p->queued_bytes, i + 1 < e->ports ? "," : "");
}

rt_status state_write(const struct ether *e)
{
    char path[512], part[520];

    snprintf(path, sizeof path, "%s/state.json", e->dir);
    snprintf(part, sizeof part, "%s.part", path);
    FILE *out = fopen(part, "w");
    if (out == NULL) return RT_FAIL(RT_EIO, "%s: %s", part, strerror(errno));
    fprintf(out, "{\"reads\": %ld, \"refused\": %s, \"overhead_us\": %g, \"cpu_s\": %.6f,\n",
            e->reads, e->refused ? "true" : "false", e->settings.overhead_us, cpu_s());
    fprintf(out, " \"hosts\": [\n");
    for (int i = 0; i < e->ports; i++) write_host(out, e, i);
    fprintf(out, " ]}\n");
    const bool bad = ferror(out) != 0;
    if (fclose(out) != 0 || bad || rename(part, path) != 0)
        return RT_FAIL(RT_EIO, "%s: %s", path, strerror(errno));
    return RT_OK;
}
