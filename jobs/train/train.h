/* jobs/train/train.h - one training job: the layers put together, and one step of it
 *
 * train_open builds plan, memory, shard, model, optimizer and loader from a resolved run file;
 * train_step is one optimizer step (jobs/train/step.c reads top to bottom as DESIGN section 2
 * draws it). pretrain, `recua-bench step` and the tests use the same two. Collective over world,
 * unless a function says otherwise.
 */
#ifndef JOBS_TRAIN_TRAIN_H
#define JOBS_TRAIN_TRAIN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "checkpoint/checkpoint.h"
#include "comm/comm.h"
#include "jobs/train/collectives.h"
#include "jobs/train/runfile.h"
#include "runtime/data/tokens.h"
#include "runtime/memory.h"
#include "runtime/trace.h"

struct train;

struct train_step_result {
    uint64_t step; /* steps done, this one included */
    uint64_t tokens_total;
    double loss, grad_norm, learning_rate, step_s;
    double phase_s[RT_PHASES]; /* of this rank; the slowest rank's where metrics say so */
    uint64_t gathered_bytes, reduced_bytes;
    double gather_under_way_s; /* of this rank; computing may have hidden it */
    uint64_t valid_tokens;
    bool stop; /* a rank was asked to stop (train_options.stop): the same on all ranks */
};

/* Where the bytes of a job go on one rank, computed without running: needs no MPI. */
RT_NODISCARD rt_status train_plan(const struct runfile *r, const struct shard_shape *shape,
                                  struct rt_plan *plan);

/* World ranks, run file with data files that exist unless `synthetic` (then tokens are made from
 * the seed, for benchmarks). Nothing is written. Refuses before any work what does not fit:
 * more ranks than samples in a batch, tokenizer and token file that do not belong together. */
struct train_options {
    bool synthetic;
    const char *trace_path; /* NULL: no trace file; rank 0 writes it */
    /* NULL, or a flag that a signal may set on any rank. Read when the ranks exchange the step's
     * scalars, so that all hear of it in the same step without a message of its own. */
    const volatile sig_atomic_t *stop;
};
/* r is lent until train_close. */
RT_NODISCARD rt_status train_open(const struct runfile *r, struct comm *world,
                                  const struct train_options *o, struct train **out);
void train_close(struct train **t);

/* What train_open would refuse of run file, data and ranks, before anything is made or written.
 * Collective over world. */
RT_NODISCARD rt_status train_check(const struct runfile *r, struct comm *world);

/* The matmul peak in the run's compute type, all ranks at once as they compute in a step: this
 * rank's rows, and the sum over ranks. Collective over world. */
struct model_peak;
RT_NODISCARD rt_status train_measure_peak(const struct runfile *r, struct comm *world,
                                          struct model_peak *mine, double *flops_per_s);

/* Weights at their first value, or those of the checkpoint that `init` names; step 0. */
RT_NODISCARD rt_status train_init(struct train *t);

/* One optimizer step. RT_ENONFINITE on all ranks alike: the weights are as before the step. Any
 * other failure may be this rank's alone, with others waiting: the caller ends the job
 * (comm_abort). */
RT_NODISCARD rt_status train_step(struct train *t, struct train_step_result *out);

/* Mean loss in nats over `sequences` held-out samples (fewer if there are fewer). */
RT_NODISCARD rt_status train_evaluate(struct train *t, int sequences, double *loss,
                                      uint64_t *tokens);

/* Save to and resume from the run directory's checkpoints (checkpoint/checkpoint.h). */
RT_NODISCARD rt_status train_save(struct train *t, const char *checkpoints_dir,
                                  struct checkpoint_report *report);
/* RT_EDATA: of another model, data, tokenizer or seed (both values), or damaged. *ranks, or NULL:
 * how many saved it. */
RT_NODISCARD rt_status train_resume(struct train *t, const char *checkpoint_path, int *ranks);

/* What metrics.jsonl wants of all ranks: the slowest rank's seconds, and the memory of the whole
 * job now above the start of train_open (private pages of all ranks, windows once a node). */
struct train_figures {
    double step_s, phase_s[RT_PHASES];
    uint64_t memory_bytes; /* 0: unknown */
};
RT_NODISCARD rt_status train_gather_figures(struct train *t, const struct train_step_result *r,
                                            struct train_figures *out);

/* The rest is not collective. */
bool train_can_evaluate(const struct train *t); /* there is something held out */
uint64_t train_steps_done(const struct train *t);
uint64_t train_data_digest(const struct train *t);
uint64_t train_tokenizer_digest(const struct train *t);
uint64_t train_tokens_total(const struct train *t);
double train_flops_per_token(const struct train *t);
const struct rt_plan *train_plan_of(const struct train *t);
/* Which algorithms the collectives take, as shard.chosen has it. */
void train_chosen(const struct train *t, char out[COLLECTIVES_TEXT]);
void train_explain(const struct train *t, FILE *out);

#endif
