/* runtime/data/tokens_open.c - see tokens_open.h */
#include "runtime/data/tokens_open.h"

#include <hdf5.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

static const char again[] = "make one with `recua data prepare`";

static bool get_u64(hid_t file, const char *name, uint64_t *out)
{
    hid_t attribute = H5Aexists(file, name) > 0 ? H5Aopen(file, name, H5P_DEFAULT) : -1;
    if (attribute < 0) return false;
    hid_t space = H5Aget_space(attribute), type = H5Aget_type(attribute);
    bool good = space >= 0 && type >= 0 && H5Sget_simple_extent_npoints(space) == 1 &&
                H5Tget_class(type) == H5T_INTEGER &&
                H5Aread(attribute, H5T_NATIVE_UINT64, out) >= 0;

    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    H5Aclose(attribute);
    return good;
}

/* Is the attribute `format` there, and ours? */
static bool is_ours(hid_t file)
{
    char text[32] = "";
    hid_t attribute = H5Aexists(file, "format") > 0 ? H5Aopen(file, "format", H5P_DEFAULT) : -1;
    if (attribute < 0) return false;
    hid_t type = H5Aget_type(attribute);
    bool good = type >= 0 && H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 &&
                H5Tget_size(type) == strlen(TOKENS_FORMAT) && H5Aread(attribute, type, text) >= 0 &&
                strcmp(text, TOKENS_FORMAT) == 0;

    if (type >= 0) H5Tclose(type);
    H5Aclose(attribute);
    return good;
}

static rt_status read_attributes(hid_t file, const char *path, struct tokens_layout *l)
{
    uint64_t version = 0, vocabulary = 0;
    const struct {
        const char *name;
        uint64_t *value;
    } all[] = {{"vocabulary", &vocabulary},
               {"tokenizer_digest", &l->info.tokenizer_digest},
               {"data_digest", &l->info.data_digest},
               {"train_tokens", &l->info.train},
               {"heldout_tokens", &l->info.heldout},
               {"train_documents", &l->info.train_documents},
               {"heldout_documents", &l->info.heldout_documents},
               {"documents", &l->counted.documents},
               {"excluded", &l->counted.excluded},
               {"bad", &l->counted.bad},
               {"empty", &l->counted.empty},
               {"text_bytes", &l->counted.text_bytes}};

    if (!is_ours(file))
        return RT_FAIL(RT_EDATA, "%s: is HDF5, but no token file (no attribute format \"%s\"); %s",
                       path, TOKENS_FORMAT, again);
    if (!get_u64(file, "version", &version) || version != TOKENS_VERSION)
        return RT_FAIL(RT_EDATA, "%s: is a token file of version %" PRIu64 ", must be %d; %s", path,
                       version, TOKENS_VERSION, again);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (!get_u64(file, all[i].name, all[i].value))
            return RT_FAIL(RT_EDATA, "%s: attribute '%s' is missing or damaged; %s", path,
                           all[i].name, again);
    if (vocabulary < 4 || vocabulary > INT32_MAX)
        return RT_FAIL(RT_EDATA, "%s: vocabulary is %" PRIu64 ", must be from 4 to %d; %s", path,
                       vocabulary, INT32_MAX, again);
    l->info.vocabulary = (int)vocabulary;
    l->info.bytes_per_token = vocabulary <= TOKENS_UINT16_MOST ? 2 : 4;
    return RT_OK;
}

