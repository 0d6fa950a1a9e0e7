/* model/matmul_cpu.c - matrix product by oneDNN; formula in matmul_ref.c
 *
 * How      `add` is oneDNN's sum into out, so it is copied there first if it lies elsewhere: a copy
 *          moves M*N floats once, where the product moves them anyway.
 * Numbers  f32 sums inside, also for bf16 operands. On a CPU without AVX-512 bf16 operands are
 *          turned into f32 in blocks (matmul_convert_cpu.c), which is said once.
 */
#include <string.h>

#include "model/kernels_cpu.h"
#include "model/kernels_impl.h"
#include "runtime/parallel.h"

bool matmul_fast_bf16(void)
{
    return (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core;
}

static struct matmul_key key_of(const struct kernels_matmul *m)
{
    return (struct matmul_key){.M = m->M,
                               .N = m->N,
                               .K = m->K,
                               .lda = m->lda           ? m->lda
                                      : m->transpose_a ? m->M
                                                       : m->K,
                               .ldb = m->ldb           ? m->ldb
                                      : m->transpose_b ? m->K
                                                       : m->N,
                               .ldo = m->ldo ? m->ldo : m->N,
                               .at = m->at,
                               .bt = m->bt,
                               .ot = m->ot,
                               .transpose_a = m->transpose_a,
                               .transpose_b = m->transpose_b,
                               .sum = m->add != NULL};
}

static void copy_rows(float *to, const float *from, size_t rows, size_t columns, size_t ld)
{
    RT_OMP(parallel for schedule(static) if (rows * columns > 65536))
    for (size_t i = 0; i < rows; i++) memcpy(to + i * ld, from + i * ld, columns * sizeof *to);
}

rt_status matmul_cpu(struct kernels_state *s, struct rt_queue *q, const struct kernels_matmul *m)
{
    const struct matmul_key key = key_of(m);
    struct matmul_plan *plan;

    (void)q;
    if (m->M == 0 || m->N == 0) return RT_OK;
    if (m->add != NULL && m->add != m->out)
        copy_rows(m->out, m->add, (size_t)m->M, (size_t)m->N, (size_t)key.ldo);
    if (!s->fast_bf16 && (m->at == RT_BF16 || m->bt == RT_BF16 || m->ot == RT_BF16))
        return matmul_convert(s, m, &key);
    RT_TRY(matmul_plan_find(s, &key, &plan));
    return matmul_plan_run(s, plan, m->a, m->b, m->out);
}
