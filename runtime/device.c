/* runtime/device.c - the host as a device, and what is known about it */
#include "runtime/device.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "runtime/pages.h"

struct rt_device {
    const char *name;
};

rt_status rt_device_open(const char *name, struct rt_device **out)
{
    *out = NULL;
    if (strcmp(name, "cuda") == 0)
        return RT_FAIL(RT_EMISSING, "device cuda: this build has no CUDA; use device: cpu");
    if (strcmp(name, "cpu") != 0)
        return RT_FAIL(RT_EINVAL, "device '%s' is not known: it must be cpu or cuda", name);
    struct rt_device *d = calloc(1, sizeof *d);
    if (d == NULL) return RT_FAIL(RT_ENOMEM, "a device");
    d->name = "cpu";
    *out = d;
    return RT_OK;
}

void rt_device_close(struct rt_device **d)
{
    free(*d);
    *d = NULL;
}

const char *rt_device_name(const struct rt_device *d) { return d->name; }

struct rt_queue *rt_device_queue(struct rt_device *d)
{
    (void)d;
    return NULL;
}

rt_status rt_queue_wait(struct rt_queue *q)
{
    if (q != NULL) return RT_FAIL(RT_EINVAL, "the host has no queue to wait for");
    return RT_OK;
}

rt_status rt_device_alloc(struct rt_device *d, size_t bytes, void **out)
{
    return rt_pages_map(d->name, bytes, out);
}

void rt_device_free(struct rt_device *d, void *p, size_t bytes)
{
    (void)d;
    rt_pages_unmap(p, bytes);
}

static void find_cpu_name(char *name, size_t size)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "re");

    snprintf(name, size, "unknown");
    if (f == NULL) return;
    while (fgets(line, sizeof line, f) != NULL) {
        char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || value == NULL) continue;
        value += strspn(value, ": \t");
        value[strcspn(value, "\n")] = '\0';
        snprintf(name, size, "%.*s", (int)size - 1, value);
        break;
    }
    fclose(f);
}

/* More cores than a cpu_set_t holds: the kernel refuses the small set, so a larger one is tried. */
static int count_cores(void)
{
    for (size_t most = 1024; most <= 1 << 20; most *= 4) {
        cpu_set_t *set = CPU_ALLOC(most);
        if (set == NULL) break;
        size_t bytes = CPU_ALLOC_SIZE(most);
        int n = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
        CPU_FREE(set);
        if (n > 0) return n;
    }
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

/* A build without OpenMP of its own still runs libraries that have it, by the same variable. */
static int count_threads(int cores)
{
#ifdef _OPENMP
    (void)cores;
    return omp_get_max_threads();
#else
    const char *wanted = getenv("OMP_NUM_THREADS");
    long n = wanted != NULL ? strtol(wanted, NULL, 10) : 0;
    return n > 0 && n < 1 << 20 ? (int)n : cores;
#endif
}

static void find_instructions(struct rt_host_facts *f)
{
#if defined(__x86_64__)
    unsigned a, b, c, d;
    __builtin_cpu_init();
    f->avx2 = __builtin_cpu_supports("avx2") != 0;
    f->avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    /* Leaf 7: AVX512_BF16 is bit 5 of eax in sub-leaf 1, AMX-BF16 bit 22 of edx in sub-leaf 0. */
    bool bf16 = __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1);
    bool amx = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & 1);
    f->bf16 = f->avx512 && (bf16 || amx);
#else
    (void)f;
#endif
}

void rt_host_facts(struct rt_host_facts *out)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

    *out = (struct rt_host_facts){.cores = count_cores()};
    find_cpu_name(out->cpu, sizeof out->cpu);
    out->threads = count_threads(out->cores);
    if (pages > 0 && page > 0) out->memory_bytes = (uint64_t)pages * (uint64_t)page;
    find_instructions(out);
}
