/* comm/traffic.c - see traffic.h */
#include "comm/traffic.h"

#include <stdlib.h>

#include "comm/group.h"
#include "runtime/trace.h"

enum { TAG_BARRIER = 101, TAG_MESSAGE, TAG_BALL, TAG_FLOOD };

/* In round k to the rank 2^k further on, from the one 2^k before: log2(size) rounds. */
rt_status comm_traffic_meet(const struct comm *c)
{
    char out = 0, in = 0;

    for (int step = 1; step < c->size; step *= 2) {
        const int to = (c->rank + step) % c->size, from = (c->rank + c->size - step) % c->size;
        RT_TRY(comm_mpi(MPI_Sendrecv(&out, 1, MPI_CHAR, to, TAG_BARRIER, &in, 1, MPI_CHAR, from,
                                     TAG_BARRIER, c->mpi, MPI_STATUS_IGNORE),
                        "MPI_Sendrecv"));
    }
    return RT_OK;
}

static rt_status meet(void *arg)
{
    const struct comm *const *c = arg;
    return comm_traffic_meet(*c);
}

rt_status comm_traffic_barrier(const struct comm *c) { return comm_run_on(c, meet, &c); }

struct timed {
    const struct comm *all, *c;
    const struct comm_message *messages;
    int count;
    MPI_Request *requests; /* (enough for all pieces) */
    double *seconds;
};

static int cut(size_t bytes) { return (int)(bytes < COMM_CUT_BYTES ? bytes : COMM_CUT_BYTES); }

static rt_status post(const struct timed *t, bool sends, int *posted)
{
    for (int i = 0; i < t->count; i++) {
        const struct comm_message *m = &t->messages[i];
        char *at = m->at;
        if (m->send != sends) continue;
        for (size_t done = 0; done < m->bytes; done += COMM_CUT_BYTES) {
            MPI_Request *r = &t->requests[(*posted)++];
            const int n = cut(m->bytes - done);
            RT_TRY(comm_mpi(
                m->send ? MPI_Isend(at + done, n, MPI_BYTE, m->peer, TAG_MESSAGE, t->c->mpi, r)
                        : MPI_Irecv(at + done, n, MPI_BYTE, m->peer, TAG_MESSAGE, t->c->mpi, r),
                m->send ? "MPI_Isend" : "MPI_Irecv"));
        }
    }
    return RT_OK;
}

static rt_status run_timed(void *arg)
{
    struct timed *t = arg;
    int posted = 0;

    RT_TRY(comm_traffic_meet(t->all));
    const double start = rt_now_s();
    RT_TRY(post(t, false, &posted));
    RT_TRY(post(t, true, &posted));
    RT_TRY(comm_mpi(MPI_Waitall(posted, t->requests, MPI_STATUSES_IGNORE), "MPI_Waitall"));
    *t->seconds = rt_now_s() - start;
    return RT_OK;
}

rt_status comm_traffic_time(const struct comm *all, const struct comm *c,
                            const struct comm_message *messages, int count, double *seconds)
{
    struct timed t = {.all = all, .c = c, .messages = messages, .count = count, .seconds = seconds};
    size_t pieces = 1;

    for (int i = 0; i < count; i++) pieces += messages[i].bytes / COMM_CUT_BYTES + 1;
    t.requests = malloc(pieces * sizeof(MPI_Request));
    /* A rank that left here alone would leave the others waiting. */
    rt_status st = comm_agree(all, t.requests == NULL ? RT_ENOMEM : RT_OK);
    if (st == RT_OK) st = comm_run_on(c, run_timed, &t);
    free(t.requests);
    return st;
}

struct ball {
    const struct comm *c;
    int peer, times;
    bool first;
    void *at;
    size_t bytes;
    double seconds;
};

static rt_status throw_ball(const struct ball *p)
{
    return comm_mpi(MPI_Send(p->at, cut(p->bytes), MPI_BYTE, p->peer, TAG_BALL, p->c->mpi),
                    "MPI_Send");
}

static rt_status catch_ball(const struct ball *p)
{
    return comm_mpi(
        MPI_Recv(p->at, cut(p->bytes), MPI_BYTE, p->peer, TAG_BALL, p->c->mpi, MPI_STATUS_IGNORE),
        "MPI_Recv");
}

static rt_status pingpong(void *arg)
{
    struct ball *p = arg;

    RT_TRY(comm_traffic_meet(p->c));
    const double start = rt_now_s();
    for (int i = 0; i < p->times && p->peer >= 0; i++) {
        RT_TRY(p->first ? throw_ball(p) : catch_ball(p));
        RT_TRY(p->first ? catch_ball(p) : throw_ball(p));
    }
    if (p->peer >= 0) p->seconds = (rt_now_s() - start) / (2.0 * p->times);
    return RT_OK;
}

rt_status comm_traffic_pingpong(const struct comm *c, int peer, bool first, void *at, size_t bytes,
                                int times, double *seconds)
{
    struct ball p = {
        .c = c, .peer = peer, .times = times, .first = first, .at = at, .bytes = bytes};

    RT_TRY(comm_run_on(c, pingpong, &p));
    *seconds = p.seconds;
    return RT_OK;
}

/* Many small messages one way. */
struct stream {
    const struct comm *c;
    int a, b, times;
    double seconds;
};

/* Everybody meets behind it, so that none is still under way afterwards. */
static rt_status flood(void *arg)
{
    struct stream *p = arg;
    char byte = 0;

    RT_TRY(comm_traffic_meet(p->c));
    const double start = rt_now_s();
    for (int i = 0; i < p->times; i++) {
        if (p->c->rank == p->a)
            RT_TRY(comm_mpi(MPI_Send(&byte, 1, MPI_CHAR, p->b, TAG_FLOOD, p->c->mpi), "MPI_Send"));
        if (p->c->rank == p->b)
            RT_TRY(comm_mpi(
                MPI_Recv(&byte, 1, MPI_CHAR, p->a, TAG_FLOOD, p->c->mpi, MPI_STATUS_IGNORE),
                "MPI_Recv"));
    }
    p->seconds = (rt_now_s() - start) / p->times;
    RT_TRY(comm_traffic_meet(p->c));
    return comm_mpi(MPI_Bcast(&p->seconds, 1, MPI_DOUBLE, p->a, p->c->mpi), "MPI_Bcast");
}

rt_status comm_traffic_overhead(const struct comm *c, int a, int b, int times, double *seconds)
{
    struct stream p = {.c = c, .a = a, .b = b, .times = times};

    RT_TRY(comm_run_on(c, flood, &p));
    *seconds = p.seconds;
    return RT_OK;
}
