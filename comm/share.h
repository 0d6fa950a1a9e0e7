/* comm/share.h - one open file of shared memory: the places to try, its making and reserving
 *
 * Not collective: comm/window.c makes one on a node's first rank and has the others open it.
 */
#ifndef COMM_SHARE_H
#define COMM_SHARE_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

enum { COMM_SHARE_PLACES = 3, COMM_SHARE_WHY = 256 };

/* What the first rank tells the others. */
struct comm_share {
    char place[PATH_MAX]; /* "memfd" or a directory; empty: there is none */
    char path[PATH_MAX];  /* what to open */
    uint64_t device, inode;
};

/* The i-th place to try, or NULL: RECUA_WINDOW alone if it is set; else memfd, /dev/shm, TMPDIR or
 * /tmp. */
const char *comm_share_place(int i);

/* An open file of `bytes` in place, its size set, nothing reserved yet: the descriptor, or -1 and
 * why not. Refuses where there is not the room: file system, memory, cgroups, ulimit -f. */
int comm_share_make(const char *place, size_t bytes, struct comm_share *out,
                    char why[COMM_SHARE_WHY]);

/* The same file in another process, or -1 (errno): not reachable, or another file by that name. */
int comm_share_open(const struct comm_share *s);

/* Take the pages of [from, from+bytes): 0 or an errno. After it a write cannot fail. */
int comm_share_reserve(int fd, size_t from, size_t bytes);

/* Bytes free in place, for the message; UINT64_MAX: not known. */
uint64_t comm_share_free(const char *place);

/* Take its name away, if it has one; the memory lives as long as it is mapped. */
void comm_share_unlink(const struct comm_share *s);

#endif
