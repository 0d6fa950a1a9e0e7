/* jobs/train/pretrain.c - the loop: step, evaluate, record, save, stop */
#include "jobs/train/pretrain.h"

#include <math.h>
#include <stdio.h>

#include "jobs/train/pretrain_impl.h"
#include "runtime/log.h"

/* Held-out loss; NAN where there is nothing held out. Collective. */
static rt_status evaluate(struct pretrain_job *j, double *loss)
{
    uint64_t tokens = 0;

    *loss = (double)NAN;
    if (!train_can_evaluate(j->train)) return RT_OK;
    RT_TRY(train_evaluate(j->train, j->run->evaluate.sequences, loss, &tokens));
    if (!j->first) return RT_OK;
    progress_pause(&j->progress);
    printf("step %llu  held-out loss %.4f  perplexity %.2f  (%llu tokens)\n",
           (unsigned long long)train_steps_done(j->train), *loss, exp(*loss),
           (unsigned long long)tokens);
    fflush(stdout);
    return RT_OK;
}

static struct metrics_line unknown_line(const struct pretrain_job *j)
{
    const double unknown = (double)NAN;

    return (struct metrics_line){
        .step = train_steps_done(j->train),
        .tokens_total = train_tokens_total(j->train),
        .loss = unknown,
        .val_loss = unknown,
        .grad_norm = unknown,
        .lr = unknown,
        .step_s = unknown,
        .tokens_per_s = unknown,
        .model_flops_per_s = unknown,
        .mfu = unknown,
        .peak_flops_per_s = j->peak_flops_per_s,
        .gather_s = unknown,
        .reduce_s = unknown,
        .comm_exposed_s = unknown,
        .gather_gbyte_per_s = unknown,
        .ranks = comm_size(j->world),
        .attempt = j->attempt,
    };
}

/* The untrained model's loss, on a line of its own. */
static rt_status evaluate_untrained(struct pretrain_job *j)
{
    double loss;

    if (j->run->evaluate.interval == 0 || train_steps_done(j->train) > 0) return RT_OK;
    RT_TRY(evaluate(j, &loss));
    if (j->first && isfinite(loss)) {
        struct metrics_line line = unknown_line(j);
        line.val_loss = loss;
        (void)!metrics_write(j->metrics, &line); /* it has said so */
    }
    return RT_OK;
}

/* Collective: the figures are of all ranks. */
static rt_status record(struct pretrain_job *j, const struct train_step_result *r, double val_loss)
{
    struct metrics_line line = unknown_line(j);
    struct train_figures f;

    RT_TRY(train_gather_figures(j->train, r, &f));
    if (!j->first) return RT_OK;
    if (f.memory_bytes > j->peak_memory_bytes) j->peak_memory_bytes = f.memory_bytes;
    line.loss = r->loss;
    line.val_loss = val_loss;
    line.grad_norm = r->grad_norm;
    line.lr = r->learning_rate;
    line.step_s = f.step_s;
    line.tokens_per_s = (double)r->valid_tokens / f.step_s;
    line.model_flops_per_s = line.tokens_per_s * train_flops_per_token(j->train);
    line.mfu = line.model_flops_per_s / j->peak_flops_per_s;
    line.gather_s = f.phase_s[RT_PHASE_GATHER];
    line.reduce_s = f.phase_s[RT_PHASE_REDUCE];
    line.comm_exposed_s = line.gather_s + line.reduce_s;
    if (r->gather_under_way_s > 0)
        line.gather_gbyte_per_s = 1e-9 * (double)r->gathered_bytes / r->gather_under_way_s;
    line.peak_memory_bytes = j->peak_memory_bytes;
    (void)!metrics_write(j->metrics, &line); /* it has said so */
    progress_step(&j->progress, &line);
    return RT_OK;
}