/* Shape, type and layout of an open data set; what is wrong with it, or NULL. */
static const char *measure(hid_t set, size_t element_bytes, struct tokens_extent *out)
{
    hid_t type = H5Dget_type(set), space = H5Dget_space(set), list = H5Dget_create_plist(set);
    hsize_t count = 0;
    const char *wrong = NULL;

    if (type < 0 || space < 0 || list < 0)
        wrong = "cannot be read";
    else if (H5Tget_class(type) != H5T_INTEGER || H5Tget_sign(type) != H5T_SGN_NONE ||
             H5Tget_order(type) == H5T_ORDER_BE || H5Tget_size(type) != element_bytes)
        wrong = "has another type of element";
    else if (H5Sget_simple_extent_ndims(space) != 1 ||
             H5Sget_simple_extent_dims(space, &count, NULL) != 1)
        wrong = "does not have one dimension";
    else if (H5Pget_layout(list) != H5D_CONTIGUOUS || H5Pget_external_count(list) != 0)
        wrong = "is not contiguous";
    out->count = count;
    const haddr_t at = wrong == NULL && count > 0 ? H5Dget_offset(set) : 0;
    if (at == HADDR_UNDEF) wrong = "has no bytes in the file";
    out->offset = at == HADDR_UNDEF ? 0 : (uint64_t)at;
    if (type >= 0) H5Tclose(type);
    if (space >= 0) H5Sclose(space);
    if (list >= 0) H5Pclose(list);
    return wrong;
}

static rt_status read_extent(hid_t file, const char *path, uint64_t file_bytes, const char *name,
                             size_t element_bytes, struct tokens_extent *out)
{
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    if (set < 0) return RT_FAIL(RT_EDATA, "%s: no data set %s; %s", path, name, again);
    const char *wrong = measure(set, element_bytes, out);

    H5Dclose(set);
    if (wrong != NULL) return RT_FAIL(RT_EDATA, "%s: %s %s; %s", path, name, wrong, again);
    if (out->offset > file_bytes || out->count > (file_bytes - out->offset) / element_bytes)
        return RT_FAIL(RT_EDATA,
                       "%s: is truncated: %s should end at byte %" PRIu64 ", the file has %" PRIu64
                       "; %s",
                       path, name, out->offset + out->count * element_bytes, file_bytes, again);
    return RT_OK;
}

static rt_status read_split(hid_t file, const char *path, uint64_t file_bytes, tokens_split split,
                            struct tokens_layout *l)
{
    const bool train = split == TOKENS_TRAIN;
    const uint64_t tokens = train ? l->info.train : l->info.heldout;
    const uint64_t documents = train ? l->info.train_documents : l->info.heldout_documents;
    struct tokens_extent starts;

    RT_TRY(read_extent(file, path, file_bytes, train ? "/train/tokens" : "/heldout/tokens",
                       (size_t)l->info.bytes_per_token, &l->tokens[split]));
    RT_TRY(read_extent(file, path, file_bytes, train ? "/train/documents" : "/heldout/documents", 8,
                       &starts));
    if (l->tokens[split].count != tokens || starts.count != documents)
        return RT_FAIL(RT_EDATA,
                       "%s: %s has %" PRIu64 " tokens and %" PRIu64 " documents, must be %" PRIu64
                       " and %" PRIu64 " by its attributes; %s",
                       path, tokens_split_name(split), l->tokens[split].count, starts.count, tokens,
                       documents, again);
    return RT_OK;
}

static rt_status read_all(hid_t file, const char *path, uint64_t file_bytes,
                          struct tokens_layout *l)
{
    RT_TRY(read_attributes(file, path, l));
    RT_TRY(read_extent(file, path, file_bytes, "/tokenizer", 1, &l->tokenizer));
    RT_TRY(read_split(file, path, file_bytes, TOKENS_TRAIN, l));
    RT_TRY(read_split(file, path, file_bytes, TOKENS_HELDOUT, l));
    if (l->info.train == 0)
        return RT_FAIL(RT_EDATA, "%s: no tokens to train on in it; %s", path, again);
    return RT_OK;
}

rt_status tokens_layout_read(const char *path, uint64_t file_bytes, struct tokens_layout *out)
{
    *out = (struct tokens_layout){0};
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* what is wrong is said once, by us */
    if (H5Fis_hdf5(path) <= 0)
        return RT_FAIL(RT_EDATA, "%s: is no token file (no HDF5); %s", path, again);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file < 0)
        return RT_FAIL(RT_EDATA, "%s: HDF5 cannot open it: truncated or damaged; %s", path, again);
    rt_status st = read_all(file, path, file_bytes, out);
    H5Fclose(file);
    return st;
}
