/* model/kernels_cpu.h - what the CPU backend keeps between calls; it lies in the lent scratch
 *
 * Behind the state the scratch is one workspace. Kernels run one after the other, and each uses it
 * from the start: scratch_bytes_cpu is the largest need.
 */
#ifndef MODEL_KERNELS_CPU_H
#define MODEL_KERNELS_CPU_H

#include <oneapi/dnnl/dnnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/kernels.h"

enum { CPU_PLANS = 64, CPU_ALIGN = 64 };

/* What a oneDNN matmul is made for: everything but the pointers, and whether it adds to out. */
struct matmul_key {
    int M, N, K, lda, ldb, ldo;
    rt_dtype at, bt, ot;
    bool transpose_a, transpose_b, sum;
};

/* A primitive that has been made for one key, and its arguments without pointers. */
struct matmul_plan {
    struct matmul_key key;
    uint64_t used; /* when last; 0: free */
    dnnl_primitive_t primitive;
    dnnl_memory_t a, b, out, scratch;
    size_t scratch_bytes;
};

struct kernels_state {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    bool fast_bf16, said; /* said: that bf16 is not fast */
    uint64_t clock;
    struct matmul_plan plans[CPU_PLANS];
    char *work;
    size_t work_bytes;
    float *convert; /* matmul_convert_bytes where bf16 is not fast, else NULL */
};

static inline size_t cpu_align(size_t bytes)
{
    return (bytes + CPU_ALIGN - 1) / CPU_ALIGN * CPU_ALIGN;
}

/* Threads that the loops of this backend use; 1 in a build without OpenMP. */
int cpu_threads(void);

/* The workspace, if it holds `bytes`. RT_EINVAL: the state was opened with less. */
RT_NODISCARD rt_status cpu_workspace(struct kernels_state *s, const char *what, size_t bytes,
                                     void **out);

/* This CPU has AVX-512, so that oneDNN has a bf16 matmul that is not slow. */
bool matmul_fast_bf16(void);

/* The plan for a key, made now if there is none; the one unused for longest makes room. */
RT_NODISCARD rt_status matmul_plan_find(struct kernels_state *s, const struct matmul_key *key,
                                        struct matmul_plan **out);
RT_NODISCARD rt_status matmul_plan_run(struct kernels_state *s, struct matmul_plan *plan,
                                       const void *a, const void *b, void *out);
void matmul_plans_clear(struct kernels_state *s);

/* Bytes of workspace that oneDNN wants for a key. */
RT_NODISCARD rt_status matmul_plan_scratch(dnnl_engine_t engine, const struct matmul_key *key,
                                           size_t *bytes);

/* bf16 operands where bf16 is not fast, through f32 blocks; `add` is in out already. full: the key
 * of the whole product. */
RT_NODISCARD rt_status matmul_convert(struct kernels_state *s, const struct kernels_matmul *m,
                                      const struct matmul_key *full);
size_t matmul_convert_bytes(void);

/* Bytes of workspace of the other kernels. */
size_t rmsnorm_cpu_bytes(int C);
size_t attention_cpu_bytes(int context, int D);

#endif
