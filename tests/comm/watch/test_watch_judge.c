/* tests/comm/watch/test_watch_judge.c - comm/watch/judge.h: every rule, on a clock of our own */
#include "comm/watch/judge.h"

#include <stdlib.h>
#include <string.h>

#include "tests/check.h"

enum { SIZE = 6, TEXT = 1024 };

static const struct comm_judge_rank ranks[SIZE] = {{"n0", 0, false}, {"n0", 0, false},
                                                   {"n1", 1, false}, {"n1", 1, false},
                                                   {"n2", 2, false}, {"n2", 2, false}};
static uint64_t count;

static struct comm_judge *a_judge(void)
{
    const struct comm_judge_options o = {
        .rank = 0, .size = SIZE, .silent_s = 6, .stuck_s = 100, .straggler_s = 3, .ranks = ranks};
    struct comm_judge *j = NULL;

    CHECK_OK(comm_judge_create(&o, 0, &j));
    return j;
}

/* A rank computes after number `entered`, or waits for it. */
static struct comm_beat stands(int rank, uint64_t entered, bool waiting)
{
    struct comm_beat b = {.kind = COMM_BEAT_ALIVE, .rank = rank, .count = ++count};

    b.entered = entered;
    b.done = waiting ? entered - 1 : entered;
    b.waited = waiting ? entered : 0;
    b.waiting = waiting;
    b.progress = 2 * entered + waiting;
    b.unit = 5;
    b.step = 12;
    strcpy(b.op, "reduce");
    return b;
}

/* All ranks beat but those in `mute` (bits); those in `slow` compute after 9, the others wait for
 * 10. */
static void all_beat(struct comm_judge *j, unsigned mute, unsigned slow, double now)
{
    for (int r = 0; r < SIZE; r++) {
        if ((mute >> r & 1) != 0) continue;
        const struct comm_beat b = (slow >> r & 1) != 0 ? stands(r, 9, false) : stands(r, 10, true);
        comm_judge_hear(j, &b, now);
    }
}

static void nothing_is_said(struct comm_judge *j, double now)
{
    char text[TEXT];

    if (!CHECK(comm_judge_next(j, now, text, sizeof text) == COMM_JUDGE_NOTHING))
        printf("at %g: %s\n", now, text);
}

static void is_said(struct comm_judge *j, double now, comm_judgement as, const char *what)
{
    char text[TEXT];

    if (!CHECK(comm_judge_next(j, now, text, sizeof text) == as) || !CHECK(!strcmp(text, what)))
        printf("at %g: %s\n    not: %s\n", now, text, what);
}

static void silent_ranks_are_named_together(void)
{
    struct comm_judge *j = a_judge();

    all_beat(j, 0, 12, 0);
    all_beat(j, 4, 12, 0.3); /* rank 2 stops a little before rank 3 */
    for (double t = 1; t < 6; t += 1) {
        all_beat(j, 12, 0, t);
        nothing_is_said(j, t);
    }
    CHECK(comm_judge_silent(j, 2, 5, 5.5) && !comm_judge_silent(j, 1, 5, 5.5));
    is_said(j, 6.1, COMM_JUDGE_VERDICT,
            "ranks 2-3 (n1) have not been heard for 6.1 s: stopped, dead or cut off; they had not "
            "entered reduce of unit 5, step 12, in which ranks 0-1,4-5 wait");
    comm_judge_destroy(&j);
    comm_judge_destroy(&j);
}

static void the_place_of_the_missing_is_said(void)
{
    struct comm_judge *j = a_judge();
    struct comm_beat b = stands(4, 10, false);

    /* It has entered number 10 as all, computes, and is not through with it. */
    all_beat(j, 0, 0, 0);
    b.done = 9;
    comm_judge_hear(j, &b, 0);
    all_beat(j, 16, 0, 5);
    is_said(j, 6.5, COMM_JUDGE_VERDICT,
            "rank 4 (n2) has not been heard for 6.5 s: stopped, dead or cut off; it had not "
            "finished reduce of unit 5, step 12, in which ranks 0-3,5 wait");
    comm_judge_destroy(&j);

    /* Nobody waits. */
    j = a_judge();
    all_beat(j, 0, 63, 0);
    all_beat(j, 16, 63, 5);
    is_said(j, 6.5, COMM_JUDGE_VERDICT,
            "rank 4 (n2) has not been heard for 6.5 s: stopped, dead or cut off; the newest "
            "operation was reduce of unit 5, step 12");
    comm_judge_destroy(&j);
}

static void who_hears_nobody_suspects_himself(void)
{
    struct comm_judge *j = a_judge();
    char text[TEXT];

    all_beat(j, 0, 0, 0);
    all_beat(j, 62, 0, 6);
    CHECK(comm_judge_next(j, 6.5, text, sizeof text) == COMM_JUDGE_VERDICT);
    CHECK(strstr(text, "no other rank is heard by rank 0 (n0), which seems to be cut off itself"));
    comm_judge_destroy(&j);
}

