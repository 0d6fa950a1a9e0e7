/* tests/model/test_kernels_ref.c - the reference kernels: cases computed by hand, and every
 * backward pass against central differences of its forward
 *
 * Numbers  differences of f32 results over steps of 1e-2: a derivative comes out within 2e-3 of
 *          the largest of them; a wrong formula is off by far more.
 */
#include <stdlib.h>
#include <string.h>

#include "model/kernels.h"
#include "tests/check.h"

enum { CONTEXT = 8, DIM = 12 };

static const struct kernels *const k = &kernels_ref;
static struct kernels_state *state;

/* A small number that looks random: -1 to 1. */
static float wave(int i) { return (float)sin(1.7 * i + 0.3 * i * i); }

static void fill(float *x, int n, int seed)
{
    for (int i = 0; i < n; i++) x[i] = wave(i + 31 * seed);
}

/* Sum of y[i] * wave(i + 900), in double: the scalar that is differentiated. */
static double scalar(const float *y, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += (double)y[i] * (double)wave(i + 900);
    return sum;
}

/* d scalar / dx by central differences against `given`. forward(arg) reads x. */
static void differences_agree(const char *what, double (*forward)(void *arg), void *arg, float *x,
                              const float *given, int n)
{
    const float step = 1e-2f;
    double largest = 0, worst = 0;

    for (int i = 0; i < n; i++) {
        const float at = x[i];
        x[i] = at + step;
        const double up = (double)x[i], above = forward(arg);
        x[i] = at - step;
        const double down = (double)x[i], below = forward(arg);
        x[i] = at;
        const double slope = (above - below) / (up - down);
        largest = fmax(largest, fabs(slope));
        worst = fmax(worst, fabs(slope - (double)given[i]));
    }
    if (!CHECK(largest > 0.05 && worst < 2e-3 * largest))
        printf("  %s: off by %g of %g\n", what, worst, largest);
}

static void matmul_multiplies_by_hand(void)
{
    const float a[] = {1, 2, 3, 4, 5, 6};       /* (2,3), or (3,2) turned */
    const float b[] = {1, 0, 2, 1, 0, 3, 9, 9}; /* (3,2) and a bit */
    float out[4] = {0}, add[4] = {10, 20, 30, 40};
    struct kernels_matmul m = {.a = a, .b = b, .out = out, .M = 2, .N = 2, .K = 3};

    CHECK_OK(k->matmul(state, NULL, &m)); /* [1 2 3; 4 5 6] [1 0; 2 1; 0 3] */
    CHECK(out[0] == 5 && out[1] == 11 && out[2] == 14 && out[3] == 23);
    m.add = add;
    CHECK_OK(k->matmul(state, NULL, &m));
    CHECK(out[0] == 15 && out[1] == 31 && out[2] == 44 && out[3] == 63);
    m.add = out; /* in place */
    CHECK_OK(k->matmul(state, NULL, &m));
    CHECK(out[0] == 20 && out[3] == 86);
    m.add = NULL;
    m.transpose_a = m.transpose_b = true; /* [1 3 5; 2 4 6] [1 1; 0 0; 2 3] */
    CHECK_OK(k->matmul(state, NULL, &m));
    CHECK(out[0] == 11 && out[1] == 16 && out[2] == 14 && out[3] == 20);
    m = (struct kernels_matmul){
        .a = a, .b = b, .out = out, .M = 1, .N = 1, .K = 2, .lda = 3, .ldb = 4, .ldo = 2};
    CHECK_OK(k->matmul(state, NULL, &m)); /* [1 2] [1; 0] */
    CHECK(out[0] == 1 && out[1] == 16);
}

