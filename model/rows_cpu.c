/* model/rows_cpu.c - which instruction set's loops this CPU runs
 *
 * oneDNN's answer is asked, so that one variable (ONEDNN_MAX_CPU_ISA) lowers both.
 */
#include "model/rows_cpu.h"

#include <oneapi/dnnl/dnnl.h>

extern const struct rows_cpu rows_plain;
#if defined(__x86_64__)
extern const struct rows_cpu rows_avx2, rows_avx512;
#endif

const struct rows_cpu *rows_cpu(void)
{
#if defined(__x86_64__)
    const unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();

    if ((isa & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core) return &rows_avx512;
    if ((isa & dnnl_cpu_isa_avx2) == dnnl_cpu_isa_avx2 && __builtin_cpu_supports("fma"))
        return &rows_avx2;
#endif
    return &rows_plain;
}
