/* runtime/memory.h - counted memory: every large buffer comes from the plan
 *
 * A plan is a list of named buffers with a class, a scope and a number of bytes. Whoever needs
 * a buffer adds it (each layer has a *_plan function) before anything is allocated; then
 * rt_memory_take hands out exactly what was planned, once a name. So what `recua plan` prints
 * is what is allocated, and a name that was not planned is an error.
 *
 *     rt_plan_add(plan, "shard/master", RT_MEM_WEIGHTS, RT_MEM_PRIVATE, bytes)    (layers, early)
 *     rt_memory_create(plan, &memory)                                             (jobs/train)
 *     rt_memory_take(memory, "shard/master", &pointer)                            (layers, later)
 *
 * Scope    PRIVATE  this rank's own pages
 *          NODE     in the shared-memory window of the node: counted once a node; `bytes` is the
 *                   whole node's. Comes from comm_window_create, not from rt_memory_take.
 * Memory is page aligned, zero, and touched at once (prefaulted), so running out shows here.
 */
#ifndef RT_MEMORY_H
#define RT_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    RT_MEM_WEIGHTS,     /* master weights, the slice this rank owns        */
    RT_MEM_GRADIENTS,   /* gradient slice and unit gradient buffers        */
    RT_MEM_OPTIMIZER,   /* moments                                         */
    RT_MEM_ACTIVATIONS, /* kept for backward, and the workspace of kernels */
    RT_MEM_GATHER,      /* gathered units                                  */
    RT_MEM_STAGING,     /* exchange between nodes, checkpoint snapshot     */
    RT_MEM_KVCACHE,
    RT_MEM_DATA,    /* batches read ahead                              */
    RT_MEM_LIBRARY, /* what libraries take: scratchpads, code, stacks  */
    RT_MEM_CLASSES
} rt_mem_class;

typedef enum { RT_MEM_PRIVATE, RT_MEM_NODE } rt_mem_scope;

const char *rt_mem_class_name(rt_mem_class c);

struct rt_plan_entry {
    char name[64];
    rt_mem_class class_;
    rt_mem_scope scope;
    uint64_t bytes;
};

struct rt_plan {
    struct rt_plan_entry *entries; /* owned; in the order of rt_plan_add */
    size_t count, capacity;
};

/* An empty plan is {0}. RT_EINVAL: the name stands already or is too long. RT_ENOMEM. */
RT_NODISCARD rt_status rt_plan_add(struct rt_plan *plan, const char *name, rt_mem_class c,
                                   rt_mem_scope scope, uint64_t bytes);
const struct rt_plan_entry *rt_plan_find(const struct rt_plan *plan, const char *name);
uint64_t rt_plan_bytes(const struct rt_plan *plan, rt_mem_scope scope); /* sum over that scope */
void rt_plan_clear(struct rt_plan *plan);

struct rt_memory;

/* Copies the plan. Allocates nothing yet. */
RT_NODISCARD rt_status rt_memory_create(const struct rt_plan *plan, struct rt_memory **out);

/* The planned buffer `name`, lent until rt_memory_give or rt_memory_destroy.
 * RT_EINVAL: not planned, NODE scope, or taken already. RT_ENOMEM: bytes and what is free. */
RT_NODISCARD rt_status rt_memory_take(struct rt_memory *m, const char *name, void **out);
void rt_memory_give(struct rt_memory *m, const char *name);
uint64_t rt_memory_taken_bytes(const struct rt_memory *m);
void rt_memory_destroy(struct rt_memory **m); /* warns of each buffer not given back */

/* Anonymous private pages and shared-memory pages of this process now, in bytes (RssAnon and
 * RssShmem of /proc/self/status). RT_EMISSING where /proc is not. */
struct rt_memory_usage {
    uint64_t private_bytes, shared_bytes;
};
RT_NODISCARD rt_status rt_memory_usage(struct rt_memory_usage *out);

#ifdef __cplusplus
}
#endif
#endif
