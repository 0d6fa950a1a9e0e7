/* tests/comm/watch/test_records.c - comm/watch/records.h: numbers, standing, dump, two threads */
#include "comm/watch/records.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/check.h"

enum { PASSES = 100000 };

static const struct comm_what gather = {.op = "gather", .unit = 7, .step = 3, .bytes = 4096};
static const struct comm_what barrier = {.op = "barrier", .unit = -1};

static void numbers_count_from_one_and_the_ring_forgets(void)
{
    struct comm_records *r = NULL;
    struct comm_record d;

    if (!CHECK_OK(comm_records_create(&r))) return;
    CHECK(!comm_records_find(r, 0, &d) && !comm_records_find(r, 1, &d));
    for (uint64_t i = 1; i <= 2 * COMM_RECORDS; i++) CHECK(comm_records_enter(r, &gather) == i);
    CHECK(!comm_records_find(r, COMM_RECORDS, &d));
    CHECK(comm_records_find(r, COMM_RECORDS + 1, &d) && d.seq == COMM_RECORDS + 1);
    CHECK(strcmp(d.what.op, "gather") == 0 && d.what.unit == 7 && d.what.step == 3);
    CHECK(d.what.bytes == 4096 && !d.left && d.round == 0 && d.rounds == 0);
    comm_records_leave(r, 1); /* forgotten: changes nothing */
    comm_records_round(r, 2, 1, 1);
    CHECK(comm_records_find(r, COMM_RECORDS + 1, &d) && !d.left && d.rounds == 0);
    comm_records_destroy(&r);
    CHECK(r == NULL);
    comm_records_destroy(&r);
}

static void standing_follows_the_calls(void)
{
    struct comm_records *r = NULL;
    struct comm_standing s;
    struct comm_record d;

    if (!CHECK_OK(comm_records_create(&r))) return;
    comm_records_standing(r, &s);
    CHECK(s.entered == 0 && s.done == 0 && !s.waiting && s.progress == 0 && s.what.op == NULL);
    comm_records_step(r, 3);
    (void)comm_records_enter(r, &gather);
    (void)comm_records_enter(r, &barrier);
    (void)comm_records_enter(r, &gather);
    comm_records_leave(r, 2); /* out of order */
    comm_records_round(r, 1, 2, 6);
    comm_records_standing(r, &s);
    CHECK(s.entered == 3 && s.done == 0 && s.step == 3 && s.longest_s >= 0);
    CHECK(comm_records_find(r, 1, &d) && d.round == 2 && d.rounds == 6);
    CHECK(comm_records_find(r, 2, &d) && d.left);
    const uint64_t before = s.progress;
    comm_records_leave(r, 1);
    comm_records_wait(r, 3, true);
    comm_records_standing(r, &s);
    CHECK(s.done == 2 && s.waiting && s.waited == 3 && s.progress > before);
    CHECK(strcmp(s.what.op, "gather") == 0);
    comm_records_wait(r, 3, false);
    comm_records_wait(r, 0, true);
    comm_records_standing(r, &s);
    CHECK(s.waiting && s.waited == 0);
    comm_records_destroy(&r);
}

static size_t dump(const struct comm_records *r, int most, char *text, size_t bytes)
{
    FILE *f = tmpfile();

    if (!CHECK(f != NULL)) return 0;
    comm_records_dump(r, fileno(f), "> ", most);
    rewind(f);
    const size_t n = fread(text, 1, bytes - 1, f);
    text[n] = '\0';
    (void)fclose(f);
    size_t lines = 0;
    for (size_t i = 0; i < n; i++) lines += text[i] == '\n';
    return lines;
}

static void dump_shows_the_newest_last(void)
{
    struct comm_records *r = NULL;
    char text[1 << 16];

    if (!CHECK_OK(comm_records_create(&r))) return;
    CHECK(dump(r, 16, text, sizeof text) == 0);
    for (int i = 0; i < 300; i++) (void)comm_records_enter(r, &barrier);
    (void)comm_records_enter(r, &gather);
    comm_records_round(r, 301, 2, 6);
    comm_records_leave(r, 300);
    CHECK(dump(r, 3, text, sizeof text) == 3);
    CHECK(strstr(text, ">      299 barrier      unit -    step -") == text);
    CHECK(strstr(text, "300 barrier      unit -    step -                   0 bytes  done, took"));
    const char *last = strstr(text, "301 gather");
    CHECK(last != NULL && strstr(last, "unit 7    step 3") != NULL);
    CHECK(last != NULL && strstr(last, "4096 bytes  round 2/6, for ") != NULL);
    CHECK(dump(r, 100000, text, sizeof text) == COMM_RECORDS);
    comm_records_destroy(&r);
}

static void without_records_nothing_happens(void)
{
    struct comm_standing s;
    struct comm_record d;

    CHECK(comm_records_enter(NULL, &gather) == 0);
    comm_records_round(NULL, 1, 1, 1);
    comm_records_leave(NULL, 1);
    comm_records_wait(NULL, 1, true);
    comm_records_step(NULL, 1);
    comm_records_standing(NULL, &s);
    CHECK(s.entered == 0 && !s.waiting);
    CHECK(!comm_records_find(NULL, 1, &d));
    comm_records_dump(NULL, STDERR_FILENO, "", 16);
}

struct shared {
    struct comm_records *records;
    _Atomic bool stop;
};

/* What is read belongs together: unit, step and bytes were made from the number. */
static bool is_torn(const struct comm_records *r, uint64_t seq)
{
    struct comm_record d;

    if (!comm_records_find(r, seq, &d)) return false;
    return d.what.unit != (int)(seq % 1000) || d.what.step != seq || d.what.bytes != 3 * seq ||
           d.seq != seq;
}

static void *read_all(void *context)
{
    struct shared *shared = context;
    struct comm_standing s;
    size_t torn = 0;

    while (!atomic_load(&shared->stop)) {
        comm_records_standing(shared->records, &s);
        /* From those that are overwritten just now to the newest. */
        for (uint64_t k = 0; k < COMM_RECORDS; k++)
            torn += is_torn(shared->records, s.entered + 1 + k - COMM_RECORDS);
        torn += s.done > s.entered;
    }
    return (void *)torn;
}

static void a_reader_sees_whole_records(void)
{
    struct shared shared = {.records = NULL};
    pthread_t reader;
    void *torn = NULL;

    if (!CHECK_OK(comm_records_create(&shared.records))) return;
    if (CHECK(pthread_create(&reader, NULL, read_all, &shared) == 0)) {
        for (uint64_t i = 1; i <= PASSES; i++) {
            const struct comm_what what = {"reduce", (int)(i % 1000), i, 3 * i};
            const uint64_t seq = comm_records_enter(shared.records, &what);
            comm_records_wait(shared.records, seq, true);
            comm_records_round(shared.records, seq, 1, 2);
            comm_records_leave(shared.records, seq);
            comm_records_wait(shared.records, seq, false);
        }
        atomic_store(&shared.stop, true);
        (void)pthread_join(reader, &torn);
        CHECK(torn == NULL);
    }
    comm_records_destroy(&shared.records);
}

int main(void)
{
    numbers_count_from_one_and_the_ring_forgets();
    standing_follows_the_calls();
    dump_shows_the_newest_last();
    without_records_nothing_happens();
    a_reader_sees_whole_records();
    return check_failures != 0;
}
