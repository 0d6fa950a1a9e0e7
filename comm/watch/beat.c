/* comm/watch/beat.c - the datagrams of the watchdog, written and read */
#include "comm/watch/beat.h"

#include <string.h>

enum { VERSION = 1, WAITING = 1, IN_PHASE = 2 };
static const uint32_t magic = 0x52435744u; /* RCWD */

static void put(unsigned char *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) at[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t take(const unsigned char *at, int bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < bytes; i++) value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static bool printable(char c) { return c >= 32 && c < 127; }

size_t comm_beat_encode(const struct comm_beat *b, unsigned char *bytes)
{
    size_t text = b->kind == COMM_BEAT_VERDICT ? b->text_bytes : 0;

    if (text > COMM_BEAT_TEXT) text = COMM_BEAT_TEXT;
    memset(bytes, 0, COMM_BEAT_HEAD);
    put(bytes, magic, 4);
    bytes[4] = VERSION;
    bytes[5] = (unsigned char)b->kind;
    bytes[6] = (unsigned char)((b->waiting ? WAITING : 0) | (b->in_phase ? IN_PHASE : 0));
    put(bytes + 8, b->job, 8);
    put(bytes + 16, (uint64_t)b->rank, 4);
    put(bytes + 20, text, 4);
    put(bytes + 24, b->count, 8);
    put(bytes + 32, b->entered, 8);
    put(bytes + 40, b->done, 8);
    put(bytes + 48, b->waited, 8);
    put(bytes + 56, b->progress, 8);
    put(bytes + 64, b->step, 8);
    put(bytes + 72, b->longest_ms, 4);
    put(bytes + 76, (uint32_t)b->unit, 4);
    for (size_t i = 0; i < COMM_BEAT_OP - 1 && b->op[i] != '\0'; i++)
        bytes[80 + i] = (unsigned char)(printable(b->op[i]) ? b->op[i] : '?');
    for (size_t i = 0; i < text; i++)
        bytes[COMM_BEAT_HEAD + i] = (unsigned char)(printable(b->text[i]) ? b->text[i] : '?');
    return COMM_BEAT_HEAD + text;
}

/* A name, then zeros to the end and at least one. */
static bool read_op(const unsigned char *bytes, char *op)
{
    size_t n = 0;

    while (n < COMM_BEAT_OP && bytes[n] != 0) {
        if (!printable((char)bytes[n])) return false;
        n++;
    }
    if (n == COMM_BEAT_OP) return false;
    for (size_t i = n; i < COMM_BEAT_OP; i++)
        if (bytes[i] != 0) return false;
    memcpy(op, bytes, COMM_BEAT_OP);
    return true;
}

static bool head_is_ours(const unsigned char *bytes, size_t n, uint64_t job, int size)
{
    if (n < COMM_BEAT_HEAD || n > COMM_BEAT_BYTES) return false;
    if (take(bytes, 4) != magic || bytes[4] != VERSION || bytes[7] != 0) return false;
    if (bytes[5] < COMM_BEAT_ALIVE || bytes[5] > COMM_BEAT_VERDICT) return false;
    if ((bytes[6] & ~(WAITING | IN_PHASE)) != 0) return false;
    if (take(bytes + 8, 8) != job || take(bytes + 16, 4) >= (uint64_t)size) return false;
    if (take(bytes + 20, 4) != n - COMM_BEAT_HEAD) return false;
    return (bytes[5] == COMM_BEAT_VERDICT) == (n > COMM_BEAT_HEAD);
}

bool comm_beat_decode(const unsigned char *bytes, size_t n, uint64_t job, int size,
                      struct comm_beat *out)
{
    struct comm_beat b = {.text = NULL};

    if (!head_is_ours(bytes, n, job, size) || !read_op(bytes + 80, b.op)) return false;
    const uint32_t unit = (uint32_t)take(bytes + 76, 4);
    if (unit > INT32_MAX && unit != UINT32_MAX) return false;
    for (size_t i = COMM_BEAT_HEAD; i < n; i++)
        if (!printable((char)bytes[i])) return false;
    b.kind = (comm_beat_kind)bytes[5];
    b.job = job;
    b.rank = (int)take(bytes + 16, 4);
    b.count = take(bytes + 24, 8);
    b.waiting = (bytes[6] & WAITING) != 0;
    b.in_phase = (bytes[6] & IN_PHASE) != 0;
    b.entered = take(bytes + 32, 8);
    b.done = take(bytes + 40, 8);
    b.waited = take(bytes + 48, 8);
    b.progress = take(bytes + 56, 8);
    b.step = take(bytes + 64, 8);
    b.longest_ms = (uint32_t)take(bytes + 72, 4);
    b.unit = unit == UINT32_MAX ? -1 : (int)unit;
    b.text = n > COMM_BEAT_HEAD ? (const char *)bytes + COMM_BEAT_HEAD : NULL;
    b.text_bytes = n - COMM_BEAT_HEAD;
    *out = b;
    return true;
}
