/* tests/model/test_cpu_backend.c - what the cpu backend promises beyond ref's numbers: the table of
 * matmul plans, scratch limits, bits that do not depend on threads, the way without fast bf16
 *
 *     test_cpu_backend [slow]      slow: run with ONEDNN_MAX_CPU_ISA=AVX2, where bf16 is not fast
 */
#include <stdlib.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "model/kernels_cpu.h"
#include "model/peak.h"
#include "runtime/rng.h"
#include "tests/check.h"
#include "tests/runtime/capture.h"

static const struct kernels *const k = &kernels_cpu;

struct opened {
    void *scratch;
    struct kernels_state *state;
};

static struct opened open_with(size_t bytes)
{
    struct opened o = {.scratch = aligned_alloc(64, (bytes + 63) / 64 * 64)};

    if (o.scratch == NULL) abort();
    CHECK_OK(k->open(o.scratch, bytes, &o.state));
    return o;
}

static void close_again(struct opened *o)
{
    k->close(&o->state);
    CHECK(o->state == NULL);
    free(o->scratch);
}

static size_t usual_bytes(void) { return k->scratch_bytes(128, 64, 96, 128, 4, 100, RT_BF16); }

static void *numbers(size_t n, rt_dtype dt, const char *purpose)
{
    void *p = aligned_alloc(64, (n * 4 + 63) / 64 * 64);

    if (p == NULL) abort();
    for (size_t i = 0; i < n; i++) {
        const float x = (float)rt_rng_normal(rt_rng_key(1, purpose), i);
        if (dt == RT_F32)
            ((float *)p)[i] = x;
        else
            ((rt_bf16 *)p)[i] = rt_bf16_from_f32(x);
    }
    return p;
}

enum { SIDE = 40 };

/* a (n,n) of ones times b (n,n): every row is the column sums of b, whole numbers. */
static void multiply_ones(struct kernels_state *s, int n, rt_dtype dt)
{
    static float a[SIDE * SIDE], b[SIDE * SIDE], out[SIDE * SIDE], add[SIDE * SIDE];
    struct kernels_matmul m = {.a = a, .b = b, .out = out, .add = add, .M = n, .N = n, .K = n};
    bool right = true;

    for (int i = 0; i < n * n; i++) {
        add[i] = (float)(i % 3);
        if (dt == RT_F32) {
            a[i] = 1;
            b[i] = (float)(i % n);
        } else {
            ((rt_bf16 *)a)[i] = rt_bf16_from_f32(1);
            ((rt_bf16 *)b)[i] = rt_bf16_from_f32((float)(i % n));
        }
    }
    m.at = m.bt = dt;
    m.ot = RT_F32;
    CHECK_OK(k->matmul(s, NULL, &m));
    for (int i = 0; i < n * n; i++) right = right && out[i] == (float)(n * (i % n) + i % 3);
    CHECK(right);
}

/* More shapes than the table holds, twice: plans are made again where they had to go. */
static void more_shapes_than_plans(rt_dtype dt)
{
    struct opened o = open_with(usual_bytes());

    for (int round = 0; round < 2; round++) {
        for (int n = 1; n <= SIDE; n++) multiply_ones(o.state, n, RT_F32);
        for (int n = SIDE; n >= 1; n--) multiply_ones(o.state, n, dt);
    }
    close_again(&o);
}

/* Without a workspace matmul goes on with oneDNN's own memory, attention refuses. */
static void too_little_scratch_is_told(void)
{
    const struct kernels_attention a = {.B = 1, .T = 100, .H = 1, .K = 1, .D = 8, .dt = RT_F32};
    static float qkv[100 * 24], out[800], lse[100];
    struct opened o = open_with(cpu_align(sizeof(struct kernels_state)) + CPU_ALIGN);
    struct kernels_state *none = NULL;
    char text[512], small[64];

    multiply_ones(o.state, SIDE, RT_F32);
    struct capture c = capture_begin();
    CHECK(k->attention_fwd(o.state, NULL, out, lse, qkv, &a) == RT_EINVAL);
    CHECK(k->open(small, sizeof small, &none) == RT_EINVAL && none == NULL);
    capture_end(&c, text, sizeof text);
    CHECK(strstr(text, "attention needs") != NULL);
    CHECK(strstr(text, "scratch of the cpu kernels is 64 bytes") != NULL);
    close_again(&o);
}

static void set_threads(int n)
{
#ifdef _OPENMP
    omp_set_num_threads(n);
#else
    (void)n;
#endif
}

enum { N = 200, C = 64, V = 50, ROW = (4 + 2 * 2) * 16 };

struct results {
    float dx[N * C], dw[C], embedding[V * C], lse[N * 4], losses[N];
    float out[N * C], dqkv[N * ROW];
};

