/* bench/comm/bound.c - how fast a node's memory lets an operation be: the bytes that it must move,
 * copied and read by all ranks at once, from and to the same buffers, and nothing else
 *
 * Bytes    of each rank; n elements a slice, e bytes an element, P ranks
 *            all-gather      reads 4 n (the fp32 slice), writes e n (its place in the unit)
 *            reduce-scatter  reads e n P (slice r of every gradient buffer), writes 4 n
 *            all-reduce      the same; what is written is the slice of the unit
 * Bound    as many bytes as are both read and written are copied (memcpy); what is read beyond
 *          that is added up in registers, what is written beyond is set. The time of this is the
 *          bound, until all ranks are done, as an operation is: where there are more ranks than
 *          cores they take turns in both. It stands among the other rows, measured as they are
 */
#include <string.h>

#include "bench/comm/run.h"
#include "comm/traffic.h"
#include "runtime/trace.h"

static uint64_t read_all(const char *at, size_t bytes)
{
    uint64_t sum = 0, word;

    for (size_t i = 0; i + sizeof word <= bytes; i += sizeof word) {
        memcpy(&word, at + i, sizeof word);
        sum += word;
    }
    return sum;
}

/* Where the next bytes go. */
struct sink {
    char *at;
    size_t left;
    uint64_t sum;
};

static void take(struct sink *s, const char *from, size_t bytes)
{
    const size_t copied = bytes < s->left ? bytes : s->left;

    memcpy(s->at, from, copied);
    s->at += copied;
    s->left -= copied;
    s->sum += read_all(from + copied, bytes - copied);
}

static rt_status once(struct bench_run *r, struct bench_cell *c, int side, double *seconds)
{
    const size_t part = c->slice * rt_dtype_bytes(c->type);
    const size_t at = (size_t)r->layout.rank * part;
    struct sink s = {0};
    volatile uint64_t seen; /* the sums are used */

    (void)side;
    RT_TRY(comm_traffic_barrier(r->world));
    const double start = rt_now_s();
    if (c->op == BENCH_GATHER) {
        s = (struct sink){.at = (char *)r->memory.unit + at, .left = part};
        take(&s, r->memory.own, c->slice * sizeof(float));
    } else {
        const size_t written = c->slice * sizeof(float);
        char *unit = (char *)r->memory.unit + (size_t)r->layout.rank * written;
        s = (struct sink){.at = c->op == BENCH_REDUCE ? r->memory.own : unit, .left = written};
        for (int k = 0; k < r->nodes->local_size; k++)
            take(&s, (const char *)r->memory.grads[k] + at, part);
    }
    memset(s.at, 0, s.left);
    seen = s.sum;
    (void)seen;
    bench_meet(r);
    *seconds = rt_now_s() - start;
    return RT_OK;
}

const struct bench_kind bench_kind_bound = {.once = once};

static rt_status add_one(struct bench_run *r, bench_op op, const struct bench_size *size)
{
    struct bench_cell *c = NULL;
    struct bench_cell like = {.kind = &bench_kind_bound,
                              .op = op,
                              .algorithm = "bound",
                              .label = size->label,
                              .bound = true,
                              .slice = bench_slice(r, size->bytes),
                              .type = r->o->type,
                              .wire = r->o->type,
                              .factor = (op == BENCH_ALLREDUCE ? 2 : 1) *
                                        (double)(r->layout.size - 1) / (double)r->layout.size,
                              .sides = 1};

    like.bytes = like.slice * (size_t)r->layout.size * rt_dtype_bytes(like.type);
    return comm_agree(r->world, bench_cell_add(r, &like, &c));
}

rt_status bench_bound_add(struct bench_run *r)
{
    if (r->layout.nodes > 1 || r->o->flat) return RT_OK;
    for (int op = BENCH_GATHER; op <= BENCH_ALLREDUCE; op++)
        for (size_t i = 0; r->o->op[op] && i < r->o->sizes_count; i++)
            RT_TRY(add_one(r, (bench_op)op, &r->o->sizes[i]));
    return RT_OK;
}
