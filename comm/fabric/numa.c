/* comm/fabric/numa.c - the NUMA nodes, how far apart they are, and which of them is this rank's */
#include "comm/fabric/impl.h"

#include <stdio.h>
#include <string.h>

#include "comm/fabric/parse.h"

enum { MOST_CPUS = 4096, MOST_ENTRIES = 64, NEAR = 10, FAR = 20 };

/* The CPUs that this process may use; false where that is unknown. */
static bool allowed_cpus(const struct comm_reader *r, bool *cpus)
{
    static const char key[] = "\nCpus_allowed_list:";
    char text[8192];

    if (r->read(r->context, "/proc/self/status", text, sizeof text) <= 0) return false;
    char *at = strstr(text, key);
    if (at == NULL) return false;
    at += sizeof key - 1;
    at += strspn(at, " \t");
    at[strcspn(at, "\n")] = '\0';
    return at[0] != '\0' && comm_parse_cpu_list(at, cpus, MOST_CPUS);
}

static void read_distances(struct comm_fabric *f, const struct comm_reader *r, int place)
{
    struct comm_numa *m = &f->numa;
    char path[COMM_READER_PATH], text[COMM_READER_LINE];
    int read[COMM_FABRIC_NUMA];

    for (int i = 0; i < m->count; i++) m->distance[place][i] = i == place ? NEAR : FAR;
    snprintf(path, sizeof path, "/sys/devices/system/node/node%d/distance", m->id[place]);
    if (!comm_fabric_line(f, r, path, text, sizeof text)) return;
    if (comm_parse_distances(text, read, COMM_FABRIC_NUMA) != m->count) {
        comm_fabric_warn(f, "nonsense", "%s is '%.80s', not %d distances", path, text, m->count);
        return;
    }
    for (int i = 0; i < m->count; i++) m->distance[place][i] = read[i];
}

/* Where in a node's CPUs this process is: what its neighbours' places can be guessed from. False:
 * nowhere. */
static bool find_slot(const bool *mine, const bool *theirs, int *first, int *width)
{
    int at = 0;

    *first = *width = 0;
    for (int c = 0; c < MOST_CPUS; c++) {
        if (!theirs[c]) continue;
        if (mine[c] && *width == 0) *first = at;
        if (mine[c] && *first + *width == at) ++*width;
        at++;
    }
    return *width > 0;
}

/* The one node that has all the CPUs of this process. */
static void find_mine(struct comm_fabric *f, const struct comm_reader *r)
{
    struct comm_numa *m = &f->numa;
    bool mine[MOST_CPUS] = {false}, theirs[MOST_CPUS];
    const bool known = allowed_cpus(r, mine);
    int touched = 0, last = -1;

    for (int n = 0; n < m->count; n++) {
        char path[COMM_READER_PATH], text[COMM_READER_LINE];
        int first, width;
        snprintf(path, sizeof path, "/sys/devices/system/node/node%d/cpulist", m->id[n]);
        if (!comm_fabric_line(f, r, path, text, sizeof text)) continue;
        if (!comm_parse_cpu_list(text, theirs, MOST_CPUS)) {
            comm_fabric_warn(f, "nonsense", "%s is '%.80s', no list of CPUs", path, text);
            continue;
        }
        m->bare[n] = text[0] == '\0';
        if (!find_slot(mine, theirs, &first, &width)) continue;
        touched++;
        last = n;
        m->first = first;
        m->width = width;
    }
    if (known && touched == 1 && m->count > 1) m->mine = last;
}

void comm_fabric_read_numa(struct comm_fabric *f, const struct comm_reader *r)
{
    struct comm_numa *m = &f->numa;
    comm_reader_name names[MOST_ENTRIES] = {{0}};
    int count = comm_reader_names(r, "/sys/devices/system/node", names, MOST_ENTRIES);

    m->mine = -1;
    for (int i = 0; i < count && i < MOST_ENTRIES; i++) {
        int id, end = 0;
        if (sscanf(names[i], "node%4d%n", &id, &end) != 1 || names[i][end] != '\0' || id < 0)
            continue;
        if (m->count == COMM_FABRIC_NUMA) {
            comm_fabric_warn(f, "too-many", "more than %d NUMA nodes: distances are not used",
                             COMM_FABRIC_NUMA);
            m->count = 0;
            return;
        }
        m->id[m->count++] = id;
    }
    for (int n = 0; n < m->count; n++) read_distances(f, r, n);
    find_mine(f, r);
}
