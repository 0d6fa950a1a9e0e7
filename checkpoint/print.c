/* checkpoint/print.c - what is in a checkpoint, for people */
#include <inttypes.h>
#include <stdio.h>

#include "checkpoint/checkpoint.h"
#include "checkpoint/opened.h"

rt_status checkpoint_print(const struct checkpoint *c, FILE *out)
{
    const struct manifest *m = opened_manifest(c);
    const struct checkpoint_meta *meta = &m->meta;
    uint64_t parameters = 0;

    for (size_t i = 0; i < m->tensor_count; i++) parameters += m->tensors[i].count;
    fprintf(out, "checkpoint   %s\n", checkpoint_path(c));
    fprintf(out, "run          %s\n", meta->run_id);
    fprintf(out, "step         %" PRIu64 "\n", meta->step);
    fprintf(out, "tokens       %" PRIu64 "\n", meta->tokens_total);
    fprintf(out, "next sample  %" PRIu64 "\n", meta->next_sample);
    fprintf(out, "seed         %" PRIu64 "\n", meta->seed);
    fprintf(out, "saved by     %d ranks\n", meta->ranks);
    fprintf(out, "model        %s\n", meta->model);
    fprintf(out, "data         digest %016" PRIx64 "\n", meta->data_digest);
    fprintf(out, "tokenizer    digest %016" PRIx64 "\n", meta->tokenizer_digest);
    fprintf(out, "parameters   %" PRIu64 " in %zu tensors, %s\n", parameters, m->tensor_count,
            m->kinds == 1 ? "weights only" : "with both moments");
    fprintf(out, "values       %s\n", m->tainted ? "tainted: some are NaN or infinite" : "finite");
    fprintf(out, "file         %-16s %15" PRIu64 " bytes\n", MANIFEST_STATE, m->state_bytes);
    for (int i = 0; i < MANIFEST_FILES; i++)
        fprintf(out, "file         %-16s %15" PRIu64 " bytes\n", manifest_file_names[i],
                m->files[i].bytes);
    fprintf(out, "\n%-44s %-16s %s\n", "tensor", "shape", "digest of the weights");
    for (size_t i = 0; i < m->tensor_count; i++) {
        const struct manifest_tensor *t = &m->tensors[i];
        char shape[48];
        if (t->dims == 1)
            snprintf(shape, sizeof shape, "%" PRIu64, t->shape[0]);
        else
            snprintf(shape, sizeof shape, "%" PRIu64 " x %" PRIu64, t->shape[0], t->shape[1]);
        fprintf(out, "%-44s %-16s %016" PRIx64 "%016" PRIx64 "\n", t->name, shape,
                t->arrays[0].digest.high, t->arrays[0].digest.low);
    }
    return ferror(out) ? RT_FAIL(RT_EIO, "the listing could not be written") : RT_OK;
}
