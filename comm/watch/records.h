/* comm/watch/records.h - the newest operations of this rank, for whoever asks why it hangs
 *
 * A ring of COMM_RECORDS records, one per sequence number. All ranks of the job enter the same
 * collectives in the same order, so a number means the same operation on all of them. Written by
 * the main and the communication thread, read by the watchdog at any moment: every field is an
 * atomic of its own and a record's number is taken away while it is written, so a reader sees a
 * whole record or none. No function waits, none is collective, and all but create accept NULL
 * (no records are kept then).
 */
#ifndef COMM_WATCH_RECORDS_H
#define COMM_WATCH_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/status.h"

enum { COMM_RECORDS = 256 };

struct comm_records;

struct comm_what {
    const char *op; /* a static string: "gather", "reduce", "barrier", "agree" */
    int unit;       /* -1: none */
    uint64_t step;  /* of training; 0: none */
    uint64_t bytes;
};

struct comm_record {
    uint64_t seq;
    struct comm_what what;
    int round, rounds; /* 0, 0: it has told nothing yet */
    bool left;
    double age_s;  /* since it was entered */
    double took_s; /* from enter to leave; 0 before */
};

/* What this rank does now. */
struct comm_standing {
    uint64_t entered;      /* newest number; 0: none yet */
    uint64_t done;         /* this one and all before it were left */
    bool waiting;          /* the main thread waits; else it computes */
    uint64_t waited;       /* for this number; 0: for the flags of its node */
    uint64_t progress;     /* grows with every call below */
    uint64_t step;         /* of training */
    double longest_s;      /* of the operations that were left */
    struct comm_what what; /* the one waited for, or else the newest; op NULL: none */
};

/* RT_ENOMEM. */
RT_NODISCARD rt_status comm_records_create(struct comm_records **out);
void comm_records_destroy(struct comm_records **r);

/* An operation is posted; gives its number, counted from 1. Where several threads post they agree
 * among themselves on the order, as they must for MPI. 0 where r is NULL. */
uint64_t comm_records_enter(struct comm_records *r, const struct comm_what *what);
/* It is in round `round` of `rounds`, counted from 1. */
void comm_records_round(struct comm_records *r, uint64_t seq, int round, int rounds);
void comm_records_leave(struct comm_records *r, uint64_t seq);

/* The main thread begins (on) or ends to wait for seq; 0: for the flags of its node. */
void comm_records_wait(struct comm_records *r, uint64_t seq, bool on);
/* The main thread is in this step of training; 0: in none. Whatever the step, a call says that it
 * moves: long work without a collective calls it now and then, or is a phase of the watchdog, lest
 * it be called stuck. */
void comm_records_step(struct comm_records *r, uint64_t step);

void comm_records_standing(const struct comm_records *r, struct comm_standing *out);
/* false: overwritten since, not entered yet, or being written this moment. */
bool comm_records_find(const struct comm_records *r, uint64_t seq, struct comm_record *out);

/* The newest `most` records, newest last, a line each that begins with prefix. Takes no lock and
 * allocates nothing, so that it works in a process that hangs. */
void comm_records_dump(const struct comm_records *r, int fd, const char *prefix, int most);

#endif