static void bf16_is_rounded_once(void)
{
    const float x[] = {1.00390625f, 1.01171875f, -3.0f}; /* two ties: to even, both ways */
    rt_bf16 y[3];

    CHECK_OK(k->cast(NULL, y, x, 3, RT_BF16));
    CHECK(rt_bf16_to_f32(y[0]) == 1.0f && rt_bf16_to_f32(y[1]) == 1.015625f);
    CHECK(rt_bf16_to_f32(y[2]) == -3.0f);

    const rt_bf16 one = rt_bf16_from_f32(1), tiny = rt_bf16_from_f32(0.00390625f);
    const rt_bf16 a[] = {one, tiny, tiny}, b[] = {one, one, one};
    rt_bf16 out[1];
    const struct kernels_matmul m = {.a = a,
                                     .b = b,
                                     .out = out,
                                     .at = RT_BF16,
                                     .bt = RT_BF16,
                                     .ot = RT_BF16,
                                     .M = 1,
                                     .N = 1,
                                     .K = 3};
    CHECK_OK(k->matmul(state, NULL, &m)); /* a sum in bf16 would stay at 1 */
    CHECK(rt_bf16_to_f32(out[0]) == 1.0078125f);
}

struct rmsnorm {
    float x[3 * 5], w[5], y[3 * 5], rstd[3];
};

static double rmsnorm_scalar(void *arg)
{
    struct rmsnorm *r = arg;
    CHECK_OK(k->rmsnorm_fwd(NULL, r->y, r->rstd, r->x, r->w, 3, 5, 1e-5f, RT_F32));
    return scalar(r->y, 15);
}

static void rmsnorm_is_right(void)
{
    const float x[] = {3, 4}, w[] = {1, 2};
    float y[2], rstd[1], dx[15], dw[5], dy[15];
    struct rmsnorm r;

    CHECK_OK(k->rmsnorm_fwd(NULL, y, rstd, x, w, 1, 2, 0, RT_F32));
    CHECK_NEAR(rstd[0], 1 / sqrt(12.5), 1e-6, 0);
    CHECK_NEAR(y[1], 8 / sqrt(12.5), 1e-6, 0);

    fill(r.x, 15, 1);
    fill(r.w, 5, 2);
    for (int i = 0; i < 15; i++) dy[i] = wave(i + 900);
    for (int i = 0; i < 15; i++) dx[i] = 100;
    (void)rmsnorm_scalar(&r);
    CHECK_OK(k->rmsnorm_bwd(state, NULL, dx, dw, dy, r.x, r.w, r.rstd, 3, 5, RT_F32));
    for (int i = 0; i < 15; i++) dx[i] -= 100; /* it adds */
    differences_agree("rmsnorm dx", rmsnorm_scalar, &r, r.x, dx, 15);
    differences_agree("rmsnorm dw", rmsnorm_scalar, &r, r.w, dw, 5);
}

static void rope_turns_q_and_k_and_back(void)
{
    /* context 3, D 2: quarter turns. H 1, K 1, so a row is q0 q1 k0 k1 v0 v1. */
    const float table[] = {1, 0, 0, 1, -1, 0};
    const float start[] = {1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6};
    float x[12];

    memcpy(x, start, sizeof x);
    CHECK_OK(k->rope(NULL, x, table, 2, 2, 0, 1, 1, 2, false, RT_F32));
    CHECK(x[0] == 1 && x[3] == 4 && x[6] == -2 && x[7] == 1 && x[8] == -4 && x[9] == 3);
    CHECK(x[10] == 5 && x[11] == 6);
    CHECK_OK(k->rope(NULL, x, table, 2, 2, 0, 1, 1, 2, true, RT_F32));
    CHECK(memcmp(x, start, sizeof x) == 0);
    CHECK_OK(k->rope(NULL, x, table, 2, 1, 2, 1, 1, 2, false, RT_F32)); /* both at position 2 */
    CHECK(x[0] == -1 && x[1] == -2 && x[6] == -1 && x[11] == 6);
}

/* B 2, T 4, H 4, K 2, D 2: rows of qkv are 16 wide. */
static const struct kernels_attention attention = {2, 4, 4, 2, 2, RT_F32};
struct attention {
    float qkv[8 * 16], out[8 * 8], lse[8 * 4];
};

static double attention_scalar(void *arg)
{
    struct attention *a = arg;
    CHECK_OK(k->attention_fwd(state, NULL, a->out, a->lse, a->qkv, &attention));
    return scalar(a->out, 64);
}

