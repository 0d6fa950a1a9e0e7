/* comm/watch/judge.c - what a monitor makes of the beats that it hears */
#include "comm/watch/judge.h"

#include <stdlib.h>
#include <string.h>

#include "comm/watch/judge_impl.h"

rt_status comm_judge_create(const struct comm_judge_options *options, double now,
                            struct comm_judge **out)
{
    struct comm_judge *j = calloc(1, sizeof *j);
    const size_t size = (size_t)options->size;

    *out = NULL;
    if (j != NULL) {
        j->o = *options;
        j->started = now;
        j->ranks = calloc(size, sizeof *j->ranks);
        j->flags_wait_s = calloc(size, sizeof *j->flags_wait_s);
    }
    if (j == NULL || j->ranks == NULL || j->flags_wait_s == NULL) {
        comm_judge_destroy(&j);
        return RT_FAIL(RT_ENOMEM, "the watchdog's notes on %d ranks", options->size);
    }
    for (size_t r = 0; r < size; r++) {
        j->ranks[r].beat.unit = -1;
        j->ranks[r].left = options->ranks[r].absent;
    }
    *out = j;
    return RT_OK;
}

void comm_judge_destroy(struct comm_judge **j)
{
    if (*j == NULL) return;
    free((*j)->ranks);
    free((*j)->flags_wait_s);
    free(*j);
    *j = NULL;
}

void comm_judge_hear(struct comm_judge *j, const struct comm_beat *beat, double now)
{
    struct judged *d = &j->ranks[beat->rank];

    if (d->left || (d->ever && beat->count <= d->beat.count)) return;
    if (!d->ever || beat->progress != d->beat.progress) d->moved = now;
    d->heard = now;
    d->ever = true;
    d->beat = *beat;
    d->beat.text = NULL;
    if (beat->kind == COMM_BEAT_LEAVING) d->left = true;
}

void comm_judge_forgive(struct comm_judge *j, double now)
{
    for (int r = 0; r < j->o.size; r++) j->ranks[r].heard = j->ranks[r].moved = now;
    j->started = now;
}

bool comm_judge_heard(const struct comm_judge *j, int rank) { return j->ranks[rank].ever; }

bool comm_judge_left(const struct comm_judge *j, int rank) { return j->ranks[rank].left; }

bool judged_present(const struct comm_judge *j, int rank)
{
    return j->ranks[rank].ever && !j->ranks[rank].left;
}

bool comm_judge_silent(const struct comm_judge *j, int rank, double seconds, double now)
{
    return judged_present(j, rank) && now - j->ranks[rank].heard > seconds;
}

uint64_t judged_lowest_wait(const struct comm_judge *j, int *rank)
{
    uint64_t lowest = 0;

    for (int r = 0; r < j->o.size; r++) {
        const struct judged *d = &j->ranks[r];
        if (!judged_present(j, r) || d->marked || !d->beat.waiting || d->beat.waited == 0) continue;
        if (lowest != 0 && d->beat.waited >= lowest) continue;
        lowest = d->beat.waited;
        *rank = r;
    }
    return lowest;
}

static void unmark(struct comm_judge *j)
{
    for (int r = 0; r < j->o.size; r++) j->ranks[r].marked = false;
}

static comm_judgement unheard(struct comm_judge *j, double now, struct words *w)
{
    int found = 0;

    if (now - j->started <= j->o.silent_s) return COMM_JUDGE_NOTHING;
    unmark(j);
    for (int r = 0; r < j->o.size; r++) {
        struct judged *d = &j->ranks[r];
        d->marked = !d->ever && !d->left && !d->warned;
        found += d->marked;
    }
    if (found == 0) return COMM_JUDGE_NOTHING;
    words_marked(w, j);
    words_add(w,
              " sent no heartbeat that arrived within %.1f s: a stop there goes unnoticed; let UDP "
              "pass between the nodes, or name their common interface in RECUA_WATCH_IF",
              j->o.silent_s);
    for (int r = 0; r < j->o.size; r++) j->ranks[r].warned |= j->ranks[r].marked;
    return COMM_JUDGE_WARNING;
}

