/* tests/comm/test_baseline.c - MPI's own collectives as the benchmark calls them: right sums by
 * each algorithm, and algorithms that are really forced */
#include <stdlib.h>
#include <string.h>

#include "comm/baseline_bf16.h"
#include "comm/baseline_mpi.h"
#include "comm/traffic.h"
#include "runtime/vector/vector.h"
#include "tests/check_mpi.h"

enum { SLICE = 37 };

/* Every kind of number, so every rounding, against the plain conversion. */
static void bf16_sums_round_once(struct comm *g)
{
    enum { N = 1 << 16 };
    uint16_t *x = malloc(N * sizeof *x), *y = malloc(N * sizeof *y);
    const int count = N - 1; /* a tail for every width */

    (void)g;
    for (int shift = 0; shift < 5 && x != NULL && y != NULL; shift++) {
        for (int i = 0; i < N; i++) x[i] = (uint16_t)i;
        for (int i = 0; i < N; i++)
            y[i] = (uint16_t)((unsigned)i * 40503u + (unsigned)shift * 911u);
        comm_baseline_add_bf16(y, x, (size_t)count);
        for (int i = 0; i < count; i++) {
            const uint16_t b = (uint16_t)((unsigned)i * 40503u + (unsigned)shift * 911u);
            const rt_bf16 sum = rt_bf16_from_f32(rt_bf16_to_f32((uint16_t)i) + rt_bf16_to_f32(b));
            /* Of two NaN either may come out. */
            const float want = rt_bf16_to_f32(sum), got = rt_bf16_to_f32(y[i]);
            CHECK(sum == y[i] || (want != want && got != got));
        }
        CHECK(y[N - 1] == (uint16_t)((N - 1u) * 40503u + (unsigned)shift * 911u));
    }
    free(x);
    free(y);
}

static float value(int rank, size_t i) { return (float)((rank * 5 + (int)i * 3) % 7) - 3; }

static void put(void *at, rt_dtype type, size_t i, float v)
{
    if (type == RT_F32)
        ((float *)at)[i] = v;
    else
        ((rt_bf16 *)at)[i] = rt_bf16_from_f32(v);
}

static float get(const void *at, rt_dtype type, size_t i)
{
    return type == RT_F32 ? ((const float *)at)[i] : rt_bf16_to_f32(((const rt_bf16 *)at)[i]);
}

struct buffers {
    float in[16 * SLICE], cast[16 * SLICE], sums[SLICE], out[16 * SLICE];
};

static void one_gathers(struct comm *g, struct comm_baseline *b, struct buffers *x, rt_dtype type)
{
    const size_t first = (size_t)comm_rank(g) * SLICE;
    double seconds = -1;

    for (int in_place = 0; in_place < 2; in_place++) {
        const struct comm_baseline_call call = {.in = in_place ? NULL : x->in,
                                                .in_type = RT_F32,
                                                .type = type,
                                                .out_type = type,
                                                .out = x->out,
                                                .slice = SLICE};
        memset(x->out, 0xff, sizeof x->out);
        for (size_t i = 0; i < SLICE; i++) x->in[i] = value(comm_rank(g), first + i);
        for (size_t i = 0; in_place && i < SLICE; i++) put(x->out, type, first + i, x->in[i]);
        CHECK_OK(comm_baseline_time(b, g, &call, &seconds));
        CHECK(seconds >= 0);
        for (size_t i = 0; i < (size_t)comm_size(g) * SLICE; i++)
            CHECK(get(x->out, type, i) == value((int)(i / SLICE), i));
    }
}

static float sum_of(const struct comm *g, size_t i)
{
    float sum = 0;

    for (int r = 0; r < comm_size(g); r++) sum += value(r, i);
    return sum;
}

static void one_sums(struct comm *g, struct comm_baseline *b, bool whole, struct buffers *x,
                     rt_dtype in, rt_dtype type)
{
    const size_t n = (size_t)comm_size(g) * SLICE;
    const size_t first = whole ? 0 : (size_t)comm_rank(g) * SLICE;
    const rt_dtype out = whole ? type : RT_F32;
    const struct comm_baseline_call call = {.in = x->in,
                                            .in_type = in,
                                            .type = type,
                                            .out_type = out,
                                            .cast = x->cast,
                                            .sums = x->sums,
                                            .out = x->out,
                                            .slice = SLICE};
    double seconds = -1;

    memset(x->out, 0xff, sizeof x->out);
    for (size_t i = 0; i < n; i++) put(x->in, in, i, value(comm_rank(g), i));
    CHECK_OK(comm_baseline_time(b, g, &call, &seconds));
    for (size_t i = 0; i < (whole ? n : SLICE); i++)
        CHECK(get(x->out, out, i) == sum_of(g, first + i));
}

