/* runtime/pages.c - whole pages from the kernel, and how many are left
 *
 * Pages are asked for as huge ones where the kernel gives them on request: weights are read in
 * full every step, and 2 MB pages spare the TLB. A huge page never reaches past the mapping, so
 * resident bytes stay those that were asked for.
 */
#include "runtime/pages.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t page_bytes(void)
{
    long n = sysconf(_SC_PAGESIZE);
    return n > 0 ? (size_t)n : 4096;
}

/* 0: bytes cannot be rounded up. */
static size_t round_to_pages(size_t bytes)
{
    size_t page = page_bytes();
    if (bytes == 0) return page;
    return bytes > SIZE_MAX - page ? 0 : (bytes + page - 1) / page * page;
}

static double gigabytes(uint64_t bytes) { return (double)bytes / 1e9; }

rt_status rt_pages_map(const char *what, size_t bytes, void **out)
{
    size_t length = round_to_pages(bytes);
    bool group = false;
    uint64_t free_bytes = rt_pages_free("", &group);

    *out = NULL;
    if (length == 0 || length > free_bytes)
        return RT_FAIL(RT_ENOMEM,
                       "%s: wants %zu bytes (%.2f GB), %.2f GB are free %s: use more ranks, "
                       "smaller micro-batches or recompute: full, or ask for more memory",
                       what, bytes, gigabytes(bytes), gigabytes(free_bytes),
                       group ? "within the limit of the control group" : "on this machine");
    void *p = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return RT_FAIL(RT_ENOMEM, "%s: %zu bytes (%.2f GB): %s; see ulimit -v", what, bytes,
                       gigabytes(bytes), strerror(errno));
    if (length >= (size_t)4 << 20) (void)madvise(p, length, MADV_HUGEPAGE);
    for (size_t i = 0; i < length; i += page_bytes()) ((volatile char *)p)[i] = 0;
    *out = p;
    return RT_OK;
}

void rt_pages_unmap(void *p, size_t bytes)
{
    if (p != NULL) (void)munmap(p, round_to_pages(bytes));
}

/* The number after `key` at the start of a line of a file ("" for the first word of the file).
 * false: no such file, key or number ("max", too). */
static bool read_number(const char *path, const char *key, uint64_t *out)
{
    char line[256];
    bool found = false;
    FILE *f = fopen(path, "re");

    if (f == NULL) return false;
    while (!found && fgets(line, sizeof line, f) != NULL) {
        unsigned long long n;
        if (strncmp(line, key, strlen(key)) != 0) continue;
        if (sscanf(line + strlen(key), " %llu", &n) != 1) break;
        *out = n;
        found = true;
    }
    fclose(f);
    return found;
}

/* The names of a control group's files: limit, use, and the key of droppable cache. */
struct group_files {
    const char *mount, *limit, *used, *cache_key;
};
static const struct group_files group_v1 = {"sys/fs/cgroup/memory", "memory.limit_in_bytes",
                                            "memory.usage_in_bytes", "total_inactive_file "};
static const struct group_files group_v2 = {"sys/fs/cgroup", "memory.max", "memory.current",
                                            "inactive_file "};

/* What the group at `dir` has left; UINT64_MAX: it has no limit, or is not to be seen. */
static uint64_t group_left(const struct group_files *g, const char *root, const char *dir)
{
    char path[PATH_MAX];
    uint64_t limit, used, cache = 0;

    snprintf(path, sizeof path, "%s/%s%s/%s", root, g->mount, dir, g->limit);
    if (!read_number(path, "", &limit) || limit >= (uint64_t)1 << 62) return UINT64_MAX;
    snprintf(path, sizeof path, "%s/%s%s/%s", root, g->mount, dir, g->used);
    if (!read_number(path, "", &used)) return UINT64_MAX;
    snprintf(path, sizeof path, "%s/%s%s/memory.stat", root, g->mount, dir);
    (void)read_number(path, g->cache_key, &cache);
    used -= cache < used ? cache : used;
    return limit > used ? limit - used : 0;
}

/* The least over the group and all groups above it: each may have a limit of its own. In a
 * container the path may name directories outside of it; its own limit is then at the mount. */
static uint64_t groups_left(const struct group_files *g, const char *root, char *dir)
{
    uint64_t least = UINT64_MAX;

    for (;;) {
        uint64_t left = group_left(g, root, strcmp(dir, "/") == 0 ? "" : dir);
        if (left < least) least = left;
        char *slash = strrchr(dir, '/');
        if (slash == NULL) return least;
        *slash = '\0';
    }
}

/* Lines of /proc/self/cgroup: "0::/path" is v2, "4:memory:/path" v1. */
static uint64_t all_groups_left(const char *root)
{
    char path[PATH_MAX], line[PATH_MAX];
    uint64_t least = UINT64_MAX;

    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *f = fopen(path, "re");
    if (f == NULL) return least;
    while (fgets(line, sizeof line, f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *dir = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (dir == NULL) continue;
        *controllers++ = '\0';
        *dir++ = '\0';
        bool v2 = strcmp(line, "0") == 0 && controllers[0] == '\0';
        if (!v2 && strcmp(controllers, "memory") != 0) continue;
        uint64_t left = groups_left(v2 ? &group_v2 : &group_v1, root, dir);
        if (left < least) least = left;
    }
    fclose(f);
    return least;
}

uint64_t rt_pages_free(const char *root, bool *group)
{
    char path[PATH_MAX];
    uint64_t machine = UINT64_MAX, groups = all_groups_left(root), kib;

    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    if (read_number(path, "MemAvailable:", &kib)) machine = kib * 1024;
    if (group != NULL) *group = groups < machine;
    return groups < machine ? groups : machine;
}
