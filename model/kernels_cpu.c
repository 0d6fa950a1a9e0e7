/* model/kernels_cpu.c - the table of the CPU backend, and its state */
#include "model/kernels_cpu.h"

#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "model/kernels_impl.h"

const struct kernels kernels_cpu = {
    .name = "cpu",
    .scratch_bytes = scratch_bytes_cpu,
    .open = open_cpu,
    .close = close_cpu,
    .matmul = matmul_cpu,
    .rmsnorm_fwd = rmsnorm_fwd_cpu,
    .rmsnorm_bwd = rmsnorm_bwd_cpu,
    .rope = rope_cpu,
    .attention_fwd = attention_fwd_cpu,
    .attention_bwd = attention_bwd_cpu,
    .attention_cached = attention_cached_cpu,
    .swiglu_fwd = swiglu_fwd_cpu,
    .swiglu_bwd = swiglu_bwd_cpu,
    .embedding_fwd = embedding_fwd_cpu,
    .embedding_bwd = embedding_bwd_cpu,
    .crossentropy = crossentropy_cpu,
    .cast = cast_cpu,
};

int cpu_threads(void)
{
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

static size_t max_size(size_t a, size_t b) { return a > b ? a : b; }

/* What oneDNN wants for the three products (forward, input gradient, weight gradient) of an (out,in)
 * matrix with these rows. A product that oneDNN refuses fails again, with its text, when it is
 * called. */
static size_t matrix_bytes(dnnl_engine_t engine, int rows, int out, int in, rt_dtype dt)
{
    const struct matmul_key keys[] = {
        {rows, out, in, in, in, out, dt, dt, dt, false, true, false},
        {rows, out, in, in, in, out, dt, dt, RT_F32, false, true, true},
        {rows, in, out, out, in, in, dt, dt, dt, false, false, false},
        {out, in, rows, out, in, in, dt, dt, RT_F32, true, false, false},
    };
    size_t most = 0, bytes;

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (matmul_plan_scratch(engine, &keys[i], &bytes) == RT_OK) most = max_size(most, bytes);
    return most;
}

static size_t matmul_bytes(int rows, int dim, int ffn_dim, int vocabulary, rt_dtype dt)
{
    const int shapes[][2] = {
        {dim, dim}, {3 * dim, dim}, {2 * ffn_dim, dim}, {dim, ffn_dim}, {vocabulary, dim}};
    dnnl_engine_t engine = NULL;
    size_t most = 0;

    if (dt == RT_BF16 && !matmul_fast_bf16()) dt = RT_F32;
    if (dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success) return most;
    for (int part = rows; part > 0 && part >= rows / 8; part /= 2)
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
            most = max_size(most, matrix_bytes(engine, part, shapes[i][0], shapes[i][1], dt));
    dnnl_engine_destroy(engine);
    return most;
}

size_t scratch_bytes_cpu(int rows, int dim, int ffn_dim, int vocabulary, int heads, int context,
                         rt_dtype dt)
{
    size_t work = matmul_bytes(rows, dim, ffn_dim, vocabulary, dt);

    work = max_size(work, rmsnorm_cpu_bytes(dim));
    work = max_size(work, attention_cpu_bytes(context, dim / heads));
    if (!matmul_fast_bf16()) work = cpu_align(work) + matmul_convert_bytes();
    return cpu_align(sizeof(struct kernels_state)) + cpu_align(work) + CPU_ALIGN;
}

rt_status open_cpu(void *scratch, size_t bytes, struct kernels_state **out)
{
    char *first = (char *)cpu_align((uintptr_t)scratch);
    const size_t state =
        (size_t)(first - (char *)scratch) + cpu_align(sizeof(struct kernels_state));
    struct kernels_state *s = (struct kernels_state *)(void *)first;
    rt_status st = RT_OK;

    *out = NULL;
    if (bytes < state)
        return RT_FAIL(RT_EINVAL, "scratch of the cpu kernels is %zu bytes, needs at least %zu",
                       bytes, state);
    memset(s, 0, sizeof *s);
    s->work = first + cpu_align(sizeof *s);
    s->work_bytes = bytes - state;
    s->fast_bf16 = matmul_fast_bf16();
    if (!s->fast_bf16 && s->work_bytes >= matmul_convert_bytes()) {
        s->work_bytes = (s->work_bytes - matmul_convert_bytes()) / CPU_ALIGN * CPU_ALIGN;
        s->convert = (float *)(void *)(s->work + s->work_bytes);
    }
    if (dnnl_engine_create(&s->engine, dnnl_cpu, 0) != dnnl_success ||
        dnnl_stream_create(&s->stream, s->engine, dnnl_stream_default_flags) != dnnl_success) {
        st = RT_FAIL(RT_EDEVICE, "oneDNN gives no engine and stream on this CPU");
        close_cpu(&s);
    }
    *out = s;
    return st;
}

void close_cpu(struct kernels_state **s)
{
    if (*s == NULL) return;
    matmul_plans_clear(*s);
    if ((*s)->stream != NULL) dnnl_stream_destroy((*s)->stream);
    if ((*s)->engine != NULL) dnnl_engine_destroy((*s)->engine);
    *s = NULL;
}

rt_status cpu_workspace(struct kernels_state *s, const char *what, size_t bytes, void **out)
{
    *out = s->work;
    if (bytes <= s->work_bytes) return RT_OK;
    return RT_FAIL(RT_EINVAL, "%s needs %zu bytes of scratch, the cpu kernels were opened with %zu",
                   what, bytes, s->work_bytes);
}
