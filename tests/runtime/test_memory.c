/* tests/runtime/test_memory.c - runtime/memory.h and pages.h: the plan is what is allocated
 *
 * Numbers  resident bytes: equal to the plan within a page a buffer, and 256 KiB for what the C
 *          library and the kernel's delayed counters (64 pages a thread) add; sanitizers keep
 *          shadow pages of their own, so there only a lower bound holds
 */
#include "runtime/memory.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/pages.h"
#include "tests/check.h"
#include "tests/runtime/capture.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SHADOWED = 1 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { SHADOWED = 1 };
#else
enum { SHADOWED = 0 };
#endif
#else
enum { SHADOWED = 0 };
#endif

static void the_plan_adds_up_by_scope(void)
{
    struct rt_plan plan = {0};
    char long_name[65];

    memset(long_name, 'n', 64);
    long_name[64] = '\0';
    for (int i = 0; i < 100; i++) { /* more than the first capacity */
        char name[16];
        snprintf(name, sizeof name, "b%d", i);
        CHECK_OK(rt_plan_add(&plan, name, RT_MEM_GATHER, i % 2 ? RT_MEM_NODE : RT_MEM_PRIVATE,
                             (uint64_t)i));
    }
    CHECK(plan.count == 100);
    CHECK(rt_plan_bytes(&plan, RT_MEM_PRIVATE) == 2450);
    CHECK(rt_plan_bytes(&plan, RT_MEM_NODE) == 2500);
    CHECK(rt_plan_find(&plan, "b99") == &plan.entries[99]);
    CHECK(rt_plan_find(&plan, "b100") == NULL);
    CHECK(rt_plan_add(&plan, "b7", RT_MEM_DATA, RT_MEM_PRIVATE, 1) == RT_EINVAL);
    CHECK(rt_plan_add(&plan, long_name, RT_MEM_DATA, RT_MEM_PRIVATE, 1) == RT_EINVAL);
    CHECK_OK(rt_plan_add(&plan, long_name + 1, RT_MEM_DATA, RT_MEM_PRIVATE, 1)); /* 63 fit */
    rt_plan_clear(&plan);
    CHECK(plan.count == 0 && plan.entries == NULL);
}

static void every_class_has_a_name(void)
{
    for (int c = 0; c < RT_MEM_CLASSES; c++)
        CHECK(strcmp(rt_mem_class_name((rt_mem_class)c), "unknown") != 0);
    CHECK(strcmp(rt_mem_class_name(RT_MEM_CLASSES), "unknown") == 0);
}

static bool all_zero(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != 0) return false;
    return true;
}

static void buffers_are_lent_once_zero_and_aligned(void)
{
    struct rt_plan plan = {0};
    struct rt_memory *m = NULL;
    void *p = NULL, *none = &plan;

    CHECK_OK(rt_plan_add(&plan, "odd", RT_MEM_DATA, RT_MEM_PRIVATE, 10007));
    CHECK_OK(rt_plan_add(&plan, "empty", RT_MEM_DATA, RT_MEM_PRIVATE, 0));
    CHECK_OK(rt_plan_add(&plan, "window", RT_MEM_GATHER, RT_MEM_NODE, 4096));
    if (!CHECK_OK(rt_memory_create(&plan, &m))) return;
    rt_plan_clear(&plan); /* it was copied */

    CHECK_OK(rt_memory_take(m, "odd", &p));
    CHECK((uintptr_t)p % 4096 == 0 && all_zero(p, 10007));
    memset(p, 1, 10007);
    CHECK(rt_memory_taken_bytes(m) == 10007);
    CHECK(rt_memory_take(m, "odd", &none) == RT_EINVAL && none == NULL);
    CHECK(rt_memory_take(m, "window", &none) == RT_EINVAL);
    CHECK(rt_memory_take(m, "nobody", &none) == RT_EINVAL);
    CHECK_OK(rt_memory_take(m, "empty", &none));
    CHECK(none != NULL);

    rt_memory_give(m, "odd");
    CHECK(rt_memory_taken_bytes(m) == 0);
    CHECK_OK(rt_memory_take(m, "odd", &p)); /* again, and clean again */
    CHECK(all_zero(p, 10007));
    rt_memory_give(m, "odd");
    rt_memory_give(m, "empty");
    rt_memory_destroy(&m);
    CHECK(m == NULL);
    rt_memory_destroy(&m);
}

static void what_is_not_given_back_is_named(void)
{
    struct rt_plan plan = {0};
    struct rt_memory *m = NULL;
    void *p = NULL;
    char text[512];

    CHECK_OK(rt_plan_add(&plan, "kept", RT_MEM_DATA, RT_MEM_PRIVATE, 100));
    CHECK_OK(rt_plan_add(&plan, "given", RT_MEM_DATA, RT_MEM_PRIVATE, 100));
    CHECK_OK(rt_memory_create(&plan, &m));
    CHECK_OK(rt_memory_take(m, "kept", &p));
    CHECK_OK(rt_memory_take(m, "given", &p));
    rt_memory_give(m, "given");
    struct capture c = capture_begin();
    rt_memory_give(m, "given");
    rt_memory_destroy(&m);
    capture_end(&c, text, sizeof text);
    CHECK(strstr(text, "'given' is given back but was not taken") != NULL);
    CHECK(strstr(text, "'kept' was not given back") != NULL);
    CHECK(strstr(text, "'given' was not given back") == NULL);
    rt_plan_clear(&plan);
}

