/* tests/model/fixture.h - reads what record_torch.py wrote */
#ifndef TESTS_MODEL_FIXTURE_H
#define TESTS_MODEL_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/model.h"

struct fixture_tensor {
    char name[96];
    size_t count;
    const void *data; /* f32, f64 or i32: the name tells */
};

struct fixture {
    struct model_config c;
    int B, T;
    struct fixture_tensor tensors[512];
    size_t count;
    void *bytes;
};

/* false, having said why, when the file is not there or not whole. */
bool fixture_read(const char *path, struct fixture *f);
void fixture_free(struct fixture *f);

/* The tensor called prefix + name, of `count` elements; NULL, having said so, when there is none.
 */
const void *fixture_find(const struct fixture *f, const char *prefix, const char *name,
                         size_t count);

#endif
