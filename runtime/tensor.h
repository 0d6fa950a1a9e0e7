/* runtime/tensor.h - what the weights are called and where they lie: made by model, read by
 * shard, optim and checkpoint
 *
 * A unit is what is gathered together: 0 the embedding, 1..L the blocks, L+1 the final norm and
 * the head. Its tensors lie one after the other in one flat buffer; `offset` is the element at
 * which a tensor begins, a multiple of RT_TENSOR_ALIGN where a kernel needs it and directly
 * behind its neighbour where the two are one matrix (wq wk wv; w1 w3). Offsets do not depend on
 * the number of ranks.
 */
#ifndef RT_TENSOR_H
#define RT_TENSOR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { RT_TENSOR_ALIGN = 32 }; /* elements: 64 bytes of bf16 */

typedef enum {
    RT_ROLE_EMBEDDING, /* (V,C) table: decayed */
    RT_ROLE_MATRIX,    /* decayed              */
    RT_ROLE_NORM,      /* (C): not decayed     */
} rt_role;

struct rt_tensor {
    char name[64]; /* as Meta's checkpoints call it: layers.0.attention.wq.weight */
    int unit;
    rt_role role;
    int dims;        /* 1 or 2 */
    size_t shape[2]; /* row-major */
    size_t offset;   /* first element within its unit's buffer */
    float init_std;  /* normal(0, init_std); 0: all ones (norms) */
};

static inline size_t rt_tensor_count(const struct rt_tensor *t)
{
    return t->dims == 1 ? t->shape[0] : t->shape[0] * t->shape[1];
}

/* The whole model. Tensors are sorted by (unit, offset). */
struct rt_tensors {
    const struct rt_tensor *items; /* (count) */
    size_t count;
    const size_t *unit_elements; /* (units): elements of each unit's buffer, gaps included,
                                      padding for ranks not included */
    int units;
    uint64_t parameters; /* sum of rt_tensor_count */
};

#ifdef __cplusplus
}
#endif
#endif
