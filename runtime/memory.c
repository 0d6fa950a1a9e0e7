/* runtime/memory.c - counted memory: the plan, and the buffers handed out by it */
#include "runtime/memory.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/log.h"
#include "runtime/pages.h"

const char *rt_mem_class_name(rt_mem_class c)
{
    static const char *const names[RT_MEM_CLASSES] = {
        "weights", "gradients", "optimizer", "activations", "gather",
        "staging", "kv cache",  "data",      "libraries",
    };
    return (unsigned)c < RT_MEM_CLASSES ? names[c] : "unknown";
}

static rt_status plan_grow(struct rt_plan *plan)
{
    size_t capacity = plan->capacity == 0 ? 32 : 2 * plan->capacity;
    struct rt_plan_entry *bigger = realloc(plan->entries, capacity * sizeof *bigger);

    if (bigger == NULL) return RT_FAIL(RT_ENOMEM, "a plan of %zu buffers", capacity);
    plan->entries = bigger;
    plan->capacity = capacity;
    return RT_OK;
}

rt_status rt_plan_add(struct rt_plan *plan, const char *name, rt_mem_class c, rt_mem_scope scope,
                      uint64_t bytes)
{
    struct rt_plan_entry e = {.class_ = c, .scope = scope, .bytes = bytes};

    if (strlen(name) >= sizeof e.name)
        return RT_FAIL(RT_EINVAL, "plan: the name '%s' has %zu characters, at most %zu", name,
                       strlen(name), sizeof e.name - 1);
    if (rt_plan_find(plan, name) != NULL)
        return RT_FAIL(RT_EINVAL, "plan: the buffer '%s' is in the plan already", name);
    if (plan->count == plan->capacity) RT_TRY(plan_grow(plan));
    memcpy(e.name, name, strlen(name) + 1);
    plan->entries[plan->count++] = e;
    return RT_OK;
}

const struct rt_plan_entry *rt_plan_find(const struct rt_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->count; i++)
        if (strcmp(plan->entries[i].name, name) == 0) return &plan->entries[i];
    return NULL;
}

uint64_t rt_plan_bytes(const struct rt_plan *plan, rt_mem_scope scope)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < plan->count; i++)
        if (plan->entries[i].scope == scope) sum += plan->entries[i].bytes;
    return sum;
}

void rt_plan_clear(struct rt_plan *plan)
{
    free(plan->entries);
    *plan = (struct rt_plan){0};
}

struct rt_memory {
    struct rt_plan plan;
    void **taken; /* (plan.count), NULL: not taken */
    uint64_t taken_bytes;
};

rt_status rt_memory_create(const struct rt_plan *plan, struct rt_memory **out)
{
    struct rt_memory *m = calloc(1, sizeof *m);
    rt_status st = RT_OK;

    *out = NULL;
    if (m == NULL) {
        st = RT_FAIL(RT_ENOMEM, "the table of %zu planned buffers", plan->count);
        goto out;
    }
    for (size_t i = 0; i < plan->count; i++) {
        const struct rt_plan_entry *e = &plan->entries[i];
        RT_TRY_OUT(rt_plan_add(&m->plan, e->name, e->class_, e->scope, e->bytes));
    }
    m->taken = calloc(plan->count + 1, sizeof *m->taken);
    if (m->taken == NULL) {
        st = RT_FAIL(RT_ENOMEM, "the table of %zu planned buffers", plan->count);
        goto out;
    }
    *out = m;
    m = NULL; /* the caller's now */
out:
    rt_memory_destroy(&m);
    return st;
}

rt_status rt_memory_take(struct rt_memory *m, const char *name, void **out)
{
    const struct rt_plan_entry *e = rt_plan_find(&m->plan, name);

    *out = NULL;
    if (e == NULL) return RT_FAIL(RT_EINVAL, "the buffer '%s' is not in the plan", name);
    if (e->scope != RT_MEM_PRIVATE)
        return RT_FAIL(RT_EINVAL, "the buffer '%s' is the node's: it comes from a window", name);
    void **taken = &m->taken[e - m->plan.entries];
    if (*taken != NULL) return RT_FAIL(RT_EINVAL, "the buffer '%s' is taken already", name);
    if (e->bytes > SIZE_MAX)
        return RT_FAIL(RT_ENOMEM, "the buffer '%s' does not fit the address space", name);
    RT_TRY(rt_pages_map(name, (size_t)e->bytes, taken));
    m->taken_bytes += e->bytes;
    *out = *taken;
    return RT_OK;
}

static void give(struct rt_memory *m, size_t i)
{
    rt_pages_unmap(m->taken[i], (size_t)m->plan.entries[i].bytes);
    m->taken_bytes -= m->plan.entries[i].bytes;
    m->taken[i] = NULL;
}

void rt_memory_give(struct rt_memory *m, const char *name)
{
    const struct rt_plan_entry *e = rt_plan_find(&m->plan, name);
    size_t i = e == NULL ? 0 : (size_t)(e - m->plan.entries);

    if (e == NULL || m->taken[i] == NULL) {
        rt_log(RT_LOG_WARN, "the buffer '%s' is given back but was not taken", name);
        return;
    }
    give(m, i);
}

uint64_t rt_memory_taken_bytes(const struct rt_memory *m) { return m->taken_bytes; }

void rt_memory_destroy(struct rt_memory **m)
{
    if (*m == NULL) return;
    for (size_t i = 0; (*m)->taken != NULL && i < (*m)->plan.count; i++) {
        if ((*m)->taken[i] == NULL) continue;
        rt_log(RT_LOG_WARN, "the buffer '%s' was not given back", (*m)->plan.entries[i].name);
        give(*m, i);
    }
    rt_plan_clear(&(*m)->plan);
    free((*m)->taken);
    free(*m);
    *m = NULL;
}

rt_status rt_memory_usage(struct rt_memory_usage *out)
{
    static const char path[] = "/proc/self/status";
    unsigned long long anon = 0, shared = 0;
    bool has_anon = false, has_shared = false;
    char line[256];
    FILE *f = fopen(path, "re");

    if (f == NULL)
        return RT_FAIL(RT_EMISSING, "%s cannot be read: memory in use is not known", path);
    while (fgets(line, sizeof line, f) != NULL) {
        has_anon = has_anon || sscanf(line, "RssAnon: %llu kB", &anon) == 1;
        has_shared = has_shared || sscanf(line, "RssShmem: %llu kB", &shared) == 1;
    }
    fclose(f);
    if (!has_anon || !has_shared)
        return RT_FAIL(RT_EMISSING, "%s has no RssAnon and RssShmem: Linux 4.5 or newer has", path);
    *out = (struct rt_memory_usage){.private_bytes = anon * 1024, .shared_bytes = shared * 1024};
    return RT_OK;
}
