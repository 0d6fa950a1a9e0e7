/* bench/comm/links.c - plain messages: ring, bisection, incast, and all pairs in a tournament
 *
 * Bytes    ring, pairs, bisection: what one rank sends at once (nccl-tests' sendrecv); incast: what
 *          the one receives from all
 * Pairs    circle method: P - 1 rounds (P if odd) of disjoint pairs, both ways at once; every pair
 *          meets once. The row is the mean round; the times of all pairs are kept
 */
#include <stdlib.h>
#include <string.h>

#include "bench/comm/expect.h"
#include "bench/comm/links.h"
#include "bench/comm/run.h"
#include "comm/traffic.h"
#include "runtime/log.h"

int bench_pair_rounds(int ranks) { return ranks % 2 == 0 ? ranks - 1 : ranks; }

int bench_pair_partner(int ranks, int rank, int round)
{
    const int m = bench_pair_rounds(ranks); /* players 0..m-1 go round, m stays (or is the bye) */
    int other;

    if (rank == m)
        other = round % 2 == 0 ? round / 2 : (round + m) / 2;
    else
        other = (round - rank % m + m) % m;
    if (other == rank) other = m;
    return other < ranks ? other : -1;
}

static int senders(const struct bench_run *r)
{
    const int most = r->layout.size - 1;
    return r->o->incast > 0 && r->o->incast < most ? r->o->incast : most;
}

/* Whom this rank sends to in the pattern of c; -1: nobody. Pairs: in one round. */
static int target(const struct bench_run *r, bench_op op, int rank, int round)
{
    const int P = r->layout.size, half = P / 2;

    switch (op) {
    case BENCH_RING: return (rank + 1) % P;
    case BENCH_BISECTION: return rank < half ? rank + half : rank < 2 * half ? rank - half : -1;
    case BENCH_INCAST: return rank >= 1 && rank <= senders(r) ? 0 : -1;
    default: return bench_pair_partner(P, rank, round);
    }
}

static size_t message_bytes(const struct bench_run *r, const struct bench_cell *c)
{
    return c->op == BENCH_INCAST ? c->bytes / (size_t)senders(r) : c->bytes;
}

/* All messages of this rank in one round; `messages` has room for (group + 1). */
static int pattern(struct bench_run *r, const struct bench_cell *c, int round,
                   struct comm_message *messages)
{
    const size_t bytes = message_bytes(r, c);
    const int to = target(r, c->op, r->layout.rank, round);
    char *in = r->memory.in;
    int count = 0;

    for (int from = 0; from < r->layout.size; from++) {
        if (from == r->layout.rank || target(r, c->op, from, round) != r->layout.rank) continue;
        messages[count++] = (struct comm_message){.peer = from, .at = in, .bytes = bytes};
        in += bytes;
    }
    if (to >= 0)
        messages[count++] =
            (struct comm_message){.peer = to, .send = true, .at = r->memory.out, .bytes = bytes};
    return count;
}

static int rounds_of(const struct bench_run *r, const struct bench_cell *c)
{
    return c->op == BENCH_PAIRS ? bench_pair_rounds(r->layout.size) : 1;
}

static unsigned char byte_of(int rank, size_t j)
{
    return (unsigned char)(j * 31 + (j >> 8) + (size_t)rank * 101 + 7);
}

static uint64_t wrong_bytes(const struct comm_message *m)
{
    const unsigned char *at = m->at;
    uint64_t wrong = 0;

    for (size_t j = 0; j < m->bytes; j++) wrong += at[j] != byte_of(m->peer, j);
    return wrong;
}

/* One repetition; wrong NULL: only timed. */
static rt_status go(struct bench_run *r, struct bench_cell *c, double *seconds, uint64_t *wrong)
{
    struct comm_message *m = calloc((size_t)r->layout.size + 1, sizeof *m);
    const int rounds = rounds_of(r, c), repetition = c->side[0].count;
    double sum = 0;
    rt_status st = m == NULL ? RT_FAIL(RT_ENOMEM, "no memory for a list of messages") : RT_OK;

    RT_TRY_OUT(comm_agree(r->world, st));
    for (int round = 0; round < rounds; round++) {
        const int count = pattern(r, c, round, m), other = count > 0 ? m[0].peer : -1;
        double s = 0;
        if (wrong != NULL) bench_poison(r->memory.in, r->memory.message_bytes);
        RT_TRY_OUT(comm_traffic_time(r->world, r->group, m, count, &s));
        sum += s;
        if (c->pair_s != NULL && other >= 0 && wrong == NULL)
            c->pair_s[(size_t)repetition * (size_t)r->layout.size + (size_t)other] = s;
        if (wrong == NULL) continue;
        if (r->flip_rank >= 0) r->memory.in[0] ^= 1;
        for (int i = 0; i < count; i++)
            if (!m[i].send) *wrong += wrong_bytes(&m[i]);
    }
    *seconds = sum / rounds;
out:
    free(m);
    return st;
}

static rt_status once(struct bench_run *r, struct bench_cell *c, int side, double *seconds)
{
    (void)side;
    return go(r, c, seconds, NULL);
}

static rt_status check(struct bench_run *r, struct bench_cell *c, int side, uint64_t *wrong)
{
    double seconds;

    (void)side;
    for (size_t j = 0; j < r->memory.message_bytes; j++)
        r->memory.out[j] = (char)byte_of(r->layout.rank, j);
    return go(r, c, &seconds, wrong);
}

static const struct bench_kind kind = {.once = once, .check = check};

/* The least time on the links: of pairs, the mean of the rounds'. */
static double expected_s(const struct bench_run *r, const struct bench_cell *c, int *to)
{
    double sum = 0;

    for (int round = 0; round < rounds_of(r, c); round++) {
        for (int rank = 0; rank < r->layout.size; rank++) to[rank] = target(r, c->op, rank, round);
        sum += bench_flow_seconds(r, to, message_bytes(r, c));
    }
    return sum / rounds_of(r, c);
}

static rt_status add_one(struct bench_run *r, bench_op op, const struct bench_size *size)
{
    struct bench_cell *c = NULL;
    struct bench_cell like = {.kind = &kind,
                              .op = op,
                              .algorithm = "message",
                              .label = size->label,
                              .ours = true,
                              .bytes = size->bytes,
                              .type = r->o->type,
                              .wire = r->o->type,
                              .factor = 1,
                              .sides = 1};
    int *to = calloc((size_t)r->layout.size, sizeof *to);
    rt_status st = to == NULL ? RT_FAIL(RT_ENOMEM, "no memory for a list of ranks") : RT_OK;

    if (op == BENCH_INCAST) {
        const size_t k = (size_t)senders(r);
        like.bytes = size->bytes < k ? k : size->bytes / k * k;
    }
    if (st == RT_OK) like.expected_s = expected_s(r, &like, to);
    if (st == RT_OK) st = bench_cell_add(r, &like, &c);
    free(to);
    return comm_agree(r->world, st);
}

rt_status bench_links_add(struct bench_run *r)
{
    for (int op = BENCH_RING; op <= BENCH_INCAST; op++) {
        if (!r->o->op[op]) continue;
        if (r->layout.size < 2) {
            rt_log_once(RT_LOG_WARN, "%s wants two ranks or more: left out",
                        bench_op_name((bench_op)op));
            continue;
        }
        for (size_t i = 0; i < r->o->sizes_count; i++)
            RT_TRY(add_one(r, (bench_op)op, &r->o->sizes[i]));
    }
    return RT_OK;
}
