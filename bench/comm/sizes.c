/* bench/comm/sizes.c - see sizes.h */
#include "bench/comm/sizes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/options.h"

enum { SHAPE_UNITS = 3, FACTOR_MAX = 1024, TEXT_MAX = 4096 };
static const size_t bytes_max = (size_t)1 << 46; /* 64 TiB */

/* The model numbers of jobs/runs/NAME.yaml; a test holds the two against each other. */
static const struct {
    const char *name;
    struct model_config model;
} shapes[] = {
    {"7b", {32, 4096, 32, 32, 11008, 32000, 4096, 10000, 1e-5}},
    {"13b", {40, 5120, 40, 40, 13824, 32000, 4096, 10000, 1e-5}},
    {"34b", {48, 8192, 64, 8, 22016, 32000, 4096, 10000, 1e-5}},
    {"70b", {80, 8192, 64, 8, 28672, 32000, 4096, 10000, 1e-5}},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static size_t one_size(const struct argp_state *state, const char *text)
{
    const uint64_t bytes = option_bytes(state, "--sizes", text);

    if (bytes < 1 || bytes > bytes_max)
        argp_error(state, "--sizes has '%s', must be from 1 byte to 64T", text);
    return (size_t)bytes;
}

static void add(const struct argp_state *state, struct bench_size *sizes, size_t *count,
                size_t bytes)
{
    if (*count == BENCH_SIZES_MAX)
        argp_error(state, "--sizes are more than %d: take a larger factor", BENCH_SIZES_MAX);
    if (*count > 0 && bytes <= sizes[*count - 1].bytes)
        argp_error(state, "--sizes must ascend, and %zu follows %zu", bytes,
                   sizes[*count - 1].bytes);
    sizes[(*count)++] = (struct bench_size){.bytes = bytes};
}

static void parse_range(const struct argp_state *state, char *text, struct bench_size *sizes,
                        size_t *count)
{
    char *rest = text;
    const char *from = strsep(&rest, ":"), *to = strsep(&rest, ":"), *by = strsep(&rest, ":");
    const size_t first = one_size(state, from), last = one_size(state, to);
    const size_t factor =
        by == NULL ? 2 : (size_t)option_integer(state, "the factor of --sizes", by, 2, FACTOR_MAX);

    if (rest != NULL) argp_error(state, "--sizes are FROM:TO:FACTOR, and ':%s' follows", rest);
    if (last < first) argp_error(state, "--sizes end with %s, before %s", to, from);
    for (size_t b = first; b <= last; b *= factor) add(state, sizes, count, b);
}

void bench_sizes_parse(const struct argp_state *state, const char *text, struct bench_size **out,
                       size_t *count)
{
    struct bench_size *sizes = calloc(BENCH_SIZES_MAX, sizeof *sizes);
    char copy[TEXT_MAX];
    char *rest = copy;

    if (sizes == NULL || strlen(text) >= sizeof copy)
        argp_failure(state, 2, 0, "--sizes is longer than %d characters", TEXT_MAX - 1);
    snprintf(copy, sizeof copy, "%s", text);
    *count = 0;
    if (strchr(text, ':') != NULL)
        parse_range(state, copy, sizes, count);
    else
        while (rest != NULL) add(state, sizes, count, one_size(state, strsep(&rest, ",")));
    free(*out);
    *out = sizes;
}

const struct model_config *bench_shape_find(const char *name)
{
    for (size_t i = 0; i < SHAPES; i++)
        if (strcmp(shapes[i].name, name) == 0) return &shapes[i].model;
    return NULL;
}

rt_status bench_shape_sizes(const char *name, rt_dtype type, struct bench_size **out, size_t *count)
{
    static const char *const units[SHAPE_UNITS] = {"embedding", "block", "head"};
    struct bench_size *sizes = calloc(SHAPE_UNITS, sizeof *sizes);
    struct rt_tensors *tensors = NULL;
    rt_status st = sizes == NULL ? RT_FAIL(RT_ENOMEM, "no memory for three sizes") : RT_OK;

    if (st == RT_OK) st = model_tensors_create(bench_shape_find(name), &tensors);
    if (st == RT_OK) {
        const int unit_of[SHAPE_UNITS] = {0, 1, tensors->units - 1};
        for (int u = 0; u < SHAPE_UNITS; u++) {
            sizes[u].bytes = tensors->unit_elements[unit_of[u]] * rt_dtype_bytes(type);
            snprintf(sizes[u].label, sizeof sizes[u].label, "%s %s", name, units[u]);
        }
        free(*out);
        *out = sizes;
        *count = SHAPE_UNITS;
        sizes = NULL; /* the caller's now */
    }
    model_tensors_destroy(&tensors);
    free(sizes);
    return st;
}