static void attention_is_right(void)
{
    /* T 2, one head, D 2: the second row weighs v0 and v1 by softmax(q1.k0, q1.k1)/sqrt(2). */
    const struct kernels_attention one = {1, 2, 1, 1, 2, RT_F32};
    const float qkv[] = {9, 9, 1, 0, 10, 20, 1, 1, 0, 3, 30, 40};
    const double e0 = exp(1 / sqrt(2)), e1 = exp(3 / sqrt(2));
    float out[4], lse[2], dqkv[8 * 16], dout[64];
    struct attention a;

    CHECK_OK(k->attention_fwd(state, NULL, out, lse, qkv, &one));
    CHECK(out[0] == 10 && out[1] == 20);
    CHECK_NEAR(out[2], (10 * e0 + 30 * e1) / (e0 + e1), 1e-6, 0);
    CHECK_NEAR(lse[1], log(e0 + e1), 1e-6, 0);

    fill(a.qkv, 128, 3);
    for (int i = 0; i < 64; i++) dout[i] = wave(i + 900);
    (void)attention_scalar(&a);
    CHECK_OK(k->attention_bwd(state, NULL, dqkv, dout, a.qkv, a.out, a.lse, &attention));
    differences_agree("attention dqkv", attention_scalar, &a, a.qkv, dqkv, 128);
}

static void attention_with_a_cache_is_the_same(void)
{
    float keys[2 * CONTEXT * 4] = {0}, values[2 * CONTEXT * 4] = {0}, out[64], rows[2 * 16];
    struct attention a;

    fill(a.qkv, 128, 4);
    (void)attention_scalar(&a);
    for (int position = 0; position < 4; position++) { /* one new row a sequence at a time */
        for (int b = 0; b < 2; b++) {
            const float *row = a.qkv + (b * 4 + position) * 16;
            memcpy(rows + b * 16, row, 16 * sizeof *row);
            memcpy(keys + (b * CONTEXT + position) * 4, row + 8, 4 * sizeof *row);
            memcpy(values + (b * CONTEXT + position) * 4, row + 12, 4 * sizeof *row);
        }
        CHECK_OK(k->attention_cached(state, NULL, out, rows, keys, values, 1, position, CONTEXT,
                                     &attention));
        for (int b = 0; b < 2; b++)
            CHECK(memcmp(out + b * 8, a.out + (b * 4 + position) * 8, 8 * sizeof *out) == 0);
    }
    CHECK_OK(k->attention_cached(state, NULL, out, a.qkv, keys, values, 4, 0, CONTEXT, &attention));
    CHECK(memcmp(out, a.out, sizeof out) == 0); /* and all four at once */
}

struct swiglu {
    float gu[2 * 10], h[2 * 5];
};

static double swiglu_scalar(void *arg)
{
    struct swiglu *s = arg;
    CHECK_OK(k->swiglu_fwd(NULL, s->h, s->gu, 2, 5, RT_F32));
    return scalar(s->h, 10);
}

static void swiglu_is_right(void)
{
    const float gu[] = {0, 1, 5, 7};
    float h[2], dh[10], dgu[20];
    struct swiglu s;

    CHECK_OK(k->swiglu_fwd(NULL, h, gu, 1, 2, RT_F32));
    CHECK(h[0] == 0);
    CHECK_NEAR(h[1], 7 / (1 + exp(-1)), 1e-6, 0);

    fill(s.gu, 20, 5);
    for (int i = 0; i < 10; i++) dh[i] = wave(i + 900);
    CHECK_OK(k->swiglu_bwd(NULL, dgu, dh, s.gu, 2, 5, RT_F32));
    differences_agree("swiglu dgu", swiglu_scalar, &s, s.gu, dgu, 20);
    CHECK_OK(k->swiglu_bwd(NULL, s.gu, dh, s.gu, 2, 5, RT_F32)); /* in place */
    CHECK(memcmp(s.gu, dgu, sizeof dgu) == 0);
}

