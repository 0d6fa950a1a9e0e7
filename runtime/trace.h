/* runtime/trace.h - where the time of a step goes: spans, added up by phase, and a Perfetto file
 *
 * One rt_trace a rank, made by jobs and lent to the layers; every function takes NULL and then
 * does nothing. Spans of one thread nest; only the innermost phase is charged (self time).
 */
#ifndef RT_TRACE_H
#define RT_TRACE_H

#include <stdint.h>

#include "runtime/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    RT_PHASE_DATA,
    RT_PHASE_GATHER, /* own slice cast into the unit buffer, exchange, waiting for it */
    RT_PHASE_FORWARD,
    RT_PHASE_BACKWARD,
    RT_PHASE_REDUCE,
    RT_PHASE_OPTIMIZER, /* norm, clip, AdamW */
    RT_PHASE_CHECKPOINT,
    RT_PHASE_EVALUATE,
    RT_PHASE_OTHER,
    RT_PHASES
} rt_phase;

const char *rt_phase_name(rt_phase p);

struct rt_trace;

/* path NULL: only sums. Else trace events are kept (at most `limit`) and written at destroy.
 * RT_EIO: the path cannot be written, known at once. RT_ENOMEM. */
RT_NODISCARD rt_status rt_trace_create(const char *path, int rank, uint64_t limit,
                                       struct rt_trace **out);
RT_NODISCARD rt_status rt_trace_destroy(struct rt_trace **t); /* writes the file, if any */

/* name: kept by the caller until the end of the span; a file keeps its first 27 bytes. */
void rt_trace_begin(struct rt_trace *t, rt_phase p, const char *name, int unit);
void rt_trace_end(struct rt_trace *t);

/* Seconds of each phase since the last call (self time), and start over. */
void rt_trace_take(struct rt_trace *t, double seconds[RT_PHASES]);

double rt_now_s(void); /* monotonic */

#ifdef __cplusplus
}
#endif
#endif
