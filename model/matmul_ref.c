/* model/matmul_ref.c - matrix product, written to be read
 *
 *     out[i,j] = sum_k op(a)[i,k] * op(b)[k,j]  (+ add[i,j])
 *
 * Shapes    op(a) (M,K), op(b) (K,N), out and add (M,N); rows lda, ldb, ldo elements apart
 * Numbers   summed in float64 with `add` inside, rounded once. Other backends: relative error
 *           (L2 over the result) <= 1e-6 * sqrt(K) with f32 inputs, 1e-2 into bf16  (test_kernels)
 * Cost      2*M*N*K flops
 *
 * This file stays slow. The fast one is matmul_cpu.c.
 */
#include "model/kernels_impl.h"

rt_status matmul_ref(struct kernels_state *s, struct rt_queue *q, const struct kernels_matmul *m)
{
    const size_t lda = (size_t)(m->lda ? m->lda : m->transpose_a ? m->M : m->K);
    const size_t ldb = (size_t)(m->ldb ? m->ldb : m->transpose_b ? m->K : m->N);
    const size_t ldo = (size_t)(m->ldo ? m->ldo : m->N);
    /* Elements from one k to the next, and from one row of op(a) or column of op(b) to the next. */
    const size_t ak = m->transpose_a ? lda : 1, ai = m->transpose_a ? 1 : lda;
    const size_t bk = m->transpose_b ? 1 : ldb, bj = m->transpose_b ? ldb : 1;

    (void)s;
    (void)q;
    for (size_t i = 0; i < (size_t)m->M; i++) {
        for (size_t j = 0; j < (size_t)m->N; j++) {
            double sum = m->add != NULL ? (double)m->add[i * ldo + j] : 0;
            for (size_t k = 0; k < (size_t)m->K; k++)
                sum += kernels_load(m->a, i * ai + k * ak, m->at) *
                       kernels_load(m->b, k * bk + j * bj, m->bt);
            kernels_store(m->out, i * ldo + j, m->ot, sum);
        }
    }
    return RT_OK;
}