/* Those that stopped together are named together, though their last beats differ a little. */
static int mark_silent(struct comm_judge *j, double now)
{
    int found = 0, others = 0;

    unmark(j);
    for (int r = 0; r < j->o.size; r++) found += comm_judge_silent(j, r, j->o.silent_s, now);
    if (found == 0) return 0;
    for (int r = 0; r < j->o.size; r++) {
        j->ranks[r].marked = comm_judge_silent(j, r, j->o.silent_s / 2, now);
        others += r != j->o.rank && judged_present(j, r) && !j->ranks[r].marked;
    }
    return others == 0 ? -1 : found;
}

static comm_judgement silent(struct comm_judge *j, double now, struct words *w)
{
    const int found = mark_silent(j, now);
    double age = 0;
    int marked = 0, last = 0;

    if (found == 0) return COMM_JUDGE_NOTHING;
    for (int r = 0; r < j->o.size; r++) {
        if (!j->ranks[r].marked) continue;
        marked++;
        last = r;
        if (now - j->ranks[r].heard > age) age = now - j->ranks[r].heard;
    }
    words_marked(w, j);
    words_add(w, " %s not been heard for %.1f s: ", marked == 1 ? "has" : "have", age);
    if (found < 0 && marked > 1)
        words_add(w, "no other rank is heard by rank %d (%s), which seems to be cut off itself",
                  j->o.rank, j->o.ranks[j->o.rank].host);
    else
        words_add(w, "stopped, dead or cut off");
    if (marked == 1 && j->o.process_state != NULL) {
        char state[96] = "";
        j->o.process_state(j->o.context, last, state, sizeof state);
        if (state[0] != '\0') words_add(w, " (%s)", state);
    }
    words_missed_in(w, j);
    return COMM_JUDGE_VERDICT;
}

double comm_judge_stuck_s(const struct comm_judge *j)
{
    double longest_s = 0;

    for (int r = 0; r < j->o.size; r++) {
        const double one = 1e-3 * j->ranks[r].beat.longest_ms;
        if (one > longest_s) longest_s = one;
    }
    return longest_s * COMM_STUCK_TIMES > j->o.stuck_s ? longest_s * COMM_STUCK_TIMES
                                                       : j->o.stuck_s;
}

/* Marks those that compute while nothing moves; -1: something moves or nobody waits. */
static int mark_stuck(struct comm_judge *j, double limit, double now)
{
    int waiting = 0, computing = 0;

    unmark(j);
    for (int r = 0; r < j->o.size; r++) {
        struct judged *d = &j->ranks[r];
        if (d->left) continue;
        if (!d->ever || d->beat.in_phase || now - d->moved <= limit) return -1;
        waiting += d->beat.waiting;
        computing += !d->beat.waiting;
    }
    if (waiting == 0) return -1;
    for (int r = 0; r < j->o.size; r++)
        j->ranks[r].marked = !j->ranks[r].left && !j->ranks[r].beat.waiting;
    return computing;
}

static comm_judgement stuck(struct comm_judge *j, double now, struct words *w)
{
    const double limit = comm_judge_stuck_s(j);
    const int computing = mark_stuck(j, limit, now);
    int waiter = -1;

    if (computing < 0) return COMM_JUDGE_NOTHING;
    if (computing > 0) {
        words_marked(w, j);
        words_add(w,
                  " %s not moved for the limit of %.0f s (RECUA_WATCH_STUCK), computing all along",
                  computing == 1 ? "has" : "have", limit);
        words_missed_in(w, j);
        return COMM_JUDGE_VERDICT;
    }
    words_add(w, "all ranks wait and none has moved for the limit of %.0f s (RECUA_WATCH_STUCK)",
              limit);
    const uint64_t seq = judged_lowest_wait(j, &waiter);
    if (seq == 0) return COMM_JUDGE_VERDICT; /* at the flags of their nodes, all of them */
    words_add(w, "; ");
    (void)words_waiters(w, j, seq, -1);
    words_add(w, " in ");
    words_op(w, &j->ranks[waiter].beat);
    return COMM_JUDGE_VERDICT;
}

/* Computes, is not in a phase, and is heard: not going silent. */
static bool computes(const struct comm_judge *j, int rank, double now)
{
    const struct judged *d = &j->ranks[rank];

    return judged_present(j, rank) && !d->beat.waiting && !d->beat.in_phase &&
           now - d->heard <= j->o.silent_s / 3;
}

