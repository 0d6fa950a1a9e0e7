/* runtime/data/inputs.c - see inputs.h */
#include "runtime/data/inputs.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/data/file.h"

enum { LIST_BYTES = 1 << 30 };

rt_status inputs_add(struct inputs *l, const char *path)
{
    if (l->count == l->room) {
        const size_t room = l->room > 0 ? 2 * l->room : 64;
        char **paths = realloc(l->paths, room * sizeof *paths);
        if (paths == NULL) return RT_FAIL(RT_ENOMEM, "a list of %zu files", room);
        l->paths = paths;
        l->room = room;
    }
    char *copy = strdup(path);
    if (copy == NULL) return RT_FAIL(RT_ENOMEM, "a list of %zu files", l->count);
    l->paths[l->count++] = copy;
    return RT_OK;
}

rt_status inputs_add_list(struct inputs *l, const char *list)
{
    const size_t before = l->count;
    void *text = NULL;
    size_t bytes = 0;
    rt_status st;

    RT_TRY_OUT(data_file_read(list, LIST_BYTES, &text, &bytes));
    if (memchr(text, 0, bytes) != NULL) {
        st = RT_FAIL(RT_EDATA, "%s: holds a NUL byte; one path a line is expected", list);
        goto out;
    }
    for (char *line = text; line != NULL;) {
        char *next = strchr(line, '\n');
        if (next != NULL) *next++ = '\0';
        if (line[0] != '\0') RT_TRY_OUT(inputs_add(l, line));
        line = next;
    }
    if (l->count == before)
        st = RT_FAIL(RT_EDATA, "%s: names no file; one path a line is expected", list);
out:
    free(text);
    return st;
}

void inputs_clear(struct inputs *l)
{
    for (size_t i = 0; i < l->count; i++) free(l->paths[i]);
    free(l->paths);
    *l = (struct inputs){0};
}
