/* model/tile_cpu.h - products of small f32 tiles in registers, for attention
 *
 *     c (M,N) = [c +] a (M,K) @ b (K,N)
 *
 * Element (m,k) of a is a[m*a_row + k*a_k], so that a may be read transposed; rows of b and c lie
 * ldb and ldc floats apart. M is a multiple of TILE_ROWS, N of VEC.
 * How      TILE_ROWS x 2 vectors of c stay in registers over all of k: each step loads two vectors of
 *          b and multiplies them by TILE_ROWS broadcast elements of a. The panel of b that is in
 *          use (K x 2 VEC) fits in the first-level cache for K up to 128.
 */
#ifndef MODEL_TILE_CPU_H
#define MODEL_TILE_CPU_H

#include <stdbool.h>

#include "model/vec_cpu.h"

#if defined(__AVX512F__)
enum { TILE_ROWS = 8 };
#else
enum { TILE_ROWS = 4 };
#endif

struct tile_a {
    const float *p;
    size_t row, k;
};

VEC_INLINE void tile_block_(float *c, size_t ldc, struct tile_a a, const float *b, size_t ldb,
                            size_t K, int vectors, bool add)
{
    vec sum[TILE_ROWS][2];

    for (size_t m = 0; m < TILE_ROWS; m++)
        for (size_t v = 0; v < (size_t)vectors; v++)
            sum[m][v] = add ? vec_load_f32(c + m * ldc + v * VEC, VEC) : vec_all(0);
    for (size_t k = 0; k < K; k++) {
        vec bk[2];
        for (size_t v = 0; v < (size_t)vectors; v++)
            bk[v] = vec_load_f32(b + k * ldb + v * VEC, VEC);
        for (size_t m = 0; m < TILE_ROWS; m++) {
            const vec am = vec_all(a.p[m * a.row + k * a.k]);
            for (size_t v = 0; v < (size_t)vectors; v++) sum[m][v] = vec_fma(am, bk[v], sum[m][v]);
        }
    }
    for (size_t m = 0; m < TILE_ROWS; m++)
        for (size_t v = 0; v < (size_t)vectors; v++)
            vec_store_f32(c + m * ldc + v * VEC, sum[m][v], VEC);
}

/* a.row and a.k are constants where it is called: one of them is 1. */
VEC_INLINE void tile_multiply_(float *c, size_t ldc, struct tile_a a, const float *b, size_t ldb,
                               size_t M, size_t N, size_t K, bool add)
{
    size_t n = 0;

    for (; n + 2 * VEC <= N; n += 2 * VEC)
        for (size_t m = 0; m < M; m += TILE_ROWS)
            tile_block_(c + m * ldc + n, ldc, (struct tile_a){a.p + m * a.row, a.row, a.k}, b + n,
                        ldb, K, 2, add);
    for (; n < N; n += VEC)
        for (size_t m = 0; m < M; m += TILE_ROWS)
            tile_block_(c + m * ldc + n, ldc, (struct tile_a){a.p + m * a.row, a.row, a.k}, b + n,
                        ldb, K, 1, add);
}

#endif
