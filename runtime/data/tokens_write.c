/* runtime/data/tokens_write.c - the skeleton of a token file; see tokens_format.h */
#include "runtime/data/tokens_format.h"

#include <hdf5.h>
#include <stdbool.h>
#include <string.h>

enum { ALIGNMENT = 4096 }; /* of data sets, so that mapped tokens begin on a page */

static bool put_string(hid_t file, const char *name, const char *text)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    bool good = H5Tset_size(type, strlen(text)) >= 0;
    hid_t attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);

    good = good && attribute >= 0 && H5Awrite(attribute, type, text) >= 0;
    if (attribute >= 0) good = H5Aclose(attribute) >= 0 && good;
    H5Sclose(space);
    H5Tclose(type);
    return good;
}

static bool put_u64(hid_t file, const char *name, uint64_t value)
{
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(file, name, H5T_STD_U64LE, space, H5P_DEFAULT, H5P_DEFAULT);
    bool good = attribute >= 0 && H5Awrite(attribute, H5T_NATIVE_UINT64, &value) >= 0;

    if (attribute >= 0) good = H5Aclose(attribute) >= 0 && good;
    H5Sclose(space);
    return good;
}

static bool put_attributes(hid_t file, const struct tokens_info *info,
                           const struct tokens_counted *counted)
{
    const struct {
        const char *name;
        uint64_t value;
    } all[] = {{"version", TOKENS_VERSION},
               {"vocabulary", (uint64_t)info->vocabulary},
               {"tokenizer_digest", info->tokenizer_digest},
               {"data_digest", 0},
               {"train_tokens", info->train},
               {"heldout_tokens", info->heldout},
               {"train_documents", info->train_documents},
               {"heldout_documents", info->heldout_documents},
               {"documents", counted->documents},
               {"excluded", counted->excluded},
               {"bad", counted->bad},
               {"empty", counted->empty},
               {"text_bytes", counted->text_bytes}};

    if (!put_string(file, "format", TOKENS_FORMAT)) return false;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (!put_u64(file, all[i].name, all[i].value)) return false;
    return true;
}

/* A contiguous data set of `count` elements; its offset, or 0 if it is empty. `data` may be NULL. */
static bool put_dataset(hid_t where, const char *name, hid_t type, hsize_t count, const void *data,
                        uint64_t *offset)
{
    hid_t list = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, &count, NULL);
    bool good = H5Pset_layout(list, H5D_CONTIGUOUS) >= 0 &&
                H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY) >= 0 &&
                H5Pset_fill_time(list, H5D_FILL_TIME_NEVER) >= 0 &&
                H5Pset_obj_track_times(list, false) >= 0;
    hid_t set = good ? H5Dcreate2(where, name, type, space, H5P_DEFAULT, list, H5P_DEFAULT) : -1;

    *offset = 0;
    good = set >= 0;
    if (good && data != NULL) good = H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0;
    if (good && count > 0) {
        const haddr_t at = H5Dget_offset(set);
        good = at != HADDR_UNDEF;
        *offset = (uint64_t)at;
    }
    if (set >= 0) good = H5Dclose(set) >= 0 && good;
    H5Sclose(space);
    H5Pclose(list);
    return good;
}

static bool put_split(hid_t file, const char *name, hid_t type, uint64_t tokens, uint64_t documents,
                      struct tokens_place *place)
{
    hid_t list = H5Pcreate(H5P_GROUP_CREATE);
    H5Pset_obj_track_times(list, false);
    hid_t group = H5Gcreate2(file, name, H5P_DEFAULT, list, H5P_DEFAULT);
    bool good = group >= 0 && put_dataset(group, "tokens", type, tokens, NULL, &place->tokens) &&
                put_dataset(group, "documents", H5T_STD_U64LE, documents, NULL, &place->documents);

    if (group >= 0) good = H5Gclose(group) >= 0 && good;
    H5Pclose(list);
    return good;
}

static hid_t create_file(const char *path)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), creation = H5Pcreate(H5P_FILE_CREATE);
    hid_t file = -1;

    if (H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0 &&
        H5Pset_alignment(access, ALIGNMENT, ALIGNMENT) >= 0 &&
        H5Pset_obj_track_times(creation, false) >= 0)
        file = H5Fcreate(path, H5F_ACC_TRUNC, creation, access);
    H5Pclose(access);
    H5Pclose(creation);
    return file;
}

rt_status tokens_skeleton(const char *path, const struct tokens_info *info,
                          const struct tokens_counted *counted, const void *tokenizer,
                          size_t tokenizer_bytes, struct tokens_place places[2])
{
    uint64_t unused;

    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* what fails is said once, by us */
    const hid_t type = info->bytes_per_token == 2 ? H5T_STD_U16LE : H5T_STD_U32LE;
    const hid_t file = create_file(path);
    bool good =
        file >= 0 && put_attributes(file, info, counted) &&
        put_dataset(file, "tokenizer", H5T_STD_U8LE, tokenizer_bytes, tokenizer, &unused) &&
        put_split(file, "train", type, info->train, info->train_documents, &places[TOKENS_TRAIN]) &&
        put_split(file, "heldout", type, info->heldout, info->heldout_documents,
                  &places[TOKENS_HELDOUT]);
    if (file >= 0) good = H5Fclose(file) >= 0 && good;
    if (!good)
        return RT_FAIL(RT_EIO, "%s: HDF5 cannot make a file of %llu tokens; is the disk full?",
                       path, (unsigned long long)(info->train + info->heldout));
    return RT_OK;
}

rt_status tokens_seal(const char *path, uint64_t data_digest)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t attribute = file >= 0 ? H5Aopen(file, "data_digest", H5P_DEFAULT) : -1;
    bool good = attribute >= 0 && H5Awrite(attribute, H5T_NATIVE_UINT64, &data_digest) >= 0;

    if (attribute >= 0) good = H5Aclose(attribute) >= 0 && good;
    if (file >= 0) good = H5Fclose(file) >= 0 && good;
    return good ? RT_OK : RT_FAIL(RT_EIO, "%s: HDF5 cannot write the data digest", path);
}
