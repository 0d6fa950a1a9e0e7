/* runtime/data/loader_ahead.h - the reading thread of a loader
 *
 * Two slots: the announcement being consumed, and the next. The thread touches neither MPI nor
 * HDF5: token files are mapped.
 */
#ifndef DATA_LOADER_AHEAD_H
#define DATA_LOADER_AHEAD_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/data/loader.h"

struct ahead;

RT_NODISCARD rt_status ahead_create(const struct loader *l, int context, size_t capacity,
                                    struct ahead **out);
void ahead_destroy(struct ahead **a);
RT_NODISCARD rt_status ahead_announce(struct ahead *a, const uint64_t *i, size_t count);
RT_NODISCARD rt_status ahead_next(struct ahead *a, int32_t *inputs, int32_t *targets);

#endif