static void embedding_looks_up_and_adds(void)
{
    const float w[] = {1, 2, 3, 4, 5, 6};
    const int32_t tokens[] = {2, 0, 2};
    const float dx[] = {1, 2, 10, 20, 100, 200};
    float x[6], dw[6];

    memset(dw, 0xff, sizeof dw);
    CHECK_OK(k->embedding_fwd(NULL, x, w, tokens, 3, 2, RT_F32));
    CHECK(x[0] == 5 && x[1] == 6 && x[2] == 1 && x[3] == 2 && x[4] == 5);
    CHECK_OK(k->embedding_bwd(NULL, dw, dx, tokens, 3, 2, 3));
    CHECK(dw[0] == 10 && dw[1] == 20 && dw[2] == 0 && dw[3] == 0 && dw[4] == 101 && dw[5] == 202);
}

struct loss {
    float logits[3 * 7];
    int32_t targets[3];
};

static double loss_scalar(void *arg)
{
    struct loss *l = arg;
    float losses[3];
    CHECK_OK(k->crossentropy(NULL, losses, NULL, l->logits, l->targets, 3, 7, 1, RT_F32));
    return (double)losses[0] + (double)losses[1] + (double)losses[2];
}

static void crossentropy_is_right(void)
{
    const float large[] = {1000, 1001, 999};
    const int32_t first[] = {0};
    float losses[1], d[3], dlogits[21];
    struct loss l = {.targets = {3, -100, 6}};

    CHECK_OK(k->crossentropy(NULL, losses, d, large, first, 1, 3, 0.5f, RT_F32));
    CHECK_NEAR(losses[0], log(1 + exp(1) + exp(-1)), 1e-6, 0);
    CHECK_NEAR(d[0], 0.5 * (1 / (1 + exp(1) + exp(-1)) - 1), 1e-6, 0);
    CHECK_NEAR(d[0] + d[1] + d[2], 0, 0, 1e-7);

    fill(l.logits, 21, 6);
    CHECK_OK(k->crossentropy(NULL, losses, dlogits, l.logits, l.targets, 1, 7, 1, RT_F32));
    float all[3];
    CHECK_OK(k->crossentropy(NULL, all, dlogits, l.logits, l.targets, 3, 7, 1, RT_F32));
    CHECK(all[1] == 0 && all[0] == losses[0]);
    for (int v = 7; v < 14; v++) CHECK(dlogits[v] == 0);
    differences_agree("crossentropy", loss_scalar, &l, l.logits, dlogits, 21);
    CHECK_OK(k->crossentropy(NULL, all, l.logits, l.logits, l.targets, 3, 7, 1, RT_F32));
    CHECK(memcmp(l.logits, dlogits, sizeof dlogits) == 0); /* in place */
}

static void tables_are_found_by_name(void)
{
    const struct kernels *found = NULL;

    CHECK(kernels_find("ref", &found) == RT_OK && found == &kernels_ref);
    CHECK(kernels_find("cpu", &found) == RT_OK && found == &kernels_cpu);
    CHECK(kernels_find("vax", &found) == RT_EMISSING);
    CHECK(kernels_built[0] == &kernels_ref);
}

static void a_row_too_short_is_refused(void)
{
    const struct kernels_attention long_one = {1, CONTEXT + 100, 1, 1, 2, RT_F32};
    struct kernels_state *none = NULL;
    char byte[1];
    float x[1];

    CHECK(k->attention_fwd(state, NULL, x, x, x, &long_one) == RT_EINVAL);
    CHECK(k->open(byte, sizeof byte, &none) == RT_EINVAL && none == NULL);
}

int main(void)
{
    const size_t bytes = k->scratch_bytes(8, DIM, 16, 8, 4, CONTEXT, RT_F32);
    void *scratch = malloc(bytes);

    if (scratch == NULL || k->open(scratch, bytes, &state) != RT_OK) return 1;
    matmul_multiplies_by_hand();
    bf16_is_rounded_once();
    rmsnorm_is_right();
    rope_turns_q_and_k_and_back();
    attention_is_right();
    attention_with_a_cache_is_the_same();
    swiglu_is_right();
    embedding_looks_up_and_adds();
    crossentropy_is_right();
    tables_are_found_by_name();
    a_row_too_short_is_refused();
    k->close(&state);
    CHECK(state == NULL);
    free(scratch);
    return check_failures != 0;
}
