/* model/kernels_ref.h - what the reference kernels keep between calls; it lies in the scratch */
#ifndef MODEL_KERNELS_REF_H
#define MODEL_KERNELS_REF_H

#include <stddef.h>

struct kernels_state {
    size_t row_count; /* doubles of row */
    double row[];
};

#endif
