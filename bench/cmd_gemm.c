/* bench/cmd_gemm.c - `recua-bench gemm`: the matmul peak that every MFU is measured against
 *
 * All ranks measure at the same time, shape by shape as far as they keep in step, since that is how
 * they compute in a training step. A shape's figure is the sum over ranks; so is the peak.
 * Units    floating-point operations per second: 2*M*N*K a product
 */
#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "bench/bench.h"
#include "comm/comm.h"
#include "model/peak.h"
#include "runtime/device.h"

enum { KEY_COMPUTE = 'c', KEY_JSON = 'j', KEY_SHAPE = 's' };
enum { COMPUTE_MAX = 2 };

struct gemm_options {
    rt_dtype compute[COMPUTE_MAX];
    int compute_count;
    const char *json;
    struct model_config model; /* of --shape */
    int rows;                  /* 0: no --shape */
};

static const struct argp_option options[] = {
    {"compute", KEY_COMPUTE, "TYPE", 0, "fp32, bf16 or both (default)", 0},
    {"json", KEY_JSON, "FILE", 0, "write the figures as JSON too", 0},
    {"shape", KEY_SHAPE, "DIM,FFN,VOCABULARY,ROWS", 0,
     "the products of a model of these dimensions, with ROWS = sequences * context of a "
     "micro-batch",
     0},
    {0},
};

static void parse_compute(struct argp_state *state, struct gemm_options *o, const char *text)
{
    o->compute_count = 0;
    if (strcmp(text, "fp32") == 0 || strcmp(text, "both") == 0)
        o->compute[o->compute_count++] = RT_F32;
    if (strcmp(text, "bf16") == 0 || strcmp(text, "both") == 0)
        o->compute[o->compute_count++] = RT_BF16;
    if (o->compute_count == 0) argp_error(state, "--compute '%s' must be fp32, bf16 or both", text);
}

