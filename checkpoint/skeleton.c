/* checkpoint/skeleton.c - groups, datasets and attributes of state.h5
 *
 *     /                     format, version, step, next_sample, ... (copies of the manifest)
 *     /model/NAME           f32 in full shape; role, unit
 *     /optim/exp_avg/NAME
 *     /optim/exp_avg_sq/NAME
 *
 * Times are not recorded and the format is fixed to that of HDF5 1.10 (its metadata carry
 * checksums), so the same state gives the same file.
 */
#include "checkpoint/skeleton.h"

#include <errno.h>
#include <hdf5.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "checkpoint/manifest.h"

enum { ALIGNMENT = 64 << 10 }; /* bytes; of datasets at least that large */

_Static_assert(sizeof(float) == 4 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "values are written as they lie in memory");

static const char *const kind_groups[MANIFEST_KINDS] = {"model", "optim/exp_avg",
                                                        "optim/exp_avg_sq"};

/* What HDF5 says of the first call that failed. */
struct reason {
    char text[256];
};

static herr_t innermost(unsigned n, const H5E_error2_t *e, void *out)
{
    struct reason *reason = out;

    (void)n;
    snprintf(reason->text, sizeof reason->text, "%s",
             e->desc != NULL ? e->desc : "no reason given");
    return 1; /* stop at the first */
}

static herr_t keep_first_reason(hid_t stack, void *out)
{
    struct reason *reason = out;

    if (reason->text[0] == 0) H5Ewalk2(stack, H5E_WALK_UPWARD, innermost, reason);
    return 0;
}

/* Each returns whether it went well. */
static bool put_scalar(hid_t where, const char *name, hid_t file_type, hid_t type,
                       const void *value)
{
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t a = H5Acreate2(where, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT);
    bool ok = a >= 0 && H5Awrite(a, type, value) >= 0;

    if (a >= 0) ok &= H5Aclose(a) >= 0;
    if (space >= 0) H5Sclose(space);
    return ok;
}

static bool put_u64(hid_t where, const char *name, uint64_t value)
{
    return put_scalar(where, name, H5T_STD_U64LE, H5T_NATIVE_UINT64, &value);
}

static bool put_text(hid_t where, const char *name, const char *text)
{
    const hid_t type = H5Tcopy(H5T_C_S1);
    const bool ok = H5Tset_size(type, strlen(text) + 1) >= 0 &&
                    H5Tset_cset(type, H5T_CSET_UTF8) >= 0 &&
                    put_scalar(where, name, type, type, text);

    if (type >= 0) H5Tclose(type);
    return ok;
}

static bool put_meta(hid_t file, const struct checkpoint_meta *m)
{
    return put_text(file, "format", "recua-checkpoint") && put_u64(file, "version", 1) &&
           put_u64(file, "step", m->step) && put_u64(file, "next_sample", m->next_sample) &&
           put_u64(file, "tokens_total", m->tokens_total) && put_u64(file, "seed", m->seed) &&
           put_u64(file, "data_digest", m->data_digest) &&
           put_u64(file, "tokenizer_digest", m->tokenizer_digest) &&
           put_u64(file, "ranks", (uint64_t)m->ranks) && put_text(file, "run_id", m->run_id) &&
           put_text(file, "model", m->model);
}

static const char *role_name(rt_role r)
{
    return r == RT_ROLE_EMBEDDING ? "embedding" : r == RT_ROLE_MATRIX ? "matrix" : "norm";
}

