/* comm/watch/judge_impl.h - what judge.c and judge_words.c share */
#ifndef COMM_WATCH_JUDGE_IMPL_H
#define COMM_WATCH_JUDGE_IMPL_H

#include "comm/watch/judge.h"

struct judged {
    struct comm_beat beat; /* the newest; its text is not kept */
    double heard, moved;   /* when */
    double named;          /* as a straggler; only where was_named */
    bool ever, left, warned, was_named;
    bool marked; /* scratch: one of those that are spoken of */
};

struct comm_judge {
    struct comm_judge_options o;
    double started;
    struct judged *ranks; /* (size) */
    double *flags_wait_s; /* (size) by node, scratch: longest wait for its flags; < 0: none */
};

/* A text that grows and is cut at its end. */
struct words {
    char *text;
    size_t bytes, used;
};
void words_add(struct words *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "rank 3 (n2)" or "ranks 4-7 (n1, n2)": the marked ones. */
void words_marked(struct words *w, const struct comm_judge *j);
/* "ranks 0-2": those that are present, wait for number seq (0: for their node's flags), and lie on
 * node (-1: any). Gives how many. */
int words_waiters(struct words *w, const struct comm_judge *j, uint64_t seq, int node);
/* "reduce of unit 5, step 12" */
void words_op(struct words *w, const struct comm_beat *beat);
/* What the marked ranks are missed in, with "; " before it. */
void words_missed_in(struct words *w, const struct comm_judge *j);

/* Present: neither left nor absent, and heard. */
bool judged_present(const struct comm_judge *j, int rank);
/* The lowest number that a rank waits for, and one that does; 0: none. */
uint64_t judged_lowest_wait(const struct comm_judge *j, int *rank);

#endif
