/* tests/cluster/stream.c - the program cluster_stream: what the links of emulated hosts give to plain
 * TCP, beside which the figures of MPI are read
 *
 *     cluster_stream --dir DIR [--seconds S] [PATTERN...]    a line of JSON a pattern
 *     cluster_stream --dir DIR --overhead                    us beyond the latency asked for
 *
 * Patterns  ping: half the round trip of 8 bytes; one: n1 to n2; both: n1 to n2 and back; ring:
 *           each to the next; all: each to all others. The rates are what each host receives.
 * Fraction  payload by line rate. Frames of 9000 bytes leave 8948 of 9038 on the cable: 0.990.
 */
#include "tests/cluster/stream.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int flows_of(const char *pattern, int hosts, struct stream_flow *out)
{
    const bool all = strcmp(pattern, "all") == 0, ring = strcmp(pattern, "ring") == 0;
    int n = 0;

    if (strcmp(pattern, "one") == 0 || strcmp(pattern, "both") == 0) {
        out[n++] = (struct stream_flow){1, 2};
        if (pattern[0] == 'b') out[n++] = (struct stream_flow){2, 1};
    }
    for (int i = 1; i <= hosts; i++)
        for (int j = 1; j <= hosts; j++)
            if ((all && i != j) || (ring && j == i % hosts + 1))
                out[n++] = (struct stream_flow){i, j};
    return n;
}

/* Processor time that the switch has used, s; negative: unknown. */
static double cpu_s(pid_t pid)
{
    char path[64];
    unsigned long long ns = 0;

    snprintf(path, sizeof path, "/proc/%ld/schedstat", (long)pid);
    FILE *f = fopen(path, "r");
    if (f == NULL) return -1;
    const int got = fscanf(f, "%llu", &ns);
    fclose(f);
    return got == 1 ? 1e-9 * (double)ns : -1;
}

static void print_rates(const struct stream_cluster *c, const char *pattern,
                        const struct stream_flow *flows, int n, const struct stream_result *seen)
{
    double into[STREAM_HOSTS] = {0}, least = 0, most = 0;

    for (int k = 0; k < n; k++)
        if (seen[k].seconds > 0)
            into[flows[k].to] += 8e-6 * (double)seen[k].bytes / seen[k].seconds;
    for (int i = 1; i <= c->hosts; i++) {
        if (into[i] == 0) continue;
        if (least == 0 || into[i] < least) least = into[i];
        if (into[i] > most) most = into[i];
    }
    printf(
        "{\"pattern\": \"%s\", \"hosts\": %d, \"flows\": %d, \"payload_mbit_per_s_least\": %.1f, "
        "\"payload_mbit_per_s_most\": %.1f, \"of_line_rate_least\": ",
        pattern, c->hosts, n, least, most);
    if (c->mbit_per_s[1] > 0)
        printf("%.4f", least / c->mbit_per_s[1]);
    else
        printf("null");
}

static rt_status measure(const struct stream_cluster *c, const char *pattern, double seconds)
{
    static struct stream_flow flows[STREAM_FLOWS];
    static struct stream_result seen[STREAM_FLOWS];
    const int n = flows_of(pattern, c->hosts, flows);

    if (n == 0) return RT_FAIL(RT_EINVAL, "no pattern '%s': ping one both ring all", pattern);
    const double before = cpu_s(c->switch_pid);
    RT_TRY(stream_run(c, flows, n, seconds, seen));
    print_rates(c, pattern, flows, n, seen);
    if (before < 0)
        printf(", \"switch_cpu_s\": null}\n");
    else
        printf(", \"switch_cpu_s\": %.3f}\n", cpu_s(c->switch_pid) - before);
    return RT_OK;
}

static rt_status print_ping(const struct stream_cluster *c, bool overhead)
{
    const double asked_us = (c->latency_us[1] + c->latency_us[2]) / 2;
    double us[STREAM_PINGS];

    RT_TRY(stream_ping(c, us));
    const double least = us[STREAM_PINGS / 10]; /* the rest has met other work on this machine */
    if (overhead)
        printf("%.1f\n", least > asked_us ? least - asked_us : 0.0);
    else
        printf("{\"pattern\": \"ping\", \"asked_us\": %g, \"half_round_trip_us_median\": %.1f, "
               "\"half_round_trip_us_low\": %.1f, \"half_round_trip_us_high\": %.1f}\n",
               asked_us, us[STREAM_PINGS / 2], us[STREAM_PINGS / 10], us[STREAM_PINGS * 9 / 10]);
    return RT_OK;
}

static rt_status run(int argc, char **argv)
{
    static const struct option known[] = {{"dir", required_argument, NULL, 'd'},
                                          {"seconds", required_argument, NULL, 's'},
                                          {"overhead", no_argument, NULL, 'o'},
                                          {NULL, 0, NULL, 0}};
    static char *const every[] = {"ping", "one", "both", "ring", "all", NULL};
    const char *dir = NULL;
    struct stream_cluster c;
    double seconds = 1;
    bool overhead = false;
    int o;

    while ((o = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (o == 'd')
            dir = optarg;
        else if (o == 's')
            seconds = strtod(optarg, NULL);
        else if (o == 'o')
            overhead = true;
        else
            return RT_EINVAL; /* getopt has said it */
    }
    if (dir == NULL) return RT_FAIL(RT_EINVAL, "--dir DIR is missing: what 'hosts up' printed");
    if (!(seconds > 0 && seconds <= 600)) return RT_FAIL(RT_EINVAL, "--seconds is up to 600");
    RT_TRY(stream_cluster_read(dir, &c));
    if (overhead) return print_ping(&c, true);
    for (char *const *p = optind < argc ? argv + optind : every; *p != NULL; p++) {
        if (strcmp(*p, "ping") == 0)
            RT_TRY(print_ping(&c, false));
        else
            RT_TRY(measure(&c, *p, seconds));
        fflush(stdout);
    }
    return RT_OK;
}

int main(int argc, char **argv) { return rt_status_exit(run(argc, argv)); }