static void each_algorithm_is_right(struct comm *g)
{
    struct buffers *x = malloc(sizeof *x);
    bool forceable = false;

    CHECK_OK(comm_baseline_forceable(g, &forceable));
    for (const struct comm_baseline_algorithm *a = comm_baseline_algorithms; a->name != NULL; a++) {
        struct comm_baseline *b = NULL;
        if ((a->id > 0 && !forceable) || !comm_baseline_applies(a, comm_size(g))) continue;
        if (!CHECK_OK(comm_baseline_create(g, a, &b))) continue;
        if (a->collective == COMM_MPI_ALLGATHER) {
            one_gathers(g, b, x, RT_F32);
            one_gathers(g, b, x, RT_BF16);
        } else {
            const bool whole = a->collective == COMM_MPI_ALLREDUCE;
            one_sums(g, b, whole, x, RT_F32, RT_F32);
            one_sums(g, b, whole, x, RT_BF16, RT_BF16);
            one_sums(g, b, whole, x, RT_BF16, RT_F32);
        }
        comm_baseline_destroy(&b);
    }
    free(x);
}

/* The algorithm for two ranks refuses three: so a forced one does run, and no other. */
static void a_forced_algorithm_runs(struct comm *g)
{
    const struct comm_baseline_algorithm two_proc = {COMM_MPI_ALLGATHER, 6, "mpi:two-proc"};
    struct comm_baseline *b = NULL;
    float in[SLICE] = {0}, *out = calloc(16 * SLICE, sizeof *out);
    const struct comm_baseline_call call = {.in = in, .out = out, .slice = SLICE};
    bool forceable = false;
    double seconds;

    CHECK_OK(comm_baseline_forceable(g, &forceable));
    if (forceable && comm_size(g) > 2) {
        CHECK_OK(comm_baseline_create(g, &two_proc, &b));
        if (b != NULL) CHECK(comm_baseline_time(b, g, &call, &seconds) == RT_ECOMM);
        comm_baseline_destroy(&b);
        CHECK_OK(comm_baseline_create(g, &comm_baseline_algorithms[0], &b));
        if (b != NULL) CHECK_OK(comm_baseline_time(b, g, &call, &seconds)); /* free again */
        comm_baseline_destroy(&b);
    }
    free(out);
}

static void too_many_elements_are_refused(struct comm *g)
{
    struct comm_baseline *b = NULL;
    const struct comm_baseline_call call = {.slice = (size_t)1 << 31};
    double seconds;

    if (!CHECK_OK(comm_baseline_create(g, &comm_baseline_algorithms[0], &b))) return;
    CHECK(comm_baseline_time(b, g, &call, &seconds) == RT_EINVAL);
    comm_baseline_destroy(&b);
}

/* A ring of messages, an idle rank, and messages to and fro. */
static void messages_arrive(struct comm *g)
{
    const int P = comm_size(g), rank = comm_rank(g);
    const int to = (rank + 1) % P, from = (rank + P - 1) % P;
    int out = 100 + rank, in = -1;
    const struct comm_message messages[] = {{.peer = to, .send = true, .at = &out, .bytes = 4},
                                            {.peer = from, .at = &in, .bytes = 4}};
    double seconds = -1;

    CHECK_OK(comm_traffic_barrier(g));
    CHECK_OK(comm_traffic_time(g, g, messages, 2, &seconds));
    CHECK(in == 100 + from && seconds >= 0);
    CHECK_OK(comm_traffic_time(g, g, NULL, 0, &seconds));
    const int peer = (rank ^ 1) < P ? rank ^ 1 : -1;
    CHECK_OK(comm_traffic_pingpong(g, peer, rank % 2 == 0, &in, 4, 3, &seconds));
    CHECK(peer < 0 ? seconds == 0 : seconds > 0);
    if (P > 1) CHECK_OK(comm_traffic_overhead(g, 0, P - 1, 10, &seconds));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"bf16 sums round once", bf16_sums_round_once},
        {"each algorithm is right", each_algorithm_is_right},
        {"a forced algorithm runs", a_forced_algorithm_runs},
        {"too many elements are refused", too_many_elements_are_refused},
        {"messages arrive", messages_arrive},
        {NULL, NULL},
    };
    comm_baseline_prepare();
    return check_mpi_main(argc, argv, cases);
}
