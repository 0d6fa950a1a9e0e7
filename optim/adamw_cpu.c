/* optim/adamw_cpu.c - AdamW on vectors and threads; formula in adamw_ref.c
 *
 * How     the same loop, compiled for three instruction sets; the widest that the CPU has is taken
 *         at run time. Square root and division are exact in all of them, so the bits are ref's.
 */
#include <math.h>

#include "optim/kernels.h"
#include "runtime/parallel.h"

enum { CHUNK = 1 << 14 }; /* elements a thread takes at a time */

typedef void adamw_rows(float *w, float *m, float *v, const float *g, size_t n,
                        const struct optim_factors *f);

static inline __attribute__((always_inline)) void adamw_body(float *restrict w, float *restrict m,
                                                             float *restrict v,
                                                             const float *restrict g, size_t n,
                                                             const struct optim_factors *f)
{
    const struct optim_factors c = *f; /* in registers: the stores below cannot change it */

    for (size_t i = 0; i < n; i++) {
        const float d = c.scale * g[i];
        const float mi = c.beta1 * m[i] + c.rest1 * d;
        const float vi = c.beta2 * v[i] + c.rest2 * (d * d);
        const float step = (mi * c.correct1) / (sqrtf(vi * c.correct2) + c.epsilon);

        m[i] = mi;
        v[i] = vi;
        w[i] = w[i] - c.rate * (step + c.decay * w[i]);
    }
}

static void adamw_plain(float *w, float *m, float *v, const float *g, size_t n,
                        const struct optim_factors *f)
{
    adamw_body(w, m, v, g, n, f);
}

#if defined(__x86_64__)
static __attribute__((target("avx2"))) void adamw_avx2(float *w, float *m, float *v, const float *g,
                                                       size_t n, const struct optim_factors *f)
{
    adamw_body(w, m, v, g, n, f);
}

static __attribute__((target("avx512f"))) void
adamw_avx512(float *w, float *m, float *v, const float *g, size_t n, const struct optim_factors *f)
{
    adamw_body(w, m, v, g, n, f);
}
#endif

static adamw_rows *choose(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return adamw_avx512;
    if (__builtin_cpu_supports("avx2")) return adamw_avx2;
#endif
    return adamw_plain;
}

static rt_status adamw(struct rt_queue *q, float *w, float *m, float *v, const float *g, size_t n,
                       const struct optim_factors *f)
{
    adamw_rows *const rows = choose();

    (void)q;
    RT_OMP(parallel for schedule(static) if (n > CHUNK))
    for (size_t i = 0; i < n; i += CHUNK) {
        const size_t here = n - i < CHUNK ? n - i : CHUNK;
        rows(w + i, m + i, v + i, g + i, here, f);
    }
    return RT_OK;
}

const struct optim_kernels optim_kernels_cpu = {.name = "cpu", .adamw = adamw};