static void parse_shape(struct argp_state *state, struct gemm_options *o, const char *text)
{
    struct model_config *c = &o->model;
    char rest;

    if (sscanf(text, "%d,%d,%d,%d%c", &c->dim, &c->ffn_dim, &c->vocabulary, &o->rows, &rest) != 4 ||
        c->dim < 1 || c->ffn_dim < 1 || c->vocabulary < 1 || o->rows < 1)
        argp_error(state, "--shape '%s' must be four positive numbers: DIM,FFN,VOCABULARY,ROWS",
                   text);
    c->layers = c->heads = c->kv_heads = c->context = 1; /* one wide head: q, k and v of DIM each */
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct gemm_options *o = state->input;

    switch (key) {
    case KEY_COMPUTE: parse_compute(state, o, text); return 0;
    case KEY_JSON: o->json = text; return 0;
    case KEY_SHAPE: parse_shape(state, o, text); return 0;
    case ARGP_KEY_ARG: argp_error(state, "'%s' is not expected", text); return EINVAL;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .doc = "Measure the matmul peak of this machine: the best of a fixed list of shapes, all ranks "
           "at once. Start several ranks with mpirun or srun --mpi=pmix.",
};

/* One compute type: rank 0's shapes with the figures of all ranks added. */
struct gemm_result {
    rt_dtype compute;
    struct model_peak all;
    double slowest_rank; /* its peak, FLOP/s */
};

/* Collective. */
static rt_status measure(const struct gemm_options *o, struct comm *world, struct gemm_result *r)
{
    struct model_peak *p = &r->all;
    double least;
    uint64_t sum;

    RT_TRY(comm_barrier(world));
    RT_TRY(comm_agree(world, model_peak_measure(&kernels_cpu, r->compute,
                                                o->rows > 0 ? &o->model : NULL, o->rows, p)));
    least = -p->flops_per_s;
    RT_TRY(comm_max_f64(world, &least, 1));
    r->slowest_rank = -least;
    sum = (uint64_t)p->flops_per_s;
    RT_TRY(comm_sum_u64(world, &sum, 1));
    p->flops_per_s = (double)sum;
    for (int i = 0; i < p->count; i++) {
        sum = (uint64_t)p->rows[i].flops_per_s;
        RT_TRY(comm_sum_u64(world, &sum, 1));
        p->rows[i].flops_per_s = (double)sum;
    }
    return RT_OK;
}

static void print(const struct gemm_result *r, const struct rt_host_facts *host, int ranks)
{
    const char *name = rt_dtype_name(r->compute);

    printf("%s on %s, %d ranks, %d threads each\n", name, host->cpu, ranks, host->threads);
    printf("%8s %8s %8s  %-10s %10s %7s\n", "M", "N", "K", "form", "GFLOP/s", "of peak");
    for (int i = 0; i < r->all.count; i++) {
        const struct model_peak_row *x = &r->all.rows[i];
        printf("%8d %8d %8d  %-10s %10.2f %6.1f%%\n", x->M, x->N, x->K,
               x->transpose_a   ? "a^T b"
               : x->transpose_b ? "a b^T"
                                : "a b",
               x->flops_per_s / 1e9, 100 * x->flops_per_s / r->all.flops_per_s);
    }
    printf("%s peak %.2f GFLOP/s, all ranks at once (slowest rank %.2f)\n\n", name,
           r->all.flops_per_s / 1e9, r->slowest_rank / 1e9);
}

static json_t *result_json(const struct gemm_result *r)
{
    json_t *shapes = json_array();

    for (int i = 0; i < r->all.count; i++) {
        const struct model_peak_row *x = &r->all.rows[i];
        json_array_append_new(shapes,
                              json_pack("{s:i, s:i, s:i, s:b, s:b, s:f}", "m", x->M, "n", x->N, "k",
                                        x->K, "transpose_a", x->transpose_a, "transpose_b",
                                        x->transpose_b, "flops_per_s", x->flops_per_s));
    }
    return json_pack("{s:s, s:f, s:f, s:o}", "compute", rt_dtype_name(r->compute),
                     "peak_flops_per_s", r->all.flops_per_s, "slowest_rank_peak_flops_per_s",
                     r->slowest_rank, "shapes", shapes);
}

static rt_status write_json(const char *path, const struct gemm_result *results, int count,
                            const struct rt_host_facts *host, int ranks)
{
    json_t *rows = json_array(), *root;
    rt_status st = RT_OK;

    for (int i = 0; i < count; i++) json_array_append_new(rows, result_json(&results[i]));
    root = json_pack("{s:s, s:s, s:s, s:i, s:i, s:o}", "benchmark", "gemm", "version",
                     RECUA_VERSION, "cpu", host->cpu, "ranks", ranks, "threads_per_rank",
                     host->threads, "results", rows);
    if (root == NULL)
        st = RT_FAIL(RT_ENOMEM, "%s: no memory for the JSON text", path);
    else if (json_dump_file(root, path, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) != 0)
        st = RT_FAIL(RT_EIO, "%s: cannot be written: %s", path, strerror(errno));
    json_decref(root);
    return st;
}

static rt_status measure_and_report(const struct gemm_options *o, struct comm *world)
{
    struct gemm_result results[COMPUTE_MAX] = {0};
    struct rt_host_facts host;
    rt_status st = RT_OK;

    rt_host_facts(&host);
    for (int i = 0; i < o->compute_count; i++) {
        results[i].compute = o->compute[i];
        RT_TRY(measure(o, world, &results[i]));
        if (comm_rank(world) == 0) print(&results[i], &host, comm_size(world));
    }
    if (o->json != NULL && comm_rank(world) == 0)
        st = write_json(o->json, results, o->compute_count, &host, comm_size(world));
    return comm_agree(world, st);
}

int bench_gemm(int argc, char **argv)
{
    struct gemm_options o = {.compute = {RT_F32, RT_BF16}, .compute_count = 2};
    struct comm *world = NULL;
    rt_status st;

    argp_err_exit_status = rt_status_exit(RT_EINVAL);
    argp_parse(&parser, argc, argv, 0, NULL, &o);
    st = comm_init(&argc, &argv, &world);
    if (st == RT_OK) st = measure_and_report(&o, world);
    comm_finish(&world);
    return rt_status_exit(st);
}