static void a_monitor_that_slept_forgives(void)
{
    struct comm_judge *j = a_judge();

    all_beat(j, 0, 0, 0);
    comm_judge_forgive(j, 100);
    nothing_is_said(j, 105);
    all_beat(j, 8, 0, 105.5);
    is_said(j, 106.1, COMM_JUDGE_VERDICT,
            "rank 3 (n1) has not been heard for 6.1 s: stopped, dead or cut off; it had not "
            "finished reduce of unit 5, step 12, in which ranks 0-2,4-5 wait");
    comm_judge_destroy(&j);
}

static void old_beats_and_the_departed_change_nothing(void)
{
    struct comm_judge *j = a_judge();
    const struct comm_beat old = stands(3, 10, true);
    struct comm_beat leaving = stands(5, 10, false);

    all_beat(j, 0, 0, 0);
    leaving.kind = COMM_BEAT_LEAVING;
    leaving.count = ++count;
    comm_judge_hear(j, &leaving, 1);
    CHECK(comm_judge_left(j, 5) && !comm_judge_left(j, 3));
    all_beat(j, 8, 0, 5);
    comm_judge_hear(j, &old, 5.9); /* repeated by the network */
    is_said(j, 6.5, COMM_JUDGE_VERDICT,
            "rank 3 (n1) has not been heard for 6.5 s: stopped, dead or cut off; it had not "
            "finished reduce of unit 5, step 12, in which ranks 0-2,4 wait");
    comm_judge_destroy(&j);

    j = a_judge();
    all_beat(j, 0, 0, 0);
    comm_judge_hear(j, &leaving, 1); /* its count is too old by now: reordered */
    CHECK(!comm_judge_left(j, 5));
    comm_judge_destroy(&j);
}

static void an_unheard_rank_is_warned_of_once(void)
{
    struct comm_judge *j = a_judge();

    for (double t = 0; t < 6; t += 1) all_beat(j, 20, 0, t);
    nothing_is_said(j, 5.9);
    all_beat(j, 20, 0, 6);
    is_said(j, 6.1, COMM_JUDGE_WARNING,
            "ranks 2,4 (n1, n2) sent no heartbeat that arrived within 6.0 s: a stop there goes "
            "unnoticed; let UDP pass between the nodes, or name their common interface in "
            "RECUA_WATCH_IF");
    for (double t = 7; t < 1000; t += 1) {
        all_beat(j, 20, 0, t);
        nothing_is_said(j, t);
    }
    all_beat(j, 0, 0, 1000); /* from now on they are watched as all are */
    all_beat(j, 4, 0, 1006);
    CHECK(comm_judge_silent(j, 2, 6, 1006.5) && !comm_judge_silent(j, 4, 6, 1006.5));
    comm_judge_destroy(&j);
}

static void a_straggler_is_named_once_a_minute(void)
{
    struct comm_judge *j = a_judge();
    int named = 0;

    for (int t = 0; t < 90; t++) {
        char text[TEXT];
        all_beat(j, 0, 8, t);
        comm_judgement found = comm_judge_next(j, t, text, sizeof text);
        if (found == COMM_JUDGE_NOTHING) continue;
        CHECK(found == COMM_JUDGE_WARNING && t % 60 == 4);
        named++;
        const char *what = t == 4 ? "rank 3 (n1) is 4.0 s behind; it had not entered reduce of "
                                    "unit 5, step 12, in which ranks 0-2,4-5 wait"
                                  : "rank 3 (n1) is 64.0 s behind; it had not entered reduce of "
                                    "unit 5, step 12, in which ranks 0-2,4-5 wait";
        if (!CHECK(!strcmp(text, what))) printf("%s\n", text);
    }
    CHECK(named == 2);
    comm_judge_destroy(&j);
}

static void half_may_be_behind_and_share_a_line(void)
{
    struct comm_judge *j = a_judge();

    for (int t = 0; t < 5; t++) all_beat(j, 0, 62, t); /* rank 0 alone is ahead */
    nothing_is_said(j, 4);
    all_beat(j, 0, 56, 4.1); /* others arrive */
    is_said(j, 5, COMM_JUDGE_WARNING,
            "ranks 3-5 (n1, n2) are 5.0 s behind; they had not entered reduce of unit 5, step 12, "
            "in which ranks 0-2 wait");
    nothing_is_said(j, 5);
    comm_judge_destroy(&j);
}

/* What moves is no wait, whoever it is that has not come yet. */
static void rounds_that_go_on_make_no_straggler(void)
{
    struct comm_judge *j = a_judge();

    for (int t = 0; t < 90; t++) {
        for (int r = 0; r < SIZE; r++) {
            struct comm_beat b = stands(r, 10, r != 3);
            b.done = 9;
            b.progress += (uint64_t)t;
            comm_judge_hear(j, &b, t);
        }
        nothing_is_said(j, t);
    }
    comm_judge_destroy(&j);
}

