/* checkpoint/checkpoint.h - the state of a run on disk: committed whole or not there
 *
 *     RUN/checkpoints/step-00000100/MANIFEST        all that restart parses (checkpoint/manifest.h)
 *                                   state.h5        one HDF5 dataset per tensor and moment, full shape
 *                                   run.yaml, tokenizer.model
 *     RUN/checkpoints/LATEST                        "step-00000100\n", a hint
 *     RUN/checkpoints/.tmp-*                        never looked at; removed at the next start
 *
 * Save: one rank makes the skeleton with serial HDF5 (contiguous, early, no fill), takes the
 * offsets, preallocates; every rank pwrites its extents, CRC32C per 1 MiB block, fsync; agree;
 * MANIFEST, fsync, rename, fsync of the parent, LATEST. Specification: docs/checkpoints.md.
 * Promise: at any moment the directory holds at least one checkpoint that verifies (once there
 * was one), LATEST never names a bad one, success is reported only for bytes on stable storage.
 */
#ifndef CHECKPOINT_CHECKPOINT_H
#define CHECKPOINT_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "comm/comm.h"
#include "runtime/status.h"
#include "runtime/tensor.h"
#include "shard/shard.h"

/* What a checkpoint says beside the tensors. Strings are owned by whoever filled the struct. */
struct checkpoint_meta {
    uint64_t step;        /* optimizer steps done */
    uint64_t next_sample; /* data cursor: the next global sample */
    uint64_t tokens_total;
    uint64_t seed;
    uint64_t data_digest, tokenizer_digest;
    int ranks;       /* that saved it: for people only */
    char model[512]; /* the model configuration as one JSON line; compared as text */
    char run_id[40];
};

/* The files that make a checkpoint self-contained, as bytes. */
struct checkpoint_files {
    const char *run_yaml;
    size_t run_yaml_bytes;
    const void *tokenizer;
    size_t tokenizer_bytes;
};

/* This rank's part: extents index the three own arrays alike. moments may be NULL (weights
 * only: not saved, or not wanted at load). */
struct checkpoint_state {
    const struct rt_tensors *tensors;
    const struct shard_extent *extents;
    size_t extent_count;
    float *master, *exp_avg, *exp_avg_sq;
};

/* Save as DIR/step-XXXXXXXX, in the place of a former one of that step, and keep the newest `keep`
 * (>= 2). DIR is made if its parent is there. Collective over world. On failure (RT_EIO: full disk
 * and the like, said with path) nothing is left behind, older checkpoints are untouched, and all
 * ranks return the same code: training may go on. Values that are NaN or infinite are saved, warned
 * of, and mark the checkpoint as tainted. report, if not NULL: bytes and seconds. */
struct checkpoint_report {
    uint64_t bytes;
    double seconds;
};
RT_NODISCARD rt_status checkpoint_save(struct comm *world, const char *dir,
                                       const struct checkpoint_meta *meta,
                                       const struct checkpoint_files *files,
                                       const struct checkpoint_state *state, int keep,
                                       struct checkpoint_report *report);

/* The committed steps of DIR, newest first; *steps is malloc'ed. No such directory: none. Not
 * collective. */
RT_NODISCARD rt_status checkpoint_list(const char *dir, uint64_t **steps, size_t *count);

/* Open one: path is a step directory, or DIR, or a run directory that has DIR as `checkpoints`, with
 * its newest that opens (each that does not is warned of). Parses the MANIFEST and compares the sizes
 * of files. Not collective: every rank that opens one warns (rt_log_common). RT_EMISSING: none.
 * RT_EDATA: damaged. */
struct checkpoint;
RT_NODISCARD rt_status checkpoint_open(const char *path, struct checkpoint **out);
/* The same on every rank: rank 0 chooses, the others open what it chose. Collective over world. */
RT_NODISCARD rt_status checkpoint_open_all(struct comm *world, const char *path,
                                           struct checkpoint **out);
void checkpoint_close(struct checkpoint **c);
const struct checkpoint_meta *checkpoint_meta(const struct checkpoint *c);
const char *checkpoint_path(const struct checkpoint *c);
RT_NODISCARD rt_status checkpoint_file(const struct checkpoint *c, const char *name, void **bytes,
                                       size_t *count); /* run.yaml, tokenizer.model: verified */

/* Read this rank's extents; every block that is touched is verified. Collective over world.
 * RT_EDATA: another model, a tensor missing, a damaged block: tensor, file and offset named. */
RT_NODISCARD rt_status checkpoint_load(struct comm *world, const struct checkpoint *c,
                                       const struct checkpoint_state *state);

/* Read and check every byte: blocks, digests, sizes. Not collective. */
RT_NODISCARD rt_status checkpoint_verify(const char *step_dir, struct checkpoint_report *report);

/* Print what is in one, for people. Not collective. */
RT_NODISCARD rt_status checkpoint_print(const struct checkpoint *c, FILE *out);

/* Remove what a dead save left in DIR (.tmp-*, .trash-*); a former step that stood aside for one
 * (.aside-*) gets its name back. Before anything is opened. Not collective; the run is locked. */
RT_NODISCARD rt_status checkpoint_clean(const char *dir);

#endif
