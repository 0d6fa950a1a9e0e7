/* runtime/parallel.h - OpenMP where the build has it, nothing where not
 *
 *     RT_OMP(parallel for schedule(static) if (n > 65536))
 *     for (...)
 */
#ifndef RT_PARALLEL_H
#define RT_PARALLEL_H

#ifdef _OPENMP
#include <omp.h>
#define RT_PRAGMA_(x) _Pragma(#x)
#define RT_OMP(...) RT_PRAGMA_(omp __VA_ARGS__)
#else
#define RT_OMP(...)
#endif

/* From here on the loops of the calling thread run on it alone. */
static inline void rt_parallel_alone(void)
{
#ifdef _OPENMP
    omp_set_num_threads(1);
#endif
}

#endif