static void a_node_waits_at_its_own_flags(void)
{
    struct comm_judge *j = a_judge();

    for (int t = 0; t < 6; t++) {
        for (int r = 0; r < SIZE; r++) {
            struct comm_beat b = stands(r, 10, false);
            b.waiting = r == 2; /* at the flags of n1; ranks of other nodes are not to blame */
            comm_judge_hear(j, &b, t);
        }
        if (t < 4) nothing_is_said(j, t);
        if (t == 4)
            is_said(j, t, COMM_JUDGE_WARNING,
                    "rank 3 (n1) is 4.0 s behind; rank 2 waits at the flags of the node, step 12");
        if (t > 4) nothing_is_said(j, t);
    }
    comm_judge_destroy(&j);
}

/* Beats every second to `end`; gives when the verdict came, or -1. */
static int verdict_at(unsigned slow, unsigned phase, uint32_t longest_ms, int end, char *text)
{
    struct comm_judge *j = a_judge();
    int at = -1;

    for (int t = 0; t <= end && at < 0; t++) {
        for (int r = 0; r < SIZE; r++) {
            struct comm_beat b = (slow >> r & 1) != 0 ? stands(r, 9, false) : stands(r, 10, true);
            b.in_phase = (phase >> r & 1) != 0;
            b.longest_ms = r == 2 ? longest_ms : 0;
            comm_judge_hear(j, &b, t);
        }
        for (comm_judgement found;
             (found = comm_judge_next(j, t, text, TEXT)) != COMM_JUDGE_NOTHING && at < 0;)
            if (found == COMM_JUDGE_VERDICT) at = t;
    }
    comm_judge_destroy(&j);
    return at;
}

static void what_never_moves_is_stuck(void)
{
    char text[TEXT];

    CHECK(verdict_at(2, 0, 0, 500, text) == 101);
    CHECK(!strcmp(text, "rank 1 (n0) has not moved for the limit of 100 s "
                        "(RECUA_WATCH_STUCK), computing all along; it had not entered reduce of "
                        "unit 5, step 12, in "
                        "which ranks 0,2-5 wait"));
    CHECK(verdict_at(0, 0, 0, 500, text) == 101);
    CHECK(!strcmp(text, "all ranks wait and none has moved for the limit of 100 s "
                        "(RECUA_WATCH_STUCK); ranks 0-5 in reduce of unit 5, step 12"));
    CHECK(verdict_at(63, 0, 0, 2000, text) == -1);    /* all compute: nobody waits */
    CHECK(verdict_at(2, 2, 0, 2000, text) == -1);     /* a phase has its own limit */
    CHECK(verdict_at(2, 0, 10000, 500, text) == 201); /* 20 times the longest so far */
    CHECK(strstr(text, "the limit of 200 s") != NULL);
}

static void stuck_needs_to_see_everybody(void)
{
    struct comm_judge *j = a_judge();
    char text[TEXT];

    for (int t = 0; t < 500; t++) {
        all_beat(j, 16, 2, t); /* rank 4 is never heard: it may well be working */
        while (comm_judge_next(j, t, text, sizeof text) == COMM_JUDGE_WARNING) continue;
        CHECK(text[0] == '\0');
    }
    comm_judge_destroy(&j);
}

static void long_lists_are_cut(void)
{
    enum { MANY = 2048 };
    static struct comm_judge_rank many[MANY];
    const struct comm_judge_options o = {
        .size = MANY, .silent_s = 6, .stuck_s = 100, .straggler_s = 3, .ranks = many};
    struct comm_judge *j = NULL;
    char text[TEXT];

    for (int r = 0; r < MANY; r++)
        many[r] = (struct comm_judge_rank){"a-host-with-quite-a-long-name", r / 8, false};
    if (!CHECK_OK(comm_judge_create(&o, 0, &j))) return;
    for (int t = 0; t < 6; t += 5) {
        for (int r = 0; r < MANY; r++) {
            const struct comm_beat b = stands(r, 10, true);
            if (t == 0 || r % 2 == 0) comm_judge_hear(j, &b, t);
        }
    }
    CHECK(comm_judge_next(j, 6.5, text, sizeof text) == COMM_JUDGE_VERDICT);
    CHECK(strstr(text, "ranks 1,3,5,7,9,11,13,15 and 1016 more (a-host-with") == text);
    CHECK(strstr(text, ", ...) have not been heard for 6.5 s") != NULL);
    CHECK(strstr(text, "in which ranks 0,2,4,6,8,10,12,14 and 1016 more wait") != NULL);
    comm_judge_destroy(&j);
}

int main(void)
{
    silent_ranks_are_named_together();
    the_place_of_the_missing_is_said();
    who_hears_nobody_suspects_himself();
    a_monitor_that_slept_forgives();
    old_beats_and_the_departed_change_nothing();
    an_unheard_rank_is_warned_of_once();
    a_straggler_is_named_once_a_minute();
    half_may_be_behind_and_share_a_line();
    rounds_that_go_on_make_no_straggler();
    a_node_waits_at_its_own_flags();
    what_never_moves_is_stuck();
    stuck_needs_to_see_everybody();
    long_lists_are_cut();
    return check_failures != 0;
}
