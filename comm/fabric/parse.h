/* comm/fabric/parse.h - the kernel's texts in /sys/class/infiniband; pure functions
 *
 * Each takes one line and is false where it is not what the kernel writes.
 * Source   formats: Linux, drivers/infiniband/core/sysfs.c
 */
#ifndef COMM_FABRIC_PARSE_H
#define COMM_FABRIC_PARSE_H

#include <stdbool.h>
#include <stddef.h>

/* "4: ACTIVE" -> 4 and "ACTIVE" (points into text). The number has one or two digits. */
bool comm_parse_numbered(const char *text, int *number, const char **word);

/* "400 Gb/sec (4X NDR)", "2.5 Gb/sec (1X SDR)" -> Gb/s. The generation's name is not looked at:
 * Ethernet borrows it. */
bool comm_parse_rate(const char *text, double *gbit_per_s);

typedef enum {
    COMM_GID_ZERO,
    COMM_GID_LINK_LOCAL, /* fe80::/64 */
    COMM_GID_IPV4,       /* ::ffff:a.b.c.d */
    COMM_GID_GLOBAL
} comm_gid_scope;

/* "fe80:0000:0000:0000:1270:fdff:fe12:3456" -> its scope. */
bool comm_parse_gid(const char *text, comm_gid_scope *scope);

/* "0-3,8,10-11" -> true, and whether cpu is in it. */
bool comm_parse_cpu_list(const char *text, bool *has, int cpus);

/* "10 21 31" -> how many, at most `most`; -1 where a word is no distance. */
int comm_parse_distances(const char *text, int *out, int most);

#endif
