/* runtime/vector/reduce_cpu.c - sums of vectors of any types
 *
 * Block by block through a buffer that stays in the first-level cache: up to four vectors of one
 * type are added in one pass, and the sum is rounded or copied into its place. Every x is read once
 * and y written once, so y may be one of the x.
 */
#include <string.h>

#include "runtime/parallel.h"
#include "runtime/vector/rows_cpu.h"

enum {
    BLOCK = 1024,           /* elements of the buffer */
    LEVELS = 24,            /* of the tree: fewer than 2^24 vectors */
    PARALLEL_FROM = 1 << 16 /* elements from which threads pay */
};

/* What all blocks have in common. */
struct job {
    const struct rt_rows *rows;
    const void *const *x;
    const rt_dtype *xt;
    int count;
    void *y;
    rt_dtype yt;
    bool add;
};

/* The next vectors of one type, at most as many as one pass adds. */
static int group(const struct job *j, int k)
{
    int n = 1;

    while (n < RT_ROWS_AT_ONCE && k + n < j->count && j->xt[k + n] == j->xt[k]) n++;
    return n;
}

static void add_group(const struct job *j, float *s, int k, int n, size_t at, size_t elements,
                      bool more)
{
    const float *f32[RT_ROWS_AT_ONCE];
    const rt_bf16 *bf16[RT_ROWS_AT_ONCE];

    for (int i = 0; i < n; i++) {
        f32[i] = j->x[k + i];
        bf16[i] = j->x[k + i];
    }
    if (j->xt[k] == RT_BF16)
        j->rows->sum_bf16(s, bf16, n, at, elements, more);
    else
        j->rows->sum_f32(s, f32, n, at, elements, more);
}

static void sum_in_order(const struct job *j, float *s, size_t at, size_t n)
{
    for (int k = 0, many; k < j->count; k += many) {
        many = group(j, k);
        add_group(j, s, k, many, at, n, k > 0);
    }
}

/* A binary counter: after k vectors there is one partial sum for each one-bit of k, so two
 * partials are added as soon as they cover the same number of vectors. The sum ends in s[0]. */
static void sum_by_tree(const struct job *j, float (*s)[BLOCK], size_t at, size_t n)
{
    int depth = 0;

    for (int k = 0; k < j->count; k++) {
        if (k % 2 == 0) {
            add_group(j, s[depth++], k, 1, at, n, false);
            continue;
        }
        add_group(j, s[depth - 1], k, 1, at, n, true);
        for (int pairs = (k + 1) / 2; pairs % 2 == 0; pairs /= 2, depth--)
            j->rows->add(s[depth - 2], s[depth - 1], n);
    }
    for (; depth > 1; depth--) j->rows->add(s[depth - 2], s[depth - 1], n);
}

/* s becomes the old y + s, the old y first. */
static void add_old(const struct job *j, float *s, size_t at, size_t n)
{
    float old[BLOCK];

    if (j->yt == RT_BF16)
        j->rows->to_f32(old, (const rt_bf16 *)j->y + at, n);
    else
        memcpy(old, (const float *)j->y + at, n * sizeof *old);
    j->rows->add(old, s, n);
    memcpy(s, old, n * sizeof *s);
}

static void store(const struct job *j, float *s, size_t at, size_t n)
{
    if (j->add) add_old(j, s, at, n);
    if (j->yt == RT_BF16)
        j->rows->to_bf16((rt_bf16 *)j->y + at, s, n);
    else
        memcpy((float *)j->y + at, s, n * sizeof *s);
}

static void blocks_in_order(const struct job *j, size_t n)
{
    RT_OMP(parallel for schedule(static) if (n >= PARALLEL_FROM))
    for (size_t i = 0; i < n; i += BLOCK) {
        float s[BLOCK];
        const size_t block = n - i < BLOCK ? n - i : BLOCK;
        sum_in_order(j, s, i, block);
        store(j, s, i, block);
    }
}

static void blocks_by_tree(const struct job *j, size_t n)
{
    RT_OMP(parallel for schedule(static) if (n >= PARALLEL_FROM))
    for (size_t i = 0; i < n; i += BLOCK) {
        float s[LEVELS][BLOCK];
        const size_t block = n - i < BLOCK ? n - i : BLOCK;
        sum_by_tree(j, s, i, block);
        store(j, s[0], i, block);
    }
}

rt_status rt_reduce_cpu(struct rt_queue *q, void *y, rt_dtype yt, const void *const *x,
                        const rt_dtype *xt, int count, size_t n, bool tree, bool add)
{
    const struct job j = {
        .rows = rt_rows_widest(), .x = x, .xt = xt, .count = count, .y = y, .yt = yt, .add = add};

    (void)q;
    if (count < 1 || count >= 1 << (LEVELS - 1))
        return RT_FAIL(RT_EINVAL, "a sum of %d vectors, must be 1 to %d", count,
                       (1 << (LEVELS - 1)) - 1);
    if (tree)
        blocks_by_tree(&j, n);
    else
        blocks_in_order(&j, n);
    return RT_OK;
}
