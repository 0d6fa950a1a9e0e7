/* tests/checkpoint/test_skeleton.c - checkpoint/skeleton.h: the largest model, in little memory */
#include "checkpoint/skeleton.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/check.h"

enum { LAYERS = 80, A_LAYER = 9, TENSORS = LAYERS * A_LAYER, KINDS = 3 };

/* The blocks of a 70B model: about 800 GB of state. */
static void fill(struct rt_tensor *items)
{
    static const size_t rows[A_LAYER] = {8192, 8192, 1024, 1024, 8192, 8192, 28672, 8192, 28672};

    for (int i = 0; i < TENSORS; i++) {
        const bool norm = i % A_LAYER == 0 || i % A_LAYER == 5;
        items[i] = (struct rt_tensor){.unit = 1 + i / A_LAYER,
                                      .role = norm ? RT_ROLE_NORM : RT_ROLE_MATRIX,
                                      .dims = norm ? 1 : 2,
                                      .shape = {rows[i % A_LAYER], norm ? 0 : 8192}};
        snprintf(items[i].name, sizeof items[i].name, "layers.%d.tensor%d.weight", i / A_LAYER,
                 i % A_LAYER);
    }
}

static void the_largest_model_takes_little_memory(void)
{
    struct rt_tensor *items = calloc(TENSORS, sizeof *items);
    uint64_t *offsets = calloc(TENSORS * KINDS, sizeof *offsets), values = 0;
    const struct checkpoint_meta meta = {.ranks = 1, .model = "{}", .run_id = "largest"};
    const struct rt_tensors tensors = {items, TENSORS, NULL, LAYERS, 0};
    struct stat s = {0};
    int fd = -1;

    if (!CHECK(items != NULL && offsets != NULL)) return;
    fill(items);
    if (CHECK_OK(skeleton_create(&meta, &tensors, KINDS, offsets, &fd))) {
        CHECK(fstat(fd, &s) == 0);
        for (int i = 0; i < TENSORS * KINDS; i++) {
            const uint64_t bytes = 4 * (uint64_t)rt_tensor_count(&items[i / KINDS]);
            values += bytes;
            CHECK(bytes < 65536 || offsets[i] % 65536 == 0);
            CHECK(offsets[i] + bytes <= (uint64_t)s.st_size);
        }
        CHECK((uint64_t)s.st_size > values);
        CHECK((uint64_t)s.st_size - values < (uint64_t)TENSORS * KINDS * 65536);
        CHECK((uint64_t)s.st_blocks * 512 < 32 << 20); /* the values are holes */
        close(fd);
    }
    free(offsets);
    free(items);
}

int main(void)
{
    the_largest_model_takes_little_memory();
    return check_failures != 0;
}
