/* jobs/train/train_impl.h - what the files of one training job share; not for others */
#ifndef JOBS_TRAIN_TRAIN_IMPL_H
#define JOBS_TRAIN_TRAIN_IMPL_H

#include "jobs/train/collectives.h"
#include "jobs/train/train.h"
#include "jobs/train/work.h"
#include "model/kernels.h"
#include "model/model.h"
#include "optim/optim.h"
#include "runtime/data/loader.h"
#include "runtime/data/tokens.h"
#include "shard/shard.h"

struct train {
    const struct runfile *run; /* lent */
    struct comm *world;        /* lent */
    const volatile sig_atomic_t *stop;
    struct rt_memory_usage start; /* before anything was made */
    bool memory_known;

    struct comm_nodes *nodes;
    struct collectives collectives;
    struct rt_trace *trace;
    struct rt_tensors *tensors;
    struct rt_plan plan;
    struct rt_memory *memory;
    struct shard *shard;
    struct model *model;
    struct optim *optim;
    struct optim_schedule schedule;
    const struct rt_vector *vector;

    struct tokens **files; /* (data.source_count), empty when synthetic */
    struct loader *samples, *heldout;
    uint64_t data_digest;
    struct work work;
    int32_t *inputs, *targets; /* (work.count or work.micro, context) */
    uint64_t *wanted;          /* (work.count) global samples, for the reader */
    bool announced;            /* the reader knows the next step's samples */

    uint64_t steps, next_sample, tokens_total;
};

/* The options of the layers, as run file and rank count make them. Not collective. */
struct train_layers {
    struct model_options model;
    struct shard_options shard;
    struct work work;
};
RT_NODISCARD rt_status train_layers(const struct runfile *r, int size, int rank,
                                    struct train_layers *out);
/* The plan from them. */
RT_NODISCARD rt_status train_add_plan(const struct runfile *r, const struct train_layers *l,
                                      const struct rt_tensors *tensors,
                                      const struct shard_shape *shape, struct rt_plan *plan);

/* jobs/train/batch.c: this rank's samples of the next step, in inputs and targets; *valid counts
 * its targets. The step after is announced to the reader. Not collective. */
RT_NODISCARD rt_status train_open_data(struct train *t);
/* Every token that the run may draw lies in the vocabulary: reads the files whole, so once a run. */
RT_NODISCARD rt_status train_check_tokens(const struct train *t);
void train_close_data(struct train *t);
RT_NODISCARD rt_status train_read_batch(struct train *t, uint64_t *valid);

#endif
