/* runtime/data/tokens_open.h - where everything lies in a token file, as HDF5 tells and as checked
 */
#ifndef DATA_TOKENS_OPEN_H
#define DATA_TOKENS_OPEN_H

#include "runtime/data/tokens_format.h"

/* A contiguous data set. */
struct tokens_extent {
    uint64_t offset, count; /* bytes from the beginning of the file; elements */
};

struct tokens_layout {
    struct tokens_info info;
    struct tokens_counted counted;
    struct tokens_extent tokens[2]; /* by split */
    struct tokens_extent tokenizer;
};

/* Every extent lies within `file_bytes`. RT_EDATA: foreign, truncated or damaged. */
RT_NODISCARD rt_status tokens_layout_read(const char *path, uint64_t file_bytes,
                                          struct tokens_layout *out);

#endif
