/* comm/window.h - memory that the ranks of a node share, and flags in it
 *
 * One mapping, made by the node's first rank and opened by the others; anonymous (memfd) where
 * the ranks can reach it, else a file in /dev/shm, else in TMPDIR, each only after the space is
 * reserved, so that a full place is an error that names it and its free bytes, never a SIGBUS.
 * RECUA_WINDOW=memfd|/some/dir chooses one place.
 */
#ifndef COMM_WINDOW_H
#define COMM_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "comm/comm.h"

struct comm_window;

/* bytes: of the whole node, the same on all its ranks. Zeroed. flags: how many flag lines each
 * rank has. Collective over nodes->local, agreed over nodes->world. RT_ENOMEM. */
RT_NODISCARD rt_status comm_window_create(const struct comm_nodes *nodes, size_t bytes, int flags,
                                          struct comm_window **out);
void comm_window_destroy(struct comm_window **w); /* collective over nodes->local */

void *comm_window_base(const struct comm_window *w); /* page aligned; not the same address on all */
const char *comm_window_place(const struct comm_window *w); /* "memfd", or the directory */

/* Flags are counters that only go up. signal: this rank's flag becomes value (release).
 * await: until flag `flag` of every local rank is at least value (acquire): a short spin, then
 * yields, then sleeps of 50 us. Not collective in the MPI sense: no message is sent. */
void comm_window_signal(struct comm_window *w, int flag, uint64_t value);
void comm_window_await(const struct comm_window *w, int flag, uint64_t value);
bool comm_window_reached(const struct comm_window *w, int flag, uint64_t value); /* does not wait */
bool comm_window_reached_elsewhere(const struct comm_window *w, int flag,
                                   uint64_t value); /* own apart */

#endif
