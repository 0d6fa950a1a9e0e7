/* tests/cluster/config.c - the switch's settings, a file of lines of which later ones win
 *
 *     overhead US                                   what every path has without being asked
 *     link PORT|* MBIT US LOSS_PPM up|down          0 Mbit: no limit; half of US at each end
 *     rack PORT RACK                                racks from 0; all ports begin in rack 0
 *     uplink RACK MBIT US                           each way, between a rack and all others
 *
 * PORT 0 is the head, which `*` leaves alone. An empty line or one that begins with # says nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cluster/switch.h"

static bool in_range(int value, int end) { return value >= 0 && value < end; }

static bool read_link(const char *line, int ports, struct settings *s)
{
    struct port_settings p = {0};
    char which[16], state[16];
    int port = 0, end = 0;

    if (sscanf(line, "link %15s %lf %lf %u %15s %n", which, &p.mbit_per_s, &p.latency_us,
               &p.loss_ppm, state, &end) != 5 ||
        line[end] != '\0')
        return false;
    p.up = strcmp(state, "up") == 0;
    if (!p.up && strcmp(state, "down") != 0) return false;
    if (!(p.mbit_per_s >= 0) || !(p.latency_us >= 0) || p.loss_ppm > 1000000) return false;
    const bool all = strcmp(which, "*") == 0;
    if (!all && (sscanf(which, "%d", &port) != 1 || !in_range(port, ports))) return false;
    for (int i = all ? 1 : port; i < (all ? ports : port + 1); i++) {
        p.rack = s->port[i].rack;
        s->port[i] = p;
    }
    return true;
}

static bool read_rest(const char *line, int ports, struct settings *s)
{
    int i, rack;
    double mbit, us;

    if (sscanf(line, "overhead %lf", &us) == 1) {
        s->overhead_us = us;
        return us >= 0;
    }
    if (sscanf(line, "rack %d %d", &i, &rack) == 2) {
        if (!in_range(i, ports) || !in_range(rack, SWITCH_RACKS)) return false;
        s->port[i].rack = rack;
        return true;
    }
    if (sscanf(line, "uplink %d %lf %lf", &rack, &mbit, &us) != 3) return false;
    if (!in_range(rack, SWITCH_RACKS) || !(mbit >= 0) || !(us >= 0)) return false;
    s->uplink[rack].mbit_per_s = mbit;
    s->uplink[rack].latency_us = us;
    return true;
}

rt_status settings_read(const char *path, int ports, struct settings *out)
{
    struct settings s = {0};
    char line[256];
    FILE *f = fopen(path, "r");
    rt_status st = RT_OK;

    if (f == NULL) return RT_FAIL(RT_EIO, "%s: %s", path, strerror(errno));
    for (int i = 0; i < ports; i++) s.port[i].up = true;
    for (int n = 1; fgets(line, sizeof line, f) != NULL; n++) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '\0' || line[0] == '#') continue;
        if (read_link(line, ports, &s) || read_rest(line, ports, &s)) continue;
        st = RT_FAIL(RT_EINVAL,
                     "%s:%d: cannot use '%s': ports are 0 to %d, racks 0 to %d, loss is at most "
                     "1000000, a link is up or down (tests/cluster/config.c has the lines)",
                     path, n, line, ports - 1, SWITCH_RACKS - 1);
        break;
    }
    fclose(f);
    if (st == RT_OK) *out = s;
    return st;
}
