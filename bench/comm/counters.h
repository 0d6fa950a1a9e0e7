/* bench/comm/counters.h - what the NICs counted while the benchmark ran
 *
 * One rank a host reads them before and after; rank 0 gets the ports on which something moved.
 */
#ifndef BENCH_COMM_COUNTERS_H
#define BENCH_COMM_COUNTERS_H

#include <jansson.h>
#include <stdbool.h>

#include "comm/comm.h"
#include "runtime/status.h"

struct bench_counters;

/* Collective over world; hosts: of the world, as the machine is. *out is on every rank. */
RT_NODISCARD rt_status bench_counters_begin(const struct comm_nodes *hosts,
                                            struct bench_counters **out);
RT_NODISCARD rt_status bench_counters_end(struct bench_counters *c);
void bench_counters_destroy(struct bench_counters **c);

/* Rank 0. all: bytes too; else only what should stay still on a sound network. */
void bench_counters_print(const struct bench_counters *c, bool all);
/* [{host, port, COUNTER: difference...}], only what is known and moved. */
json_t *bench_counters_json(const struct bench_counters *c);

#endif