static double waits_s(const struct comm_judge *j, int rank, double now)
{
    const struct judged *d = &j->ranks[rank];

    return judged_present(j, rank) && d->beat.waiting ? now - d->moved : -1;
}

/* The longest wait in number seq of a rank that does not move in it. */
static double longest_wait(const struct comm_judge *j, uint64_t seq, double now)
{
    double most = -1;

    for (int r = 0; seq != 0 && r < j->o.size; r++) {
        const double one = j->ranks[r].beat.waited == seq ? waits_s(j, r, now) : -1;
        if (one > most) most = one;
    }
    return most;
}

/* Marks who computes and has not entered number seq, or, where all have, has not finished it. */
static void mark_behind_in(struct comm_judge *j, uint64_t seq, double now)
{
    bool all_entered = true;

    for (int r = 0; r < j->o.size; r++)
        all_entered &= !judged_present(j, r) || j->ranks[r].beat.entered >= seq;
    for (int r = 0; r < j->o.size; r++) {
        const struct comm_beat *b = &j->ranks[r].beat;
        j->ranks[r].marked =
            computes(j, r, now) && (all_entered ? b->done < seq : b->entered < seq);
    }
}

/* Marks who computes while another rank of its node waits at the flags; gives the longest wait. */
static double mark_behind_at_flags(struct comm_judge *j, double now)
{
    const int size = j->o.size;
    double longest = -1;

    for (int n = 0; n < size; n++) j->flags_wait_s[n] = -1;
    for (int r = 0; r < size; r++) {
        double *most = &j->flags_wait_s[j->o.ranks[r].node];
        const double one = j->ranks[r].beat.waited == 0 ? waits_s(j, r, now) : -1;
        if (one > *most) *most = one;
    }
    for (int r = 0; r < size; r++) {
        const double one = j->flags_wait_s[j->o.ranks[r].node];
        j->ranks[r].marked = one > j->o.straggler_s && computes(j, r, now);
        if (j->ranks[r].marked && one > longest) longest = one;
    }
    return longest;
}

/* Of the marked ones those that were not named within the last minute stay so. Where most ranks
 * are behind, a few are ahead instead: nobody is named. */
static int keep_nameable(struct comm_judge *j, double now)
{
    int present = 0, behind = 0, kept = 0;

    for (int r = 0; r < j->o.size; r++) {
        present += judged_present(j, r);
        behind += j->ranks[r].marked;
    }
    for (int r = 0; r < j->o.size; r++) {
        struct judged *d = &j->ranks[r];
        d->marked = d->marked && 2 * behind <= present &&
                    (!d->was_named || now - d->named >= COMM_STRAGGLER_EVERY_S);
        kept += d->marked;
    }
    return kept;
}

static comm_judgement straggler(struct comm_judge *j, double now, struct words *w)
{
    int waiter = -1, kept = 0;

    unmark(j);
    const uint64_t seq = judged_lowest_wait(j, &waiter);
    double age = longest_wait(j, seq, now);
    if (age > j->o.straggler_s) {
        mark_behind_in(j, seq, now);
        kept = keep_nameable(j, now);
    }
    if (kept == 0) {
        age = mark_behind_at_flags(j, now);
        kept = keep_nameable(j, now);
    }
    if (kept == 0) return COMM_JUDGE_NOTHING;
    for (int r = 0; r < j->o.size; r++) {
        if (!j->ranks[r].marked) continue;
        j->ranks[r].was_named = true;
        j->ranks[r].named = now;
    }
    words_marked(w, j);
    words_add(w, " %s %.1f s behind", kept == 1 ? "is" : "are", age);
    words_missed_in(w, j);
    return COMM_JUDGE_WARNING;
}

comm_judgement comm_judge_next(struct comm_judge *j, double now, char *text, size_t bytes)
{
    struct words w = {text, bytes, 0};
    comm_judgement found;

    text[0] = '\0';
    if ((found = silent(j, now, &w)) != COMM_JUDGE_NOTHING) return found;
    if ((found = stuck(j, now, &w)) != COMM_JUDGE_NOTHING) return found;
    if ((found = unheard(j, now, &w)) != COMM_JUDGE_NOTHING) return found;
    return straggler(j, now, &w);
}
