/* checkpoint/save.c - the commit protocol: what comes before what, and what all ranks agree on
 *
 *     rank 0   .tmp-step-X/ with the skeleton, preallocated, and the small files
 *     all      agree; write own extents, fsync; agree
 *     rank 0   gather CRCs and digests, check that they cover all; MANIFEST, fsync of the
 *              directory, rename, fsync of the parent     <- committed here
 *     rank 0   LATEST, then removal of the oldest: failures of these are only warned of
 *     all      wait for that
 *
 * Source  docs/checkpoints.md says what each step is for
 */
#include "checkpoint/save.h"

#include <stdlib.h>
#include <string.h>

#include "checkpoint/file.h"
#include "checkpoint/steps.h"
#include "runtime/log.h"
#include "runtime/trace.h"

static bool printable(const char *text, size_t room)
{
    size_t n = 0;
    while (n < room && (unsigned char)text[n] >= ' ' && text[n] != 0x7f) n++;
    return n < room && text[n] == 0;
}

/* A name that is one HDF5 link and one word of the manifest. */
static bool good_name(const char *name)
{
    return printable(name, sizeof((struct rt_tensor *)0)->name) && name[0] != 0 &&
           strpbrk(name, " /") == NULL && strcmp(name, ".") != 0;
}

static rt_status check_extents(const struct checkpoint_state *state)
{
    for (size_t i = 0; i < state->extent_count; i++) {
        const struct shard_extent *x = &state->extents[i];
        if (x->tensor >= state->tensors->count || x->count == 0 ||
            x->start + x->count > rt_tensor_count(&state->tensors->items[x->tensor]))
            return RT_FAIL(RT_EINVAL, "extent %zu lies outside its tensor", i);
    }
    return RT_OK;
}

/* What this rank alone can say before any work; makes room for the offsets. */
static rt_status prepare(struct save *s, int keep)
{
    const struct rt_tensors *tensors = s->state->tensors;

    if (tensors->count == 0) return RT_FAIL(RT_EINVAL, "there is no tensor to save");
    if (keep < 2) return RT_FAIL(RT_EINVAL, "keep is %d, at least 2 checkpoints are kept", keep);
    if (!printable(s->meta->model, sizeof s->meta->model) ||
        !printable(s->meta->run_id, sizeof s->meta->run_id))
        return RT_FAIL(RT_EINVAL, "model and run id of a checkpoint must be one line of text");
    for (size_t i = 0; i < tensors->count; i++)
        if (!good_name(tensors->items[i].name) || rt_tensor_count(&tensors->items[i]) == 0)
            return RT_FAIL(RT_EINVAL, "tensor %zu has no name or no elements to save", i);
    RT_TRY(check_extents(s->state));
    if ((s->state->exp_avg == NULL) != (s->state->exp_avg_sq == NULL))
        return RT_FAIL(RT_EINVAL, "both moments are saved, or none");
    s->kinds = s->state->exp_avg == NULL ? 1 : MANIFEST_KINDS;
    s->offsets = malloc((tensors->count * (size_t)s->kinds + 1) * sizeof *s->offsets);
    if (s->offsets == NULL) return RT_FAIL(RT_ENOMEM, "offsets of %zu tensors", tensors->count);
    RT_TRY(steps_path(s->tmp, s->dir, ".tmp-", s->meta->step));
    return file_path(s->state_path, s->tmp, MANIFEST_STATE);
}

/* All ranks save moments, or none does. */
static rt_status same_kinds(const struct save *s)
{
    double kinds[2] = {s->kinds, -s->kinds};

    RT_TRY(comm_max_f64(s->world, kinds, 2));
    if (kinds[0] != -kinds[1])
        return RT_FAIL(RT_EINVAL, "some ranks have moments to save and some have none");
    return RT_OK;
}

