/* runtime/data/part_name.h - where worker `rank` puts its part: OUTPUT.part-RANK */
#ifndef DATA_PART_NAME_H
#define DATA_PART_NAME_H

#include <stdint.h>
#include <stdio.h>

#include "runtime/status.h"

#define PART_MAGIC "recuaprt" /* eight bytes */

static inline rt_status part_name(const char *output, uint32_t rank, char **out)
{
    if (asprintf(out, "%s.part-%05u", output, rank) >= 0) return RT_OK;
    *out = NULL;
    return RT_FAIL(RT_ENOMEM, "%s: a name", output);
}

#endif
