/* optim/kernels.c - the backends of this build */
#include "optim/kernels.h"

#include <stdio.h>
#include <string.h>

const struct optim_kernels *const optim_kernels_built[] = {
    &optim_kernels_ref,
    &optim_kernels_cpu,
    NULL,
};

rt_status optim_kernels_find(const char *name, const struct optim_kernels **out)
{
    char list[256] = "";
    size_t used = 0;

    for (const struct optim_kernels *const *k = optim_kernels_built; *k != NULL; k++) {
        if (strcmp((*k)->name, name) == 0) {
            *out = *k;
            return RT_OK;
        }
        used += (size_t)snprintf(list + used, sizeof list - used, " %s", (*k)->name);
    }
    return RT_FAIL(RT_EMISSING, "no optimizer kernels '%s' in this build, which has:%s", name,
                   list);
}