static rt_status save(struct pretrain_job *j)
{
    struct checkpoint_report report = {0};
    const uint64_t step = train_steps_done(j->train);
    const rt_status st = train_save(j->train, j->checkpoints, &report);

    if (j->first) progress_pause(&j->progress);
    if (st == RT_OK) {
        j->saved = true;
        j->saved_step = step;
        if (j->first)
            printf("checkpoint of step %llu: %.1f MB in %.2f s\n", (unsigned long long)step,
                   1e-6 * (double)report.bytes, report.seconds);
        fflush(stdout);
    } else if (j->saved) {
        rt_log_once(RT_LOG_WARN,
                    "no checkpoint of step %llu could be written; that of step %llu "
                    "stands",
                    (unsigned long long)step, (unsigned long long)j->saved_step);
    } else {
        rt_log_once(RT_LOG_WARN, "no checkpoint of step %llu could be written, and there is none",
                    (unsigned long long)step);
    }
    return st;
}

static bool every(uint64_t interval, uint64_t step) { return interval > 0 && step % interval == 0; }

/* What is due behind a step. RT_ESTOPPED: asked to stop, and saved. */
static rt_status after_step(struct pretrain_job *j, const struct train_step_result *r)
{
    const struct runfile *run = j->run;
    const bool last = r->step >= run->steps;
    const bool asked = r->stop || (run->stop_after > 0 && r->step >= run->stop_after);
    double val_loss = (double)NAN;

    if (run->evaluate.interval > 0 && (last || every(run->evaluate.interval, r->step)))
        RT_TRY(evaluate(j, &val_loss));
    RT_TRY(record(j, r, val_loss));
    if (last || asked) {
        RT_TRY(save(j));
        return last ? RT_OK : RT_ESTOPPED;
    }
    if (every(run->checkpoint.interval, r->step) && save(j) != RT_OK)
        rt_log_once(RT_LOG_WARN, "training goes on; the next try is at step %llu",
                    (unsigned long long)(r->step + run->checkpoint.interval));
    return RT_OK;
}

static rt_status steps(struct pretrain_job *j)
{
    const uint64_t done = train_steps_done(j->train), stop_after = j->run->stop_after;
    struct train_step_result result;
    rt_status st = RT_OK;

    if (done < j->run->steps && stop_after > 0 && done >= stop_after) return RT_ESTOPPED;
    while (st == RT_OK && train_steps_done(j->train) < j->run->steps) {
        st = train_step(j->train, &result);
        if (st == RT_OK) st = after_step(j, &result);
    }
    return st;
}

static void say_end(struct pretrain_job *j, rt_status st)
{
    const unsigned long long step = train_steps_done(j->train);

    if (!j->first) return;
    progress_pause(&j->progress);
    if (st == RT_OK) printf("done: %llu steps; %s\n", step, j->run->output);
    if (st == RT_ESTOPPED)
        printf("stopped on request after step %llu with a checkpoint; the same command goes on\n",
               step);
    if (st == RT_ENONFINITE && j->saved)
        rt_log(RT_LOG_WARN, "the checkpoint of step %llu stands",
               (unsigned long long)j->saved_step);
    fflush(stdout);
}

/* All ranks leave alike with these; with any other, some may wait for one that has left. */
static bool agreed(rt_status st)
{
    return st == RT_OK || st == RT_ESTOPPED || st == RT_ENONFINITE || st == RT_EIO;
}

rt_status pretrain(const struct pretrain_options *o, struct comm *world)
{
    struct pretrain_job j = {.o = o, .world = world, .first = comm_rank(world) == 0};
    rt_status st;

    RT_TRY_OUT(pretrain_open(&j));
    if (o->explain) {
        if (j.first) train_explain(j.train, stdout);
        goto out;
    }
    st = evaluate_untrained(&j);
    if (st == RT_OK) st = steps(&j);
    say_end(&j, st);
    if (!agreed(st)) comm_abort(world, rt_status_exit(st));
out:
    pretrain_close(&j);
    return st;
}
