/* comm/watch/beat.h - the datagrams of the watchdog
 *
 * Little endian, a fixed head and nothing else but in a verdict, whose text follows. Whatever is
 * not exactly so (length, magic, version, job, rank, flags, text) is refused: the socket stands in
 * a network where others send too.
 *
 *   0 magic u32 | 4 version u8, kind u8, flags u8, 0 u8 | 8 job u64 | 16 rank u32 | 20 text bytes u32
 *  24 count u64 | 32 entered | 40 done | 48 waited | 56 progress | 64 step | 72 longest_ms u32
 *  76 unit i32  | 80 op (16) | 96 text
 */
#ifndef COMM_WATCH_BEAT_H
#define COMM_WATCH_BEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { COMM_BEAT_OP = 16, COMM_BEAT_HEAD = 96, COMM_BEAT_TEXT = 1024 };
enum { COMM_BEAT_BYTES = COMM_BEAT_HEAD + COMM_BEAT_TEXT }; /* the largest */

typedef enum {
    COMM_BEAT_ALIVE = 1,
    COMM_BEAT_LEAVING, /* this rank ends as it should: never miss it */
    COMM_BEAT_SEEN,    /* the answer to LEAVING */
    COMM_BEAT_VERDICT, /* the job is lost; the text says why */
} comm_beat_kind;

struct comm_beat {
    comm_beat_kind kind;
    uint64_t job;
    int rank;       /* who sends it */
    uint64_t count; /* grows with every datagram of the sender */
    bool waiting, in_phase;
    uint64_t entered, done, waited, progress, step; /* as in struct comm_standing */
    uint32_t longest_ms;
    int unit;              /* as op: of the operation waited for, or else the newest; -1: none */
    char op[COMM_BEAT_OP]; /* "": none */
    const char *text;      /* of a verdict; lent: points into the bytes after decode */
    size_t text_bytes;     /* it is not terminated */
};

/* bytes (COMM_BEAT_BYTES) holds what is to be sent; gives how much. A longer text is cut. */
size_t comm_beat_encode(const struct comm_beat *beat, unsigned char *bytes);

/* false: not a datagram of this job of `size` ranks; *out is then untouched. */
bool comm_beat_decode(const unsigned char *bytes, size_t n, uint64_t job, int size,
                      struct comm_beat *out);

#endif
