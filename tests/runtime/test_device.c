/* tests/runtime/test_device.c - runtime/device.h: the host */
#include "runtime/device.h"

#include <sched.h>
#include <string.h>

#include "tests/check.h"
#include "tests/runtime/capture.h"

static void the_host_opens_and_lends_memory(void)
{
    struct rt_device *d = NULL;
    void *p = NULL;

    if (!CHECK_OK(rt_device_open("cpu", &d))) return;
    CHECK(strcmp(rt_device_name(d), "cpu") == 0);
    CHECK(rt_device_queue(d) == NULL);
    CHECK_OK(rt_queue_wait(NULL));
    CHECK_OK(rt_device_alloc(d, 12345, &p));
    CHECK(((uintptr_t)p & 4095) == 0);
    for (size_t i = 0; i < 12345; i++) CHECK(((unsigned char *)p)[i] == 0);
    rt_device_free(d, p, 12345);
    rt_device_free(d, NULL, 0);
    rt_device_close(&d);
    CHECK(d == NULL);
    rt_device_close(&d);
}

static void what_is_not_here_is_refused(void)
{
    struct rt_device *d = NULL;
    void *p = NULL;
    char text[512];
    struct capture c = capture_begin();

    CHECK(rt_device_open("cuda", &d) == RT_EMISSING && d == NULL);
    CHECK(rt_device_open("gpu", &d) == RT_EINVAL && d == NULL);
    CHECK_OK(rt_device_open("cpu", &d));
    CHECK(rt_device_alloc(d, (size_t)1 << 52, &p) == RT_ENOMEM && p == NULL);
    capture_end(&c, text, sizeof text);
    CHECK(strstr(text, "this build has no CUDA; use device: cpu") != NULL);
    CHECK(strstr(text, "device 'gpu' is not known: it must be cpu or cuda") != NULL);
    rt_device_close(&d);
}

/* The cores are those of the affinity mask, not of the machine. */
static void facts_are_those_of_this_process(void)
{
    struct rt_host_facts f;
    cpu_set_t all, one;

    rt_host_facts(&f);
    CHECK(f.cpu[0] != '\0' && strlen(f.cpu) < sizeof f.cpu);
    CHECK(f.memory_bytes > (uint64_t)16 << 20);
    CHECK(f.threads >= 1);
    CHECK(!f.avx512 || f.avx2);
    CHECK(!f.bf16 || f.avx512);
    if (!CHECK(sched_getaffinity(0, sizeof all, &all) == 0)) return;
    CHECK(f.cores == CPU_COUNT(&all));
    size_t first = 0;
    while (!CPU_ISSET(first, &all)) first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
    rt_host_facts(&f);
    CHECK(f.cores == 1);
    CHECK(sched_setaffinity(0, sizeof all, &all) == 0);
}

int main(void)
{
    the_host_opens_and_lends_memory();
    what_is_not_here_is_refused();
    facts_are_those_of_this_process();
    return check_failures != 0;
}