/* One dataset; *offset gets its first byte in the file. */
static bool put_dataset(hid_t group, hid_t dcpl, const struct rt_tensor *t, uint64_t *offset)
{
    const hsize_t shape[2] = {t->shape[0], t->shape[1]};
    const hid_t space = H5Screate_simple(t->dims, shape, NULL);
    const hid_t d =
        H5Dcreate2(group, t->name, H5T_IEEE_F32LE, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    bool ok =
        d >= 0 && put_text(d, "role", role_name(t->role)) && put_u64(d, "unit", (uint64_t)t->unit);

    if (d >= 0) {
        const haddr_t at = H5Dget_offset(d);
        ok &= at != HADDR_UNDEF;
        *offset = at;
        ok &= H5Dclose(d) >= 0;
    }
    if (space >= 0) H5Sclose(space);
    return ok;
}

/* A group, without the time of its making. */
static hid_t make_group(hid_t file, const char *name)
{
    const hid_t gcpl = H5Pcreate(H5P_GROUP_CREATE);
    hid_t g = -1;

    if (H5Pset_obj_track_times(gcpl, 0) >= 0)
        g = H5Gcreate2(file, name, H5P_DEFAULT, gcpl, H5P_DEFAULT);
    if (gcpl >= 0) H5Pclose(gcpl);
    return g;
}

static bool put_kind(hid_t file, const struct rt_tensors *tensors, int kind, int kinds,
                     uint64_t *offsets)
{
    const hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    const hid_t group = make_group(file, kind_groups[kind]);
    bool ok = group >= 0 && H5Pset_layout(dcpl, H5D_CONTIGUOUS) >= 0 &&
              H5Pset_alloc_time(dcpl, H5D_ALLOC_TIME_EARLY) >= 0 &&
              H5Pset_fill_time(dcpl, H5D_FILL_TIME_NEVER) >= 0 &&
              H5Pset_obj_track_times(dcpl, 0) >= 0;

    for (size_t t = 0; ok && t < tensors->count; t++)
        ok = put_dataset(group, dcpl, &tensors->items[t],
                         &offsets[t * (size_t)kinds + (size_t)kind]);
    if (group >= 0) ok &= H5Gclose(group) >= 0;
    if (dcpl >= 0) H5Pclose(dcpl);
    return ok;
}

static hid_t make_file(const char *path)
{
    const hid_t fapl = H5Pcreate(H5P_FILE_ACCESS), fcpl = H5Pcreate(H5P_FILE_CREATE);
    hid_t file = -1;
    bool ok = H5Pset_libver_bounds(fapl, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0 &&
              H5Pset_alignment(fapl, ALIGNMENT, ALIGNMENT) >= 0 &&
              H5Pset_fclose_degree(fapl, H5F_CLOSE_STRONG) >= 0 &&
              H5Pset_obj_track_times(fcpl, 0) >= 0;

    /* the usual driver would ask for the real path of a file in memory, which has none */
    ok &= H5Pset_fapl_stdio(fapl) >= 0;
    /* nobody else knows of this file */
#if H5_VERSION_GE(1, 12, 1) || (H5_VERSION_GE(1, 10, 7) && !H5_VERSION_GE(1, 12, 0))
    ok &= H5Pset_file_locking(fapl, 0, 1) >= 0;
#endif
    if (ok) file = H5Fcreate(path, H5F_ACC_TRUNC, fcpl, fapl);
    if (fapl >= 0) H5Pclose(fapl);
    if (fcpl >= 0) H5Pclose(fcpl);
    return file;
}

static bool fill_file(hid_t file, const struct checkpoint_meta *meta,
                      const struct rt_tensors *tensors, int kinds, uint64_t *offsets)
{
    bool ok = put_meta(file, meta);

    if (ok && kinds > 1) {
        const hid_t optim = make_group(file, "optim");
        ok = optim >= 0 && H5Gclose(optim) >= 0;
    }
    for (int kind = 0; ok && kind < kinds; kind++)
        ok = put_kind(file, tensors, kind, kinds, offsets);
    return ok;
}

/* The holes count as file size: refuse before HDF5 runs into the limit. */
static rt_status check_limit(const struct rt_tensors *tensors, int kinds)
{
    uint64_t bytes = 1 << 20;
    struct rlimit limit;

    for (size_t t = 0; t < tensors->count; t++)
        bytes += (uint64_t)kinds * (4 * (uint64_t)rt_tensor_count(&tensors->items[t]) + ALIGNMENT);
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
        limit.rlim_cur >= bytes)
        return RT_OK;
    return RT_FAIL(RT_EIO,
                   MANIFEST_STATE " takes up to %" PRIu64
                                  " bytes, the limit on file size is %ju; raise it (ulimit -f)",
                   bytes, (uintmax_t)limit.rlim_cur);
}

rt_status skeleton_create(const struct checkpoint_meta *meta, const struct rt_tensors *tensors,
                          int kinds, uint64_t *offsets, int *fd)
{
    struct reason reason = {""};
    char path[64];
    H5E_auto2_t handler;
    void *handler_data;
    bool ok = false;

    RT_TRY(check_limit(tensors, kinds));
    *fd = memfd_create(MANIFEST_STATE, MFD_CLOEXEC);
    if (*fd < 0) return RT_FAIL(RT_EIO, "a file in memory (memfd_create): %s", strerror(errno));
    snprintf(path, sizeof path, "/proc/self/fd/%d", *fd);

    /* errors are said once, by us, not by HDF5's own handler */
    H5Eget_auto2(H5E_DEFAULT, &handler, &handler_data);
    H5Eset_auto2(H5E_DEFAULT, keep_first_reason, &reason);
    const hid_t file = make_file(path);
    if (file >= 0) {
        ok = fill_file(file, meta, tensors, kinds, offsets);
        ok &= H5Fclose(file) >= 0;
    }
    H5Eset_auto2(H5E_DEFAULT, handler, handler_data);
    if (ok) return RT_OK;
    close(*fd);
    *fd = -1;
    return RT_FAIL(RT_EIO, "HDF5 could not make " MANIFEST_STATE " in memory (%s): %s", path,
                   reason.text[0] != 0 ? reason.text : "no reason given");
}
