/* tests/comm/watch/test_watch_beat.c - comm/watch/beat.h: what is sent is read, all else refused */
#include "comm/watch/beat.h"

#include <stdlib.h>
#include <string.h>

#include "tests/check.h"

enum { SIZE = 16, MUTATIONS = 200000 };
static const uint64_t job = 0x1122334455667788u;

static struct comm_beat a_beat(comm_beat_kind kind)
{
    struct comm_beat b = {.kind = kind, .job = job, .rank = 15, .count = 1ull << 60};

    b.waiting = true;
    b.in_phase = kind == COMM_BEAT_LEAVING;
    b.entered = 1000000000001;
    b.done = 1000000000000;
    b.waited = 1000000000001;
    b.progress = 77;
    b.step = 1ull << 40;
    b.longest_ms = 4000000000u;
    b.unit = kind == COMM_BEAT_ALIVE ? 33 : -1;
    strcpy(b.op, "reduce");
    if (kind == COMM_BEAT_VERDICT) {
        b.text = "rank 3 (n2) has not been heard for 6.0 s";
        b.text_bytes = strlen(b.text);
    }
    return b;
}

static void what_is_sent_is_read(void)
{
    unsigned char bytes[COMM_BEAT_BYTES];
    struct comm_beat got;

    for (comm_beat_kind kind = COMM_BEAT_ALIVE; kind <= COMM_BEAT_VERDICT; kind++) {
        const struct comm_beat b = a_beat(kind);
        const size_t n = comm_beat_encode(&b, bytes);
        CHECK(n == COMM_BEAT_HEAD + b.text_bytes);
        if (!CHECK(comm_beat_decode(bytes, n, job, SIZE, &got))) continue;
        CHECK(got.kind == kind && got.rank == 15 && got.count == b.count && got.waiting);
        CHECK(got.in_phase == b.in_phase && got.entered == b.entered && got.done == b.done);
        CHECK(got.waited == b.waited && got.progress == 77 && got.step == b.step);
        CHECK(got.longest_ms == b.longest_ms && got.unit == b.unit);
        CHECK(strcmp(got.op, "reduce") == 0 && got.text_bytes == b.text_bytes);
        CHECK(b.text == NULL || memcmp(got.text, b.text, b.text_bytes) == 0);
    }
}

static void long_and_unprintable_texts_are_made_fit(void)
{
    unsigned char bytes[COMM_BEAT_BYTES];
    char text[COMM_BEAT_TEXT + 100];
    struct comm_beat b = a_beat(COMM_BEAT_VERDICT), got;

    memset(text, 'x', sizeof text);
    text[0] = '\n';
    memcpy(b.op,
           "123456789\x01"
           "12345",
           COMM_BEAT_OP);
    b.text = text;
    b.text_bytes = sizeof text;
    const size_t n = comm_beat_encode(&b, bytes);
    CHECK(n == COMM_BEAT_BYTES && comm_beat_decode(bytes, n, job, SIZE, &got));
    CHECK(got.text[0] == '?' && got.text[1] == 'x' && got.text_bytes == COMM_BEAT_TEXT);
    CHECK(strcmp(got.op, "123456789?12345") == 0);
}

static void refused(const unsigned char *bytes, size_t n, uint64_t of_job, int size)
{
    struct comm_beat got = {.rank = -7};

    CHECK(!comm_beat_decode(bytes, n, of_job, size, &got) && got.rank == -7);
}

static void what_is_not_ours_is_refused(void)
{
    static const struct {
        int at, value;
    } wrong[] = {{0, 0},  {3, 0},  {4, 2},    {5, 0},     {5, 5},  {6, 4},   {7, 1},
                 {19, 1}, {20, 1}, {79, 200}, {80, 0x1b}, {95, 1}, {90, 'x'}};
    unsigned char bytes[COMM_BEAT_BYTES + 1] = {0};
    const struct comm_beat b = a_beat(COMM_BEAT_ALIVE), v = a_beat(COMM_BEAT_VERDICT);
    size_t n = comm_beat_encode(&b, bytes);

    refused(bytes, n, job + 1, SIZE);
    refused(bytes, n, job, 15);
    for (size_t k = 0; k <= COMM_BEAT_BYTES + 1; k++)
        if (k != n) refused(bytes, k, job, SIZE);
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        (void)comm_beat_encode(&b, bytes);
        bytes[wrong[k].at] = (unsigned char)wrong[k].value;
        refused(bytes, n, job, SIZE);
    }
    n = comm_beat_encode(&v, bytes);
    refused(bytes, n - 1, job, SIZE);
    bytes[n - 1] = '\n';
    refused(bytes, n, job, SIZE);
}

/* Whatever passes is safe to use: the rank is one of the job's, texts are printable. */
static void mutations_are_refused_or_harmless(void)
{
    unsigned char bytes[COMM_BEAT_BYTES + 1];
    struct comm_beat got;
    int passed = 0;

    srand(7);
    for (int i = 0; i < MUTATIONS; i++) {
        const struct comm_beat b = a_beat((comm_beat_kind)(1 + i % 4));
        size_t n = comm_beat_encode(&b, bytes);
        for (int k = rand() % 4; k >= 0; k--)
            bytes[(size_t)rand() % n] ^= (unsigned char)(1 << rand() % 8);
        if (i % 7 == 0) n = (size_t)rand() % sizeof bytes;
        if (!comm_beat_decode(bytes, n, job, SIZE, &got)) continue;
        passed++;
        bool printable = memchr(got.op, 0, COMM_BEAT_OP) != NULL;
        for (size_t k = 0; k < got.text_bytes; k++)
            printable &= got.text[k] >= ' ' && got.text[k] <= '~';
        CHECK(printable && got.rank >= 0 && got.rank < SIZE && got.unit >= -1);
        CHECK(got.text_bytes <= COMM_BEAT_TEXT);
    }
    CHECK(passed > 0 && passed < MUTATIONS);
}

int main(void)
{
    what_is_sent_is_read();
    long_and_unprintable_texts_are_made_fit();
    what_is_not_ours_is_refused();
    mutations_are_refused_or_harmless();
    return check_failures != 0;
}
