/* model/kernels.c - the backends of this build, and the only #ifdef about them */
#include "model/kernels.h"

#include <stdio.h>
#include <string.h>

const struct kernels *const kernels_built[] = {
    &kernels_ref,
    &kernels_cpu,
    NULL,
};

rt_status kernels_find(const char *name, const struct kernels **out)
{
    char list[256] = "";
    size_t used = 0;

    for (const struct kernels *const *k = kernels_built; *k != NULL; k++) {
        if (strcmp((*k)->name, name) == 0) {
            *out = *k;
            return RT_OK;
        }
        used += (size_t)snprintf(list + used, sizeof list - used, " %s", (*k)->name);
    }
    return RT_FAIL(RT_EMISSING, "no kernels called '%s' in this build, which has:%s", name, list);
}
