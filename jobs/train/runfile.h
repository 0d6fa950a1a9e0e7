/* jobs/train/runfile.h - the run file: YAML in, every default spelled out, strict
 *
 * Unknown or mistyped keys are refused with file, line and the nearest valid key; wrong types and
 * values out of range with the limit. `--set key.path=value` is applied to the text's tree before
 * it is read, so it obeys the same rules. docs/runfile.md is the reference of the keys.
 * Not collective: rank 0 reads, jobs broadcasts the resolved text.
 */
#ifndef JOBS_TRAIN_RUNFILE_H
#define JOBS_TRAIN_RUNFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/model.h"
#include "optim/optim.h"
#include "runtime/status.h"
#include "shard/shard.h"

struct runfile_source {
    char *file;    /* token file */
    double weight; /* default 1 */
};

typedef enum { RUNFILE_REDUCE_FAST, RUNFILE_REDUCE_EXACT } runfile_reduce;

struct runfile {
    struct model_config model; /* model: layers dim heads kv_heads ffn_dim vocabulary context
                                  rope_theta norm_eps */
    struct {
        struct runfile_source *sources; /* data.sources: [{file, weight}], or data.file: F */
        size_t source_count;
        char *tokenizer; /* data.tokenizer */
    } data;
    struct {
        int global_sequences, micro_sequences;
    } batch;
    struct optim_options optimizer;
    struct {
        uint64_t warmup;    /* schedule.warmup, steps */
        double final_ratio; /* schedule.final_ratio */
    } schedule;
    uint64_t seed;
    char *init; /* "random" or a checkpoint: weights only, step 0 */
    uint64_t steps;
    uint64_t stop_after; /* stop with 75 after this step; 0: never */
    char *output;        /* run directory */
    char *device;        /* cpu | cuda */
    rt_dtype compute;    /* fp32 | bf16 */
    char *kernels;       /* cpu | ref */
    struct {
        shard_mode mode; /* full | grads | hybrid */
        int prefetch;
        int ranks_per_node; /* 0: as the machine is; k: pretend */
        char *algorithm;    /* auto, or comm's by name */
        char *tuning;       /* file of recua-bench comm --tune; empty: none */
        char *chosen;       /* what auto took: jobs/train/collectives.h */
    } shard;
    model_recompute recompute; /* none | full */
    rt_dtype wire;             /* fp32 | bf16 */
    runfile_reduce reduce;     /* fast | exact: jobs/train/exact.h */
    struct {
        uint64_t interval; /* steps; 0: only at the end */
        int keep;          /* >= 2 */
        char *files;       /* shared */
    } checkpoint;
    struct {
        uint64_t interval; /* steps between held-out evaluations; 0: never */
        int sequences;     /* how many held-out samples */
    } evaluate;
    bool trace;
    char *energy; /* off */
};

/* path: the run file. sets: "key.path=value" strings. RT_EINVAL, RT_EMISSING (no such file). */
RT_NODISCARD rt_status runfile_load(const char *path, const char *const *sets, size_t set_count,
                                    struct runfile **out);
/* The same from text already resolved; `name` stands for the path in messages. */
RT_NODISCARD rt_status runfile_parse(const char *text, size_t bytes, const char *name,
                                     const char *const *sets, size_t set_count,
                                     struct runfile **out);
void runfile_destroy(struct runfile **r);

/* Every key with its value, as YAML that runfile_parse reads back to the same. malloc'ed. */
RT_NODISCARD rt_status runfile_print(const struct runfile *r, char **out);

#endif
