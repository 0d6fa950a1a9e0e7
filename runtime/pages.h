/* runtime/pages.h - whole pages from the kernel, and how many are left; used by memory and device
 */
#ifndef RT_PAGES_H
#define RT_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/status.h"

/* `bytes` of zeroed private memory, rounded up to whole pages (at least one) and touched, so that
 * they are there. `what` names the buffer in the message.
 * RT_ENOMEM: more than rt_pages_free says is free; nothing is mapped. */
RT_NODISCARD rt_status rt_pages_map(const char *what, size_t bytes, void **out);
void rt_pages_unmap(void *p, size_t bytes); /* the bytes that were asked for; NULL does nothing */

/* Bytes this process may still take: the least of what the machine has available and what each
 * control group it is in has left (v1 and v2; page cache that can be dropped counts as free).
 * UINT64_MAX where nothing is known. *group (may be NULL): a control group is the limit.
 * root: "" for this machine; a test gives a directory that holds proc/ and sys/. */
uint64_t rt_pages_free(const char *root, bool *group);

#endif