/* Rank 0: the directory with everything that is no tensor value. */
static rt_status make_directory(struct save *s)
{
    RT_TRY(file_make_dir(s->dir));
    RT_TRY(file_remove(s->tmp)); /* of a save that failed and could not clean up */
    RT_TRY(file_make_dir(s->tmp));
    RT_TRY(save_manifest_begin(s));
    RT_TRY(file_create(s->tmp, MANIFEST_RUN_YAML, s->files->run_yaml, s->files->run_yaml_bytes));
    RT_TRY(file_create(s->tmp, MANIFEST_TOKENIZER, s->files->tokenizer, s->files->tokenizer_bytes));
    /* the entry of state.h5 is durable before others write to it */
    return file_sync_dir(s->tmp);
}

/* Rank 0: everything is in place and synced but the manifest. */
static rt_status commit(struct save *s, const void *words, size_t bytes)
{
    char *text = NULL;
    size_t n = 0;
    rt_status st;

    RT_TRY(save_manifest_end(s, words, bytes / sizeof(uint64_t)));
    RT_TRY(manifest_print(s->manifest, &text, &n));
    RT_TRY_OUT(file_create(s->tmp, MANIFEST_FILE, text, n));
    RT_TRY_OUT(file_sync_dir(s->tmp));
    RT_TRY_OUT(steps_publish(s->dir, s->meta->step));
out:
    free(text);
    return st;
}

/* Rank 0, after the commit: what may fail without harm. */
static void tidy(const struct save *s, int keep)
{
    if (steps_set_latest(s->dir, s->meta->step) != RT_OK)
        rt_log(RT_LOG_WARN, "the checkpoint is saved, but LATEST still names an older one");
    else if (steps_collect(s->dir, keep, s->meta->step) != RT_OK)
        rt_log(RT_LOG_WARN, "the checkpoint is saved, but an older one could not be removed");
}

/* Everybody's words to rank 0, which commits. */
static rt_status gather_and_commit(struct save *s)
{
    const bool first = comm_rank(s->world) == 0;
    void *words = NULL;
    size_t bytes = 0;
    rt_status st;

    RT_TRY(
        comm_gather_bytes(s->world, 0, s->words, s->word_count * sizeof *s->words, &words, &bytes));
    st = comm_agree(s->world, first ? commit(s, words, bytes) : RT_OK);
    free(words);
    return st;
}

static uint64_t saved_bytes(const struct save *s)
{
    return s->manifest->state_bytes + s->manifest->files[0].bytes + s->manifest->files[1].bytes;
}

static rt_status save(struct save *s, int keep)
{
    const bool first = comm_rank(s->world) == 0;

    RT_TRY(comm_agree(s->world, prepare(s, keep)));
    RT_TRY(same_kinds(s));
    RT_TRY(comm_agree(s->world, first ? make_directory(s) : RT_OK));
    const size_t arrays = s->state->tensors->count * (size_t)s->kinds;
    if (first) s->offsets[arrays] = saved_bytes(s);
    RT_TRY(comm_bcast(s->world, 0, s->offsets, (arrays + 1) * sizeof *s->offsets));
    RT_TRY(comm_agree(s->world, save_write(s)));
    RT_TRY(gather_and_commit(s));
    if (first) tidy(s, keep);
    return comm_barrier(s->world); /* nobody goes on to read a directory in motion */
}

rt_status checkpoint_save(struct comm *world, const char *dir, const struct checkpoint_meta *meta,
                          const struct checkpoint_files *files,
                          const struct checkpoint_state *state, int keep,
                          struct checkpoint_report *report)
{
    struct save s = {.world = world, .dir = dir, .meta = meta, .files = files, .state = state};
    const double begun = rt_now_s();
    const rt_status st = save(&s, keep);

    if (st == RT_OK && report != NULL) {
        report->bytes = s.offsets[state->tensors->count * (size_t)s.kinds];
        report->seconds = rt_now_s() - begun;
    }
    if (st != RT_OK && comm_rank(world) == 0 && s.tmp[0] != 0 && file_remove(s.tmp) != RT_OK)
        rt_log(RT_LOG_WARN, "%s was not removed; the next start will", s.tmp);
    manifest_destroy(&s.manifest);
    free(s.offsets);
    free(s.words);
    return st;
}
