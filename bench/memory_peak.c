/* bench/memory_peak.c - see memory_peak.h
 *
 * Cost     one read of /proc/self/status an interval; the shares of shared memory change with
 *          every process that maps a page, so they are read at the start and at the stop only:
 *          windows are made once and stay.
 */
#include "bench/memory_peak.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "runtime/memory.h"

enum { INTERVAL_NS = 5000000 };

struct memory_peak {
    uint64_t private_start, private_peak, shared_start;
    atomic_bool done;
    pthread_t thread;
};

/* This process's share of the shared memory it maps. */
static rt_status shared_share(uint64_t *bytes)
{
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    unsigned long long kib = 0;
    int found = 0;

    if (f == NULL) return RT_EMISSING;
    while (!found && fgets(line, sizeof line, f) != NULL)
        found = sscanf(line, "Pss_Shmem: %llu kB", &kib) == 1;
    fclose(f);
    if (!found) return RT_EMISSING;
    *bytes = (uint64_t)kib * 1024;
    return RT_OK;
}

static void look(struct memory_peak *m)
{
    struct rt_memory_usage now;

    if (rt_memory_usage(&now) == RT_OK && now.private_bytes > m->private_peak)
        m->private_peak = now.private_bytes;
}

static void *keep_looking(void *argument)
{
    struct memory_peak *m = argument;
    const struct timespec interval = {.tv_nsec = INTERVAL_NS};

    while (!atomic_load(&m->done)) {
        look(m);
        nanosleep(&interval, NULL);
    }
    return NULL;
}

rt_status memory_peak_start(struct memory_peak **out)
{
    struct memory_peak *m = calloc(1, sizeof *m);
    struct rt_memory_usage now;
    rt_status st = RT_OK;

    *out = NULL;
    if (m == NULL) return RT_FAIL(RT_ENOMEM, "no memory for a sampler of %zu bytes", sizeof *m);
    RT_TRY_OUT(shared_share(&m->shared_start));
    RT_TRY_OUT(rt_memory_usage(&now));
    m->private_start = m->private_peak = now.private_bytes;
    if (pthread_create(&m->thread, NULL, keep_looking, m) != 0) {
        st = RT_FAIL(RT_ENOMEM, "no thread to look at the memory with");
        goto out;
    }
    *out = m;
    m = NULL;
out:
    free(m);
    return st;
}

rt_status memory_peak_stop(struct memory_peak **m, struct comm *world, uint64_t *bytes)
{
    uint64_t shared = 0, mine[4] = {0}; /* private peak and start, shared peak and start */
    rt_status st = *m == NULL ? RT_EMISSING : shared_share(&shared);

    if (*m != NULL) {
        atomic_store(&(*m)->done, true);
        pthread_join((*m)->thread, NULL);
        look(*m);
        mine[0] = (*m)->private_peak;
        mine[1] = (*m)->private_start;
        mine[2] = shared;
        mine[3] = (*m)->shared_start;
        free(*m);
        *m = NULL;
    }
    RT_TRY(comm_agree(world, st));
    RT_TRY(comm_sum_u64(world, mine, 4));
    *bytes = mine[0] + mine[2] > mine[1] + mine[3] ? mine[0] + mine[2] - mine[1] - mine[3] : 0;
    return RT_OK;
}
