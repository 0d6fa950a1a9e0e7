/* model/peak.h - the matmul peak of this machine, the denominator of every MFU
 *
 * The best of a fixed list of square and layer-like shapes (those of `c` among them, when given),
 * each run for at least 0.2 s after a warm-up, with the threads this process has. All ranks
 * measure at the same time (the caller puts a barrier before); the job's peak is the sum.
 */
#ifndef MODEL_PEAK_H
#define MODEL_PEAK_H

#include "model/kernels.h"
#include "model/model.h"

struct model_peak_row {
    int M, N, K;
    bool transpose_a, transpose_b;
    double flops_per_s;
};

struct model_peak {
    double flops_per_s; /* the best row */
    struct model_peak_row rows[16];
    int count;
};

/* c may be NULL; rows: of one micro-batch (B*T). */
RT_NODISCARD rt_status model_peak_measure(const struct kernels *k, rt_dtype dt,
                                          const struct model_config *c, int rows,
                                          struct model_peak *out);

#endif
