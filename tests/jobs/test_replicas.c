/* tests/jobs/test_replicas.c - hybrid sharding through whole steps: every replica holds the same
 * weights and moments, bit for bit; the norm counts every element once
 *
 * Tolerance  losses and norms of hybrid against full: 2e-6, relative, over STEPS steps in fp32
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/train/train_impl.h"
#include "tests/check_mpi.h"

enum { STEPS = 3 };
static const double tolerance = 2e-6;

static const char text[] = "model: {layers: 2, dim: 24, heads: 4, kv_heads: 2, ffn_dim: 37, "
                           "vocabulary: 101, context: 16}\n"
                           "batch: {global_sequences: 24, micro_sequences: 1}\n"
                           "optimizer: {learning_rate: 0.01, clip: 0.1}\n"
                           "schedule: {warmup: 1}\n"
                           "steps: 3\n";

struct job {
    struct runfile *run;
    struct train *train;
    double loss[STEPS], norm[STEPS];
};

static void close_job(struct job *j)
{
    train_close(&j->train);
    runfile_destroy(&j->run);
}

static rt_status open_job(struct job *j, struct comm *g, const char *const *sets, size_t count)
{
    const struct train_options o = {.synthetic = true};
    rt_status st = RT_OK;

    *j = (struct job){0};
    RT_TRY_OUT(runfile_parse(text, strlen(text), "test", sets, count, &j->run));
    RT_TRY_OUT(train_open(j->run, g, &o, &j->train));
    RT_TRY_OUT(train_init(j->train));
out:
    if (st != RT_OK) close_job(j);
    return st;
}

static void steps(struct job *j)
{
    for (int s = 0; s < STEPS; s++) {
        struct train_step_result r;
        if (!CHECK_OK(train_step(j->train, &r))) return;
        j->loss[s] = r.loss;
        j->norm[s] = r.grad_norm;
    }
}

/* An own array is that of the rank of node 0 with this local rank. */
static void check_array(const struct train *t, const float *mine)
{
    const size_t n = shard_own_elements(t->shard);
    float *all = malloc((size_t)comm_size(t->world) * n * sizeof *all);
    const float *first = all + (size_t)t->nodes->local_rank * n;

    if (!CHECK(all != NULL)) return;
    CHECK_OK(comm_allgather(t->world, mine, all, n * sizeof *mine));
    CHECK(memcmp(mine, first, n * sizeof *mine) == 0);
    free(all);
}

static void check_replicas(const struct train *t)
{
    CHECK(shard_replica(t->shard) == t->nodes->node);
    check_array(t, shard_master(t->shard));
    check_array(t, optim_exp_avg(t->optim));
    check_array(t, optim_exp_avg_sq(t->optim));
}

static void one_job(struct comm *g, int ranks_per_node, const char *wire, const char *compute)
{
    char nodes[64], wires[32], computes[32];
    const char *sets[] = {nodes, wires, computes, "shard.mode=hybrid"};
    struct job hybrid, full;

    snprintf(nodes, sizeof nodes, "shard.ranks_per_node=%d", ranks_per_node);
    snprintf(wires, sizeof wires, "wire=%s", wire);
    snprintf(computes, sizeof computes, "compute=%s", compute);
    if (!CHECK_OK(open_job(&hybrid, g, sets, 4))) return;
    steps(&hybrid);
    check_replicas(hybrid.train);
    if (strcmp(wire, "fp32") == 0 && strcmp(compute, "fp32") == 0 &&
        CHECK_OK(open_job(&full, g, sets, 3))) {
        steps(&full);
        for (int s = 0; s < STEPS; s++) {
            CHECK(fabs(hybrid.loss[s] - full.loss[s]) <= tolerance * full.loss[s]);
            CHECK(fabs(hybrid.norm[s] - full.norm[s]) <= tolerance * full.norm[s]);
        }
        CHECK(full.norm[0] > 0.1); /* so that the clip is felt */
        close_job(&full);
    }
    close_job(&hybrid);
}

static void replicas_take_the_same_steps(struct comm *g)
{
    for (int k = 1; k <= comm_size(g); k++) {
        if (comm_size(g) % k != 0) continue;
        one_job(g, k, "fp32", "fp32");
        one_job(g, k, "bf16", "bf16");
    }
}

static void nodes_of_two_sizes_are_refused(struct comm *g)
{
    struct job j;

    for (int k = 1; k <= comm_size(g); k++) {
        char nodes[64];
        const char *sets[] = {nodes, "shard.mode=hybrid"};
        if (comm_size(g) % k == 0) continue;
        snprintf(nodes, sizeof nodes, "shard.ranks_per_node=%d", k);
        CHECK(open_job(&j, g, sets, 2) == RT_EINVAL);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"replicas take the same steps", replicas_take_the_same_steps},
        {"nodes of two sizes are refused", nodes_of_two_sizes_are_refused},
        {NULL, NULL},
    };
    return check_mpi_main(argc, argv, cases);
}
