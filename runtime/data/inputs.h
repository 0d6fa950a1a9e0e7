/* runtime/data/inputs.h - a growing list of paths, also from a file with one path a line */
#ifndef DATA_INPUTS_H
#define DATA_INPUTS_H

#include <stddef.h>

#include "runtime/status.h"

/* An empty list is {0}. */
struct inputs {
    char **paths; /* (count), owned */
    size_t count, room;
};

RT_NODISCARD rt_status inputs_add(struct inputs *l, const char *path);
/* Each non-empty line of the file `list` is a path, taken as it is. RT_EMISSING, RT_EDATA: empty. */
RT_NODISCARD rt_status inputs_add_list(struct inputs *l, const char *list);
void inputs_clear(struct inputs *l);

#endif
