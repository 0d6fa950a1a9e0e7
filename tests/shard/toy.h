/* tests/shard/toy.h - a small set of tensors with gaps, in units of different sizes */
#ifndef TESTS_SHARD_TOY_H
#define TESTS_SHARD_TOY_H

#include "runtime/tensor.h"

enum { TOY_UNITS = 5, TOY_TENSORS = 10 };

static const struct rt_tensor toy_items[TOY_TENSORS] = {
    {.name = "embedding", .unit = 0, .dims = 2, .shape = {11, 3}, .offset = 0},
    {.name = "a.matrix", .unit = 1, .dims = 2, .shape = {7, 5}, .offset = 0},
    {.name = "a.norm", .unit = 1, .dims = 1, .shape = {5}, .offset = 64}, /* gap 35..63 */
    {.name = "b.matrix", .unit = 2, .dims = 2, .shape = {7, 5}, .offset = 0},
    {.name = "b.next", .unit = 2, .dims = 2, .shape = {2, 5}, .offset = 35}, /* no gap */
    {.name = "b.norm", .unit = 2, .dims = 1, .shape = {5}, .offset = 64},
    {.name = "c.matrix", .unit = 3, .dims = 2, .shape = {70, 5}, .offset = 0},
    {.name = "c.norm", .unit = 3, .dims = 1, .shape = {5}, .offset = 352},
    {.name = "norm", .unit = 4, .dims = 1, .shape = {3}, .offset = 0},
    {.name = "head", .unit = 4, .dims = 2, .shape = {11, 3}, .offset = 32},
};
static const size_t toy_elements[TOY_UNITS] = {33, 69, 69, 357, 65};
static const struct rt_tensors toy = {.items = toy_items,
                                      .count = TOY_TENSORS,
                                      .unit_elements = toy_elements,
                                      .units = TOY_UNITS,
                                      .parameters = 514};

#endif
