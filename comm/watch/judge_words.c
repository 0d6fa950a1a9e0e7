/* comm/watch/judge_words.c - who is missed in what, in words */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "comm/watch/judge_impl.h"

enum { MOST_RANGES = 8, MOST_HOSTS = 4 };

void words_add(struct words *w, const char *fmt, ...)
{
    va_list ap;

    if (w->used + 1 >= w->bytes) return;
    va_start(ap, fmt);
    int n = vsnprintf(w->text + w->used, w->bytes - w->used, fmt, ap);
    va_end(ap);
    if (n > 0) w->used += (size_t)n;
    if (w->used >= w->bytes) w->used = w->bytes - 1;
}

typedef bool chosen_fn(const struct comm_judge *j, int rank, uint64_t seq, int node);

static bool is_marked(const struct comm_judge *j, int rank, uint64_t seq, int node)
{
    (void)seq;
    (void)node;
    return j->ranks[rank].marked;
}

static bool is_waiter(const struct comm_judge *j, int rank, uint64_t seq, int node)
{
    const struct comm_beat *b = &j->ranks[rank].beat;

    return judged_present(j, rank) && !j->ranks[rank].marked && b->waiting && b->waited == seq &&
           (node < 0 || j->o.ranks[rank].node == node);
}

/* "rank 3" or "ranks 0-2,5 and 17 more": as few ranges as say it. */
static int add_ranks(struct words *w, const struct comm_judge *j, chosen_fn *chosen, uint64_t seq,
                     int node)
{
    int count = 0, ranges = 0, unsaid = 0;

    for (int r = 0; r < j->o.size; r++) count += chosen(j, r, seq, node);
    words_add(w, count == 1 ? "rank " : "ranks ");
    for (int r = 0; r < j->o.size; r++) {
        if (!chosen(j, r, seq, node)) continue;
        int last = r;
        while (last + 1 < j->o.size && chosen(j, last + 1, seq, node)) last++;
        if (ranges == MOST_RANGES) {
            unsaid += last - r + 1;
        } else {
            words_add(w, "%s%d", ranges == 0 ? "" : ",", r);
            if (last > r) words_add(w, "-%d", last);
            ranges++;
        }
        r = last;
    }
    if (unsaid > 0) words_add(w, " and %d more", unsaid);
    return count;
}

void words_marked(struct words *w, const struct comm_judge *j)
{
    int hosts = 0, node = -1;

    (void)add_ranks(w, j, is_marked, 0, -1);
    for (int r = 0; r < j->o.size && hosts <= MOST_HOSTS; r++) {
        if (!j->ranks[r].marked || j->o.ranks[r].node == node) continue;
        node = j->o.ranks[r].node;
        words_add(w, hosts == 0 ? " (" : ", ");
        words_add(w, "%s", hosts < MOST_HOSTS ? j->o.ranks[r].host : "...");
        hosts++;
    }
    words_add(w, ")");
}

int words_waiters(struct words *w, const struct comm_judge *j, uint64_t seq, int node)
{
    for (int r = 0; r < j->o.size; r++)
        if (is_waiter(j, r, seq, node)) return add_ranks(w, j, is_waiter, seq, node);
    return 0;
}

void words_op(struct words *w, const struct comm_beat *b)
{
    words_add(w, "%s", b->op[0] != '\0' ? b->op : "an operation");
    if (b->unit >= 0) words_add(w, " of unit %d", b->unit);
    if (b->step > 0) words_add(w, ", step %" PRIu64, b->step);
}

/* One of the marked ranks: of those that entered least, the first. */
static int first_marked(const struct comm_judge *j)
{
    int first = -1;

    for (int r = 0; r < j->o.size; r++)
        if (j->ranks[r].marked &&
            (first < 0 || j->ranks[r].beat.entered < j->ranks[first].beat.entered))
            first = r;
    return first;
}

static int count_marked(const struct comm_judge *j)
{
    int n = 0;

    for (int r = 0; r < j->o.size; r++) n += j->ranks[r].marked;
    return n;
}

void words_missed_in(struct words *w, const struct comm_judge *j)
{
    const int first = first_marked(j);
    if (first < 0) return;
    const struct comm_beat *b = &j->ranks[first].beat;
    const char *it = count_marked(j) == 1 ? "it" : "they";
    char waiters[256] = "";
    struct words list = {waiters, sizeof waiters, 0};
    int waiter = -1;
    const uint64_t seq = judged_lowest_wait(j, &waiter);
    int n = seq > b->done ? words_waiters(&list, j, seq, -1) : 0;

    if (n > 0) {
        words_add(w, b->entered < seq ? "; %s had not entered " : "; %s had not finished ", it);
        words_op(w, &j->ranks[waiter].beat);
        words_add(w, ", in which %s wait%s", waiters, n == 1 ? "s" : "");
        return;
    }
    n = words_waiters(&list, j, 0, j->o.ranks[first].node);
    if (n > 0) {
        words_add(w, "; %s wait%s at the flags of the node", waiters, n == 1 ? "s" : "");
        if (b->step > 0) words_add(w, ", step %" PRIu64, b->step);
        return;
    }
    if (b->entered == 0) {
        words_add(w, "; %s had entered no operation", it);
        return;
    }
    words_add(w, "; the newest operation was ");
    words_op(w, b);
}
