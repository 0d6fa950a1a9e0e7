/* checkpoint/verify.c - every byte of a checkpoint against its manifest
 *
 * Goes on behind damage, so that all of it is reported.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "checkpoint/block.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/crc32c.h"
#include "checkpoint/file.h"
#include "checkpoint/opened.h"
#include "runtime/trace.h"

/* RT_EDATA is remembered in *worst and the work goes on; anything else ends it. */
static rt_status note(rt_status st, rt_status *worst)
{
    if (st != RT_EDATA) return st;
    *worst = RT_EDATA;
    return RT_OK;
}

static rt_status verify_gap(const struct manifest_gap *g, int fd, const char *path)
{
    unsigned char part[4096];
    uint32_t crc = 0;

    for (uint64_t done = 0; done < g->bytes;) {
        const size_t n = g->bytes - done < sizeof part ? (size_t)(g->bytes - done) : sizeof part;
        RT_TRY(file_read(fd, path, part, n, g->offset + done));
        crc = crc32c(crc, part, n);
        done += n;
    }
    if (crc == g->crc) return RT_OK;
    return RT_FAIL(RT_EDATA,
                   "%s: the HDF5 structure is damaged in bytes %" PRIu64 " to %" PRIu64
                   "; training can still resume from it, HDF5 tools may not read it",
                   path, g->offset, g->offset + g->bytes - 1);
}

static rt_status verify_array(const struct block_source *s, float *values)
{
    const struct manifest_tensor *t = s->tensor;
    const struct digest *said = &t->arrays[s->kind].digest;
    struct digest is = {0};
    rt_status worst = RT_OK;

    for (size_t e = t->first_extent; e < t->first_extent + t->extent_count; e++) {
        const struct manifest_extent *x = &s->manifest->extents[e];
        for (size_t b = 0; b < manifest_blocks(x->count); b++) {
            RT_TRY(note(block_read(s, x, b, values), &worst));
            (void)digest_add(&is, x->start + (uint64_t)b * MANIFEST_BLOCK, values,
                             block_count(x, b));
        }
    }
    if (worst == RT_OK && (is.low != said->low || is.high != said->high))
        return RT_FAIL(RT_EDATA, "%s: tensor %s (%s): its digest is not the manifest's", s->path,
                       t->name, manifest_kind_names[s->kind]);
    return worst;
}

static rt_status verify_state(const struct manifest *m, int fd, const char *path, float *values)
{
    rt_status worst = RT_OK;

    for (size_t g = 0; g < m->gap_count; g++)
        RT_TRY(note(verify_gap(&m->gaps[g], fd, path), &worst));
    for (size_t t = 0; t < m->tensor_count; t++) {
        for (int kind = 0; kind < m->kinds; kind++) {
            const struct block_source s = {m, &m->tensors[t], kind, fd, path};
            RT_TRY(note(verify_array(&s, values), &worst));
        }
    }
    return worst;
}

static rt_status verify_files(const struct checkpoint *c)
{
    rt_status worst = RT_OK;

    for (int i = 0; i < MANIFEST_FILES; i++) {
        void *bytes;
        size_t n;
        RT_TRY(note(checkpoint_file(c, manifest_file_names[i], &bytes, &n), &worst));
        free(bytes);
    }
    return worst;
}

rt_status checkpoint_verify(const char *step_dir, struct checkpoint_report *report)
{
    const double begun = rt_now_s();
    char path[PATH_MAX];
    struct checkpoint *c = NULL;
    float *values = NULL;
    int fd = -1;
    rt_status st, worst = RT_OK;

    st = opened_step(step_dir, &c);
    if (st == RT_EMISSING)
        return RT_FAIL(RT_EDATA, "%s has no " MANIFEST_FILE ": not a checkpoint", step_dir);
    RT_TRY(st);
    const struct manifest *m = opened_manifest(c);
    values = malloc(MANIFEST_BLOCK_BYTES);
    if (values == NULL) {
        st = RT_FAIL(RT_ENOMEM, "a block of %d bytes", MANIFEST_BLOCK_BYTES);
        goto out;
    }
    RT_TRY_OUT(file_path(path, checkpoint_path(c), MANIFEST_STATE));
    RT_TRY_OUT(note(verify_files(c), &worst));
    RT_TRY_OUT(file_open(path, O_RDONLY, &fd));
    RT_TRY_OUT(note(verify_state(m, fd, path, values), &worst));
    st = worst;
    if (report != NULL && st == RT_OK) {
        report->bytes = m->state_bytes + m->files[0].bytes + m->files[1].bytes;
        report->seconds = rt_now_s() - begun;
    }
out:
    if (fd >= 0) close(fd);
    free(values);
    checkpoint_close(&c);
    return st;
}
