/* jobs/train/share.c - see share.h */
#include "jobs/train/share.h"

#include <stdlib.h>
#include <string.h>

rt_status runfile_share(struct comm *world, const char *path, const char *const *sets,
                        size_t set_count, struct runfile **out)
{
    struct runfile *r = NULL;
    char *text = NULL;
    uint64_t bytes = 0;
    rt_status st = RT_OK;

    *out = NULL;
    if (comm_rank(world) == 0) {
        st = runfile_load(path, sets, set_count, &r);
        if (st == RT_OK) st = runfile_print(r, &text);
        if (st == RT_OK) bytes = strlen(text);
    }
    RT_TRY_OUT(comm_agree(world, st));
    RT_TRY_OUT(comm_bcast(world, 0, &bytes, sizeof bytes));
    if (text == NULL) text = malloc((size_t)bytes);
    RT_TRY_OUT(comm_agree(world, text == NULL ? RT_FAIL(RT_ENOMEM, "the run file") : RT_OK));
    RT_TRY_OUT(comm_bcast(world, 0, text, (size_t)bytes));
    if (r == NULL) st = runfile_parse(text, (size_t)bytes, path, NULL, 0, &r);
    RT_TRY_OUT(comm_agree(world, st));
    *out = r;
    r = NULL;
out:
    free(text);
    runfile_destroy(&r);
    return st;
}
