/* jobs/train/work.c - see work.h */
#include "jobs/train/work.h"

rt_status work_split(int global_sequences, int micro_sequences, int size, int rank,
                     struct work *out)
{
    if (size > global_sequences)
        return RT_FAIL(RT_EINVAL,
                       "%d ranks, but batch.global_sequences is %d: start at most %d ranks, or set "
                       "batch.global_sequences to at least %d",
                       size, global_sequences, global_sequences, size);
    const int largest = (global_sequences + size - 1) / size;
    const int micro = micro_sequences < largest ? micro_sequences : largest;
    int first;

    *out = (struct work){.global = global_sequences, .size = size, .rank = rank};
    out->micro_steps = (largest + micro - 1) / micro;
    const int leaves = out->micro_steps * size;
    out->micro = (global_sequences + leaves - 1) / leaves;
    for (int m = 0; m < out->micro_steps; m++) out->count += work_micro(out, m, &first);
    return RT_OK;
}

int work_micro(const struct work *w, int m, int *first)
{
    const int leaves = w->micro_steps * w->size, leaf = m * w->size + w->rank;
    const int each = w->global / leaves, more = w->global % leaves;

    *first = leaf * each + (leaf < more ? leaf : more);
    return each + (leaf < more ? 1 : 0);
}