/* The kernels whose sums cross rows, with some threads. */
static void compute(struct results *r, int threads)
{
    const struct kernels_attention a = {.B = 2, .T = N / 2, .H = 4, .K = 2, .D = 16, .dt = RT_F32};
    float *x = numbers(N * C, RT_F32, "x"), *w = numbers(C, RT_F32, "w");
    float *qkv = numbers(N * ROW, RT_F32, "qkv"), *rstd = numbers(N, RT_F32, "rstd");
    int32_t tokens[N];

    set_threads(threads);
    struct opened o = open_with(usual_bytes());
    for (int i = 0; i < N; i++) tokens[i] = i * 7 % V;
    memset(r, 0, sizeof *r);
    CHECK_OK(k->rmsnorm_bwd(o.state, NULL, r->dx, r->dw, qkv, x, w, rstd, N, C, RT_F32));
    CHECK_OK(k->embedding_bwd(NULL, r->embedding, x, tokens, N, C, V));
    CHECK_OK(k->crossentropy(NULL, r->losses, NULL, x, tokens, N, C, 1, RT_F32));
    CHECK_OK(k->attention_fwd(o.state, NULL, r->out, r->lse, qkv, &a));
    CHECK_OK(k->attention_bwd(o.state, NULL, r->dqkv, x, qkv, r->out, r->lse, &a));
    close_again(&o);
    free(x);
    free(w);
    free(qkv);
    free(rstd);
}

static void the_bits_do_not_depend_on_the_threads(void)
{
    struct results *one = malloc(sizeof *one), *three = malloc(sizeof *three);

    if (one == NULL || three == NULL) abort();
    compute(one, 1);
    compute(three, 3);
    set_threads(1);
    CHECK(memcmp(one, three, sizeof *one) == 0);
    free(one);
    free(three);
}

/* A bf16 product larger than one block of the way through f32, all four forms, against f32. */
static void bf16_is_right_where_it_is_not_fast(int M, int N_, int K)
{
    struct opened o = open_with(k->scratch_bytes(1024, 64, 64, 64, 1, 1, RT_BF16));
    void *a = numbers((size_t)M * (size_t)K, RT_BF16, "a");
    void *b = numbers((size_t)K * (size_t)N_, RT_BF16, "b");
    float *out = malloc((size_t)M * (size_t)N_ * sizeof *out);

    for (int form = 0; form < 4 && out != NULL; form++) {
        const size_t i = (size_t)M - 1, j = (size_t)N_ - 1;
        const size_t ai = form & 1 ? i : i * (size_t)K, ak = form & 1 ? (size_t)M : 1;
        const size_t bj = form & 2 ? j * (size_t)K : j, bk = form & 2 ? 1 : (size_t)N_;
        struct kernels_matmul m = {.a = a,
                                   .b = b,
                                   .out = out,
                                   .at = RT_BF16,
                                   .bt = RT_BF16,
                                   .ot = RT_F32,
                                   .transpose_a = form & 1,
                                   .transpose_b = form & 2,
                                   .M = M,
                                   .N = N_,
                                   .K = K};
        double want = 0, size = 0;

        CHECK_OK(k->matmul(o.state, NULL, &m));
        for (size_t d = 0; d < (size_t)K; d++) {
            const double x = (double)rt_bf16_to_f32(((rt_bf16 *)a)[ai + d * ak]);
            const double y = (double)rt_bf16_to_f32(((rt_bf16 *)b)[bj + d * bk]);
            want += x * y;
            size += fabs(x * y);
        }
        CHECK_NEAR((double)out[i * (size_t)N_ + j], want, 0, 1e-6 * size);
    }
    close_again(&o);
    free(a);
    free(b);
    free(out);
}

static void slow_bf16_is_said_once(bool slow)
{
    struct opened o = open_with(usual_bytes());
    char text[1024], *first;
    struct capture c = capture_begin();

    multiply_ones(o.state, 8, RT_F32);
    multiply_ones(o.state, 8, RT_BF16);
    multiply_ones(o.state, 9, RT_BF16);
    capture_end(&c, text, sizeof text);
    first = strstr(text, "no fast bf16");
    CHECK((first != NULL) == slow);
    CHECK(first == NULL || strstr(first + 1, "no fast bf16") == NULL);
    close_again(&o);
}

static void the_peak_is_that_of_the_best_shape(void)
{
    const struct model_config c = {.layers = 1,
                                   .dim = 32,
                                   .heads = 2,
                                   .kv_heads = 1,
                                   .ffn_dim = 48,
                                   .vocabulary = 9000,
                                   .context = 16};
    struct model_peak p;
    bool has_head = false, has_ffn = false;
    double best = 0;

    CHECK_OK(model_peak_measure(k, RT_F32, &c, 64, &p));
    for (int i = 0; i < p.count; i++) {
        const struct model_peak_row *r = &p.rows[i];
        CHECK(r->flops_per_s > 0);
        best = fmax(best, r->flops_per_s);
        has_head = has_head || (r->M == 64 && r->N == 4096 && r->K == 32 && r->transpose_b);
        has_ffn = has_ffn || (r->M == 96 && r->N == 32 && r->K == 64 && r->transpose_a);
    }
    CHECK(p.count > 3 && p.flops_per_s == best && has_head && has_ffn);
}

int main(int argc, char **argv)
{
    const bool slow = argc > 1 && strcmp(argv[1], "slow") == 0;

    more_shapes_than_plans(RT_F32);
    more_shapes_than_plans(RT_BF16);
    too_little_scratch_is_told();
    the_bits_do_not_depend_on_the_threads();
    slow_bf16_is_said_once(slow);
    bf16_is_right_where_it_is_not_fast(530, 515, 1030);
    if (!slow) the_peak_is_that_of_the_best_shape();
    return check_failures != 0;
}
