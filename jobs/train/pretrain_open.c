/* jobs/train/pretrain_open.c - a pretraining job up to its first step: files, layers, state */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/format.h"
#include "jobs/train/plan_print.h"
#include "jobs/train/pretrain_impl.h"
#include "jobs/train/share.h"
#include "jobs/train/stop.h"
#include "model/kernels.h"
#include "model/peak.h"
#include "runtime/device.h"
#include "runtime/log.h"

/* What rank 0 found in the run directory, for all. */
struct found {
    int attempt, resume;
    char chosen[COLLECTIVES_TEXT]; /* the collectives of the last attempt */
};

static rt_status set_chosen(struct runfile *r, const char *text)
{
    char *copy = strdup(text);

    if (copy == NULL) return RT_FAIL(RT_ENOMEM, "shard.chosen");
    free(r->shard.chosen);
    r->shard.chosen = copy;
    return RT_OK;
}

static rt_status open_directory(struct pretrain_job *j)
{
    struct found found = {0};
    rt_status st = RT_OK;

    if (j->first) {
        st = rundir_open(j->run, j->o->fresh, &j->directory);
        if (st == RT_OK) {
            found.attempt = rundir_attempt(j->directory);
            found.resume = rundir_has_checkpoint(j->directory);
            snprintf(found.chosen, sizeof found.chosen, "%s", rundir_chosen(j->directory));
        }
    }
    RT_TRY(comm_agree(j->world, st));
    RT_TRY(comm_bcast(j->world, 0, &found, sizeof found));
    j->attempt = found.attempt;
    j->resume = found.resume != 0;
    if (j->run->shard.chosen[0] == '\0')
        RT_TRY(comm_agree(j->world, set_chosen(j->run, found.chosen)));
    snprintf(j->checkpoints, sizeof j->checkpoints, "%s/checkpoints", j->run->output);
    snprintf(j->trace_path, sizeof j->trace_path, "%s/trace.json", j->run->output);
    return RT_OK;
}

static rt_status set_state(struct pretrain_job *j)
{
    rt_status st = RT_OK;
    int ranks = 0;

    if (j->first)
        st = rundir_check_data(j->directory, train_data_digest(j->train),
                               train_tokenizer_digest(j->train));
    RT_TRY(comm_agree(j->world, st));
    if (!j->resume) return train_init(j->train);
    RT_TRY(train_resume(j->train, j->checkpoints, &ranks));
    j->saved = true;
    j->saved_step = train_steps_done(j->train);
    if (j->first)
        printf("resumed from step %llu (saved by %d rank%s, now %d)\n",
               (unsigned long long)j->saved_step, ranks, ranks == 1 ? "" : "s",
               comm_size(j->world));
    return RT_OK;
}

static rt_status introduce(struct pretrain_job *j)
{
    const struct runfile *r = j->run;
    struct rt_host_facts host;
    struct comm_nodes *nodes = NULL;
    struct shard_shape shape;
    struct plan_sums sums;
    char peak[32], rank[32], node[32], whole[32], count[32];

    RT_TRY(comm_nodes_create(j->world, r->shard.ranks_per_node, &nodes));
    shape = (struct shard_shape){.size = comm_size(j->world),
                                 .rank = comm_rank(j->world),
                                 .nodes = nodes->nodes,
                                 .local_size = nodes->local_size};
    comm_nodes_destroy(&nodes);
    if (!j->first) return RT_OK;
    rt_host_facts(&host);
    plan_add_up(train_plan_of(j->train), r, &shape, &(struct plan_wish){0}, &sums);
    printf("run %s, attempt %d: %d rank%s x %d thread%s, %d node%s, %s\n", r->output, j->attempt,
           shape.size, shape.size == 1 ? "" : "s", host.threads, host.threads == 1 ? "" : "s",
           shape.nodes, shape.nodes == 1 ? "" : "s", host.cpu);
    printf("model: %s parameters, compute %s; %llu tokens a step\n",
           format_count((double)sums.parameters, count, sizeof count), rt_dtype_name(r->compute),
           (unsigned long long)sums.tokens_per_step);
    printf("plan: %s a rank and %s shared a node, %s in all\n",
           format_bytes(sums.rank_bytes, rank, sizeof rank),
           format_bytes(sums.node_bytes, node, sizeof node),
           format_bytes(sums.job_bytes, whole, sizeof whole));
    if (isfinite(j->peak_flops_per_s))
        printf("mfu = tokens/s x (6 x matmul parameters + 12 L C T) / peak; peak measured: "
               "%sflop/s %s, all ranks\n",
               format_count(j->peak_flops_per_s, peak, sizeof peak), rt_dtype_name(r->compute));
    fflush(stdout);
    return RT_OK;
}

static rt_status open_train(struct pretrain_job *j, bool explain)
{
    const struct train_options options = {
        .synthetic = explain, /* a schedule needs no data */
        .trace_path = j->run->trace && !explain ? j->trace_path : NULL,
        .stop = stop_watch(),
    };

    return train_open(j->run, j->world, &options, &j->train);
}

static rt_status begin_files(struct pretrain_job *j)
{
    char chosen[COLLECTIVES_TEXT];

    train_chosen(j->train, chosen);
    RT_TRY(set_chosen(j->run, chosen));
    RT_TRY(rundir_begin(j->directory, j->run, comm_size(j->world), train_steps_done(j->train)));
    RT_TRY(metrics_open(j->run->output, &j->metrics));
    progress_start(&j->progress, j->run->steps);
    return RT_OK;
}

rt_status pretrain_open(struct pretrain_job *j)
{
    RT_TRY(runfile_share(j->world, j->o->run_file, j->o->sets, j->o->set_count, &j->run));
    struct model_peak mine;

    if (j->o->explain) return open_train(j, true);
    RT_TRY(train_check(j->run, j->world));
    RT_TRY(open_directory(j));
    /* Before the job's memory is taken: the matrices of the measurement are no part of the plan. */
    j->peak_flops_per_s = (double)NAN;
    if (!j->o->no_peak) RT_TRY(train_measure_peak(j->run, j->world, &mine, &j->peak_flops_per_s));
    RT_TRY(open_train(j, false));
    RT_TRY(set_state(j));
    RT_TRY(comm_agree(j->world, j->first ? begin_files(j) : RT_OK));
    return introduce(j);
}

void pretrain_close(struct pretrain_job *j)
{
    train_close(&j->train);
    metrics_close(&j->metrics);
    rundir_close(&j->directory);
    runfile_destroy(&j->run);
}
