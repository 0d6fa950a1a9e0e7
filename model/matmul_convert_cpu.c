/* model/matmul_convert_cpu.c - bf16 matrix product where the CPU has no bf16: through blocks in f32
 *
 * How      out is made in blocks of (BLOCK,BLOCK) and k in runs of DEPTH: the parts of a and b are
 *          turned into f32 in memory of the state, oneDNN multiplies and adds them in f32, and the
 *          sum is rounded once when it goes to a bf16 out. Turning costs 1/BLOCK of the product.
 */
#include <string.h>

#include "model/kernels_cpu.h"
#include "model/rows_cpu.h"
#include "runtime/log.h"
#include "runtime/parallel.h"

enum { BLOCK = 512, DEPTH = 1024 };

/* a (BLOCK,DEPTH), b (DEPTH,BLOCK), sum (BLOCK,BLOCK) */
enum { BLOCK_FLOATS = 2 * BLOCK * DEPTH + BLOCK * BLOCK };

size_t matmul_convert_bytes(void) { return (size_t)BLOCK_FLOATS * sizeof(float); }

/* A rectangle of a stored matrix whose rows are ld elements apart. */
struct part {
    size_t ld, row, column, rows, columns;
};

static struct part part_of(int ld, bool transpose, size_t row, size_t column, size_t rows,
                           size_t columns)
{
    if (transpose) return (struct part){(size_t)ld, column, row, columns, rows};
    return (struct part){(size_t)ld, row, column, rows, columns};
}

/* Dense f32 rows from a part of a matrix of dt. */
static void take(float *to, const void *from, rt_dtype dt, const struct part *p)
{
    const struct rows_cpu *loops = rows_cpu();

    RT_OMP(parallel for schedule(static))
    for (size_t i = 0; i < p->rows; i++) {
        const size_t at = (p->row + i) * p->ld + p->column;
        if (dt == RT_F32)
            memcpy(to + i * p->columns, (const float *)from + at, p->columns * sizeof *to);
        else
            loops->to_f32(to + i * p->columns, (const rt_bf16 *)from + at, p->columns);
    }
}

static void put(void *to, const float *from, rt_dtype dt, const struct part *p)
{
    const struct rows_cpu *loops = rows_cpu();

    RT_OMP(parallel for schedule(static))
    for (size_t i = 0; i < p->rows; i++) {
        const size_t at = (p->row + i) * p->ld + p->column;
        if (dt == RT_F32)
            memcpy((float *)to + at, from + i * p->columns, p->columns * sizeof *from);
        else
            loops->to_bf16((rt_bf16 *)to + at, from + i * p->columns, p->columns);
    }
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* The block of out at (i,j): all of k. full has every ld spelled out. */
static rt_status block(struct kernels_state *s, const struct kernels_matmul *m,
                       const struct matmul_key *full, size_t i, size_t j)
{
    const size_t rows = least(BLOCK, (size_t)m->M - i), columns = least(BLOCK, (size_t)m->N - j);
    const struct part po = part_of(full->ldo, false, i, j, rows, columns);
    float *a = s->convert, *b = a + BLOCK * DEPTH, *sum = b + BLOCK * DEPTH;

    if (m->add != NULL) take(sum, m->out, RT_F32, &po);
    for (size_t k = 0; k < (size_t)m->K; k += DEPTH) {
        const size_t depth = least(DEPTH, (size_t)m->K - k);
        const struct part pa = part_of(full->lda, m->transpose_a, i, k, rows, depth);
        const struct part pb = part_of(full->ldb, m->transpose_b, k, j, depth, columns);
        const struct matmul_key key = {.M = (int)rows,
                                       .N = (int)columns,
                                       .K = (int)depth,
                                       .lda = (int)pa.columns,
                                       .ldb = (int)pb.columns,
                                       .ldo = (int)columns,
                                       .transpose_a = m->transpose_a,
                                       .transpose_b = m->transpose_b,
                                       .sum = k > 0 || m->add != NULL};
        struct matmul_plan *plan;

        take(a, m->a, m->at, &pa);
        take(b, m->b, m->bt, &pb);
        RT_TRY(matmul_plan_find(s, &key, &plan));
        RT_TRY(matmul_plan_run(s, plan, a, b, sum));
    }
    put(m->out, sum, m->ot, &po);
    return RT_OK;
}

rt_status matmul_convert(struct kernels_state *s, const struct kernels_matmul *m,
                         const struct matmul_key *full)
{
    if (s->convert == NULL)
        return RT_FAIL(RT_EINVAL, "bf16 matmul in f32 blocks needs %zu bytes of scratch more",
                       matmul_convert_bytes());
    if (!s->said)
        rt_log_once(RT_LOG_INFO, "this CPU has no AVX-512 and so no fast bf16: bf16 is stored, "
                                 "matmul runs in fp32");
    s->said = true;
    for (size_t j = 0; j < (size_t)m->N; j += BLOCK)
        for (size_t i = 0; i < (size_t)m->M; i += BLOCK) RT_TRY(block(s, m, full, i, j));
    return RT_OK;
}
