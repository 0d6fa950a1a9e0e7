/* bench/comm/sizes.h - the sizes to measure: a range, a list, or the units of a real model */
#ifndef BENCH_COMM_SIZES_H
#define BENCH_COMM_SIZES_H

#include <argp.h>

#include "bench/comm/options.h"
#include "model/model.h"
#include "runtime/status.h"

enum { BENCH_SIZES_MAX = 256 };

/* "1K:64M:2" (from, to, factor), "1K:64M" (factor 2) or "4K,64K,1M": into *out, malloc'ed. A wrong
 * one is a usage error. */
void bench_sizes_parse(const struct argp_state *state, const char *text, struct bench_size **out,
                       size_t *count);

/* The model called 7b, 13b, 34b or 70b (jobs/runs/NAME.yaml); NULL: there is none. */
const struct model_config *bench_shape_find(const char *name);

/* Its three kinds of units - embedding, block, head - in this type. malloc'ed; RT_ENOMEM. */
RT_NODISCARD rt_status bench_shape_sizes(const char *name, rt_dtype type, struct bench_size **out,
                                         size_t *count);

#endif
