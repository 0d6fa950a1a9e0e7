/* jobs/train/exact.c - see exact.h */
#include "jobs/train/exact.h"

/* The largest power of two that is not above n >= 1. */
static long long power_below(long long n)
{
    long long p = 1;

    while (p <= n / 2) p *= 2;
    return p;
}

rt_status exact_check_work(const struct runfile *r, int size)
{
    const long long micro = r->batch.micro_sequences, global = r->batch.global_sequences;
    const long long row = size * micro; /* sequences of a micro-step, all ranks together */
    const long long fewer = power_below(size);

    if (r->reduce != RUNFILE_REDUCE_EXACT) return RT_OK;
    if (size != fewer)
        return RT_FAIL(RT_EINVAL,
                       "reduce is exact, which wants 1, 2, 4, 8, ... ranks, here are %d: start "
                       "%lld, or set reduce to fast",
                       size, fewer);
    if (global % row == 0 && power_below(global / row) == global / row) return RT_OK;
    const long long below = global < row ? row : power_below(global / row) * row;
    return RT_FAIL(RT_EINVAL,
                   "reduce is exact, but batch.global_sequences %lld is not %d rank%s times "
                   "batch.micro_sequences %lld times 1, 2, 4, 8, ... micro-steps: set "
                   "batch.global_sequences to %lld or %lld, or reduce to fast",
                   global, size, size == 1 ? "" : "s", micro, below, 2 * below);
}