static void more_than_there_is_is_refused_by_name(void)
{
    struct rt_plan plan = {0};
    struct rt_memory *m = NULL;
    void *p = NULL;
    char text[1024];

    CHECK_OK(rt_plan_add(&plan, "shard/master", RT_MEM_WEIGHTS, RT_MEM_PRIVATE, (uint64_t)1 << 50));
    CHECK_OK(rt_plan_add(&plan, "endless", RT_MEM_WEIGHTS, RT_MEM_PRIVATE, UINT64_MAX));
    CHECK_OK(rt_memory_create(&plan, &m));
    struct capture c = capture_begin();
    CHECK(rt_memory_take(m, "shard/master", &p) == RT_ENOMEM && p == NULL);
    CHECK(rt_memory_take(m, "endless", &p) == RT_ENOMEM && p == NULL);
    capture_end(&c, text, sizeof text);
    CHECK(strstr(text, "shard/master: wants 1125899906842624 bytes (1125899.91 GB), ") != NULL);
    CHECK(strstr(text, " GB are free ") != NULL);
    CHECK(rt_memory_taken_bytes(m) == 0);
    rt_memory_destroy(&m);
    rt_plan_clear(&plan);
}

/* Sizes below, at and beside those of huge pages. */
static void resident_bytes_are_the_planned_bytes(void)
{
    static const uint64_t sizes[] = {1, 5000, 3u << 20, (4u << 20) + 1, 37u << 20, (64u << 20) - 1};
    enum { N = sizeof sizes / sizeof sizes[0] };
    const double slack = 256 * 1024 + N * 4096;
    struct rt_plan plan = {0};
    struct rt_memory *m = NULL;
    struct rt_memory_usage before = {0}, taken = {0}, after = {0};
    char name[8];
    void *p;

    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "b%d", i);
        CHECK_OK(rt_plan_add(&plan, name, RT_MEM_DATA, RT_MEM_PRIVATE, sizes[i]));
    }
    CHECK_OK(rt_memory_create(&plan, &m));
    CHECK_OK(rt_memory_usage(&before));
    for (size_t i = 0; i < N; i++) CHECK_OK(rt_memory_take(m, plan.entries[i].name, &p));
    CHECK_OK(rt_memory_usage(&taken));
    for (size_t i = 0; i < N; i++) rt_memory_give(m, plan.entries[i].name);
    CHECK_OK(rt_memory_usage(&after));

    double want = (double)rt_plan_bytes(&plan, RT_MEM_PRIVATE);
    double got = (double)taken.private_bytes - (double)before.private_bytes;
    CHECK(got >= want - slack);
    if (!SHADOWED) CHECK_NEAR(got, want, 0, slack);
    if (!SHADOWED) CHECK(after.private_bytes <= before.private_bytes + (uint64_t)slack);
    rt_memory_destroy(&m);
    rt_plan_clear(&plan);
}

/* ROOT/PATH with one text in it; directories are made as needed. */
static void put_file(const char *root, const char *path, const char *text)
{
    char full[PATH_MAX];

    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *s = full + strlen(root) + 1; (s = strchr(s, '/')) != NULL; s++) {
        *s = '\0';
        (void)mkdir(full, 0700);
        *s = '/';
    }
    FILE *f = fopen(full, "w");
    if (!CHECK(f != NULL)) return;
    fputs(text, f);
    fclose(f);
}

static void free_memory_is_the_tightest_limit(void)
{
    char root[] = "pages-XXXXXX", command[64];
    bool group = true;

    if (!CHECK(mkdtemp(root) != NULL)) return;
    CHECK(rt_pages_free(root, &group) == UINT64_MAX && !group); /* nothing is known */

    put_file(root, "proc/meminfo", "MemTotal: 100 kB\nMemFree: 7 kB\nMemAvailable:    50 kB\n");
    put_file(root, "proc/self/cgroup", "3:cpu:/x\n0::/a/b\n");
    CHECK(rt_pages_free(root, &group) == 50 * 1024 && !group);

    /* v2: the group has no limit, the one above it has, and part of its use is droppable. */
    put_file(root, "sys/fs/cgroup/a/b/memory.max", "max\n");
    put_file(root, "sys/fs/cgroup/a/b/memory.current", "9000\n");
    put_file(root, "sys/fs/cgroup/a/memory.max", "20000\n");
    put_file(root, "sys/fs/cgroup/a/memory.current", "15000\n");
    put_file(root, "sys/fs/cgroup/a/memory.stat", "anon 4000\ninactive_file 3000\n");
    CHECK(rt_pages_free(root, NULL) == 8000);
    put_file(root, "sys/fs/cgroup/a/memory.current", "30000\n"); /* over its limit already */
    CHECK(rt_pages_free(root, &group) == 0 && group);

    /* v1, seen from inside a container: only the mount itself is there. */
    put_file(root, "proc/self/cgroup", "4:memory:/outside/c\n");
    put_file(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", "40000\n");
    put_file(root, "sys/fs/cgroup/memory/memory.usage_in_bytes", "10000\n");
    put_file(root, "sys/fs/cgroup/memory/memory.stat", "cache 5\ntotal_inactive_file 2000\n");
    CHECK(rt_pages_free(root, &group) == 32000 && group);
    put_file(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    CHECK(rt_pages_free(root, &group) == 50 * 1024 && !group);

    snprintf(command, sizeof command, "rm -rf %s", root);
    CHECK(system(command) == 0);
}

int main(void)
{
    the_plan_adds_up_by_scope();
    every_class_has_a_name();
    buffers_are_lent_once_zero_and_aligned();
    what_is_not_given_back_is_named();
    more_than_there_is_is_refused_by_name();
    resident_bytes_are_the_planned_bytes();
    free_memory_is_the_tightest_limit();
    return check_failures != 0;
}
