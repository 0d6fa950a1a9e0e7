/* runtime/vector/vector.c - the tables of this build */
#include "runtime/vector/vector.h"

#include <stdio.h>
#include <string.h>

const struct rt_vector *const rt_vectors_built[] = {&rt_vector_ref, &rt_vector_cpu, NULL};

rt_status rt_vector_find(const char *name, const struct rt_vector **out)
{
    char list[128] = "";
    size_t used = 0;

    *out = NULL;
    for (const struct rt_vector *const *v = rt_vectors_built; *v != NULL; v++) {
        if (strcmp((*v)->name, name) == 0) {
            *out = *v;
            return RT_OK;
        }
        used += (size_t)snprintf(list + used, sizeof list - used, " %s", (*v)->name);
    }
    return RT_FAIL(RT_EINVAL, "no vector backend '%s' in this build, which has:%s", name, list);
}
