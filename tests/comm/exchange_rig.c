/* tests/comm/exchange_rig.c - see exchange_rig.h */
#include "tests/comm/exchange_rig.h"

#include <stdlib.h>

void rig_meet(struct rig *s)
{
    s->meets++;
    comm_window_signal(s->window, 0, s->meets);
    comm_window_await(s->window, 0, s->meets);
}

void rig_close(struct rig *s)
{
    comm_exchange_destroy(&s->exchange);
    comm_window_destroy(&s->window);
    comm_nodes_destroy(&s->nodes);
    free(s->staging);
    free(s->own);
}

static size_t unit_elements(const struct rig *s) { return s->P * SLICE_MAX; }

/* Where the memory of rank l of the node begins: with a window all have the units in common. */
static float *memory_of(const struct rig *s, bool flat, int l)
{
    float *base = comm_window_base(s->window);
    return base + unit_elements(s) * (size_t)(flat ? l * (UNITS + 1) : UNITS + l);
}

rt_status rig_open(struct rig *s, struct comm *g, int ranks_per_node,
                   const struct comm_exchange_options *options)
{
    struct comm_exchange_options o = *options;
    const size_t P = (size_t)comm_size(g), unit = P * SLICE_MAX * sizeof(float);
    rt_status st = RT_OK;

    *s = (struct rig){.P = P, .rank = (size_t)comm_rank(g)};
    o.slice_max = SLICE_MAX;
    if (o.vector == NULL) o.vector = &rt_vector_ref;
    RT_TRY_OUT(comm_nodes_create(g, ranks_per_node, &s->nodes));
    const size_t L = (size_t)s->nodes->local_size;
    RT_TRY_OUT(comm_window_create(s->nodes, (UNITS + 1) * L * unit, 3, &s->window));
    const size_t bytes = comm_exchange_staging_bytes(s->nodes, &o);
    s->staging = bytes == 0 ? NULL : malloc(bytes);
    s->own = calloc(P * SLICE_MAX, sizeof *s->own);
    o.staging = s->staging;
    RT_TRY_OUT(comm_exchange_create(s->nodes, &o, &s->exchange));
    const int here = s->nodes->local_rank;
    s->mine = memory_of(s, o.flat, here) + (o.flat ? UNITS * unit_elements(s) : 0);
    for (int l = 0; l < s->nodes->local_size; l++)
        s->grads[l] = o.flat ? s->mine : memory_of(s, false, l);
out:
    if (st != RT_OK) rig_close(s);
    return st;
}

void *rig_unit(const struct rig *s, int i)
{
    float *base = comm_window_base(s->window);
    const bool flat =
        s->grads[0] == s->mine && s->mine != memory_of(s, false, s->nodes->local_rank);

    if (flat) base = memory_of(s, true, s->nodes->local_rank);
    return base + (size_t)i * unit_elements(s);
}

float rig_value(size_t rank, size_t i) { return (float)((rank * 31 + i * 7) % 19) - 9; }

void rig_put(void *at, rt_dtype type, size_t i, float v)
{
    if (type == RT_F32)
        ((float *)at)[i] = v;
    else
        ((rt_bf16 *)at)[i] = rt_bf16_from_f32(v);
}

float rig_get(const void *at, rt_dtype type, size_t i)
{
    return type == RT_F32 ? ((const float *)at)[i] : rt_bf16_to_f32(((const rt_bf16 *)at)[i]);
}

struct comm_flag rig_done(struct rig *s)
{
    return (struct comm_flag){.window = s->window, .flag = 2, .value = ++s->gathers};
}

rt_status rig_gather(struct rig *s, int unit, size_t slice, rt_dtype type, int name)
{
    const struct comm_gather g = {
        .unit = rig_unit(s, unit), .slice = slice, .type = type, .done = rig_done(s), .name = name};
    comm_ticket t;

    RT_TRY(comm_gather_post(s->exchange, &g, &t));
    return comm_exchange_wait(s->exchange, t);
}

rt_status rig_reduce(struct rig *s, size_t slice, bool add)
{
    const struct comm_reduction r = {
        .grads = s->grads, .type = RT_F32, .own = s->own, .slice = slice, .add = add, .name = -1};
    comm_ticket t;

    RT_TRY(comm_reduce_post(s->exchange, &r, &t));
    return comm_exchange_wait(s->exchange, t);
}
