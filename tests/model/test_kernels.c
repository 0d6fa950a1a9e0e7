/* tests/model/test_kernels.c - one backend against the reference, op by op
 *
 *     test_kernels BACKEND
 *
 * Sizes 1, odd, prime and real; fp32 and bf16; outputs are filled with NaN first, so an element
 * left out is seen. Numbers: relative distance (L2) as each <op>_ref.c states it.
 */
#include <stdlib.h>
#include <string.h>

#include "model/kernels.h"
#include "runtime/rng.h"
#include "tests/check.h"
#include "tests/model/rig.h"

enum { CONTEXT = 512 };

static const struct kernels *k;             /* under test */
static struct kernels_state *mine, *theirs; /* of k and of ref */

/* An array in two copies, one a backend; both of dt, equal at first. */
struct pair {
    void *k, *ref;
    size_t n;
    rt_dtype dt;
};

/* Normal numbers times `spread`, rounded to dt; spread 0: all bits set, NaN. */
static struct pair make(size_t n, rt_dtype dt, double spread, uint64_t seed)
{
    const size_t bytes = (n * rt_dtype_bytes(dt) + 63) / 64 * 64;
    struct pair p = {aligned_alloc(64, bytes), aligned_alloc(64, bytes), n, dt};

    if (p.k == NULL || p.ref == NULL) abort();
    memset(p.k, 0xff, bytes);
    for (size_t i = 0; spread > 0 && i < n; i++) {
        const float x = (float)(spread * rt_rng_normal(rt_rng_key(seed, "test"), i));
        if (dt == RT_F32)
            ((float *)p.k)[i] = x;
        else
            ((rt_bf16 *)p.k)[i] = rt_bf16_from_f32(x);
    }
    memcpy(p.ref, p.k, bytes);
    return p;
}

static void drop(struct pair *p)
{
    free(p->k);
    free(p->ref);
}

static float at(const void *p, size_t i, rt_dtype dt)
{
    return dt == RT_F32 ? ((const float *)p)[i] : rt_bf16_to_f32(((const rt_bf16 *)p)[i]);
}

static double distance(const struct pair *p)
{
    double far = 0, all = 0;

    for (size_t i = 0; i < p->n; i++) {
        const double a = (double)at(p->k, i, p->dt), b = (double)at(p->ref, i, p->dt);
        far += (a - b) * (a - b);
        all += b * b;
    }
    return far == 0 ? 0 : sqrt(far / all);
}

/* The two copies agree, and are given back. `where` names the op and the sizes. */
static void agree(struct pair *p, double fp32, const char *op, const char *where)
{
    const double far = distance(p);

    if (!CHECK(far <= (p->dt == RT_F32 ? fp32 : 1e-2)))
        printf("  %s %s %s %s: distance %g\n", k->name, op, rt_dtype_name(p->dt), where, far);
    drop(p);
}

/* y = x w^T, dy w and dy^T x, with a wider row for one of them, and with and without add. */
static void one_matmul(int M, int N, int K, int form, rt_dtype dt, rt_dtype ot, bool add)
{
    const int wider = form == 1 ? 3 : 0;
    const int lda = (form == 2 ? M : K) + wider, ldb = form == 0 ? K : N;
    struct pair a = make((size_t)lda * (size_t)(form == 2 ? K : M), dt, 1, 1);
    struct pair b = make((size_t)ldb * (size_t)(form == 0 ? N : K), dt, 1, 2);
    struct pair out = make((size_t)M * (size_t)N, ot, add ? 1 : 0, 3);
    struct kernels_matmul m = {.at = dt,
                               .bt = dt,
                               .ot = ot,
                               .transpose_a = form == 2,
                               .transpose_b = form == 0,
                               .M = M,
                               .N = N,
                               .K = K,
                               .lda = wider ? lda : 0};
    char where[96];

    m.a = a.k, m.b = b.k, m.out = out.k, m.add = add ? out.k : NULL;
    CHECK_OK(k->matmul(mine, NULL, &m));
    m.a = a.ref, m.b = b.ref, m.out = out.ref, m.add = add ? out.ref : NULL;
    CHECK_OK(kernels_ref.matmul(theirs, NULL, &m));
    snprintf(where, sizeof where, "%dx%dx%d form %d from %s%s", M, N, K, form, rt_dtype_name(dt),
             add ? " add" : "");
    agree(&out, 1e-6 * sqrt(K), "matmul", where);
    drop(&a);
    drop(&b);
}

static void matmul_agrees(rt_dtype dt)
{
    static const int sizes[][3] = {{1, 1, 1},    {3, 5, 7},    {37, 131, 42}, {64, 64, 64},
                                   {1, 257, 96}, {130, 96, 1}, {96, 200, 128}};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int form = 0; form < 3; form++) {
            const int *s = sizes[i];
            one_matmul(s[0], s[1], s[2], form, dt, dt, false);
            one_matmul(s[0], s[1], s[2], form, dt, RT_F32, false);
            one_matmul(s[0], s[1], s[2], form, dt, RT_F32, true);
        }
    }
}

static void rmsnorm_agrees(int N, int C, rt_dtype dt)
{
    const size_t n = (size_t)N * (size_t)C;
    struct pair x = make(n, RT_F32, 3, 1), w = make((size_t)C, dt, 1, 2), dy = make(n, dt, 1, 3);
    struct pair y = make(n, dt, 0, 0), rstd = make((size_t)N, RT_F32, 0, 0);
    struct pair dx = make(n, RT_F32, 1, 4), dw = make((size_t)C, RT_F32, 0, 0);
    char where[64];

    snprintf(where, sizeof where, "%dx%d", N, C);
    CHECK_OK(k->rmsnorm_fwd(NULL, y.k, rstd.k, x.k, w.k, N, C, 1e-5f, dt));
    CHECK_OK(kernels_ref.rmsnorm_fwd(NULL, y.ref, rstd.ref, x.ref, w.ref, N, C, 1e-5f, dt));
    CHECK_OK(k->rmsnorm_bwd(mine, NULL, dx.k, dw.k, dy.k, x.k, w.k, rstd.k, N, C, dt));
    CHECK_OK(kernels_ref.rmsnorm_bwd(theirs, NULL, dx.ref, dw.ref, dy.ref, x.ref, w.ref, rstd.ref,
                                     N, C, dt));
    agree(&y, 1e-5, "rmsnorm_fwd", where);
    agree(&rstd, 1e-5, "rmsnorm_fwd rstd", where);
    agree(&dx, 1e-5, "rmsnorm_bwd dx", where);
    agree(&dw, 1e-5, "rmsnorm_bwd dw", where);
    drop(&x);
    drop(&w);
    drop(&dy);
}

static void rope_agrees(int B, int T, int H, int K, int D, rt_dtype dt)
{
    const int N = B * T, position0 = 3;
    struct pair qkv = make((size_t)(N * (H + 2 * K) * D), dt, 1, 1);
    struct pair angle = make((size_t)((position0 + T) * D / 2), RT_F32, 2, 2);
    float *table = malloc(angle.n * 2 * sizeof *table);
    char where[64];

    if (table == NULL) abort();
    for (size_t i = 0; i < angle.n; i++) {
        table[2 * i] = cosf(((float *)angle.k)[i]);
        table[2 * i + 1] = sinf(((float *)angle.k)[i]);
    }
    snprintf(where, sizeof where, "B %d T %d H %d K %d D %d", B, T, H, K, D);
    for (int inverse = 0; inverse < 2; inverse++) {
        CHECK_OK(k->rope(NULL, qkv.k, table, N, T, position0, H, K, D, inverse, dt));
        CHECK_OK(kernels_ref.rope(NULL, qkv.ref, table, N, T, position0, H, K, D, inverse, dt));
        if (inverse == 0) CHECK(distance(&qkv) <= (dt == RT_F32 ? 1e-6 : 1e-2));
    }
    agree(&qkv, 1e-6, "rope", where);
    drop(&angle);
    free(table);
}

static void attention_agrees(int B, int T, int H, int K, int D, rt_dtype dt)
{
    const struct kernels_attention a = {B, T, H, K, D, dt};
    const size_t N = (size_t)(B * T), wide = (size_t)((H + 2 * K) * D), narrow = (size_t)(H * D);
    struct pair qkv = make(N * wide, dt, 1.5, 1), dout = make(N * narrow, dt, 1, 2);
    struct pair out = make(N * narrow, dt, 0, 0), dqkv = make(N * wide, dt, 0, 0);
    struct pair lse = make(N * (size_t)H, RT_F32, 0, 0);
    char where[64];

    snprintf(where, sizeof where, "B %d T %d H %d K %d D %d", B, T, H, K, D);
    CHECK_OK(k->attention_fwd(mine, NULL, out.k, lse.k, qkv.k, &a));
    CHECK_OK(kernels_ref.attention_fwd(theirs, NULL, out.ref, lse.ref, qkv.ref, &a));
    CHECK_OK(k->attention_bwd(mine, NULL, dqkv.k, dout.k, qkv.k, out.k, lse.k, &a));
    CHECK_OK(
        kernels_ref.attention_bwd(theirs, NULL, dqkv.ref, dout.ref, qkv.ref, out.ref, lse.ref, &a));
    agree(&out, 1e-5, "attention_fwd", where);
    agree(&lse, 1e-5, "attention_fwd lse", where);
    agree(&dqkv, 1e-5, "attention_bwd", where);
    drop(&qkv);
    drop(&dout);
}

static void attention_cached_agrees(int t, int position, int H, int K, int D, rt_dtype dt)
{
    const int B = 2, context = position + t + 2;
    const struct kernels_attention a = {B, t, H, K, D, dt};
    const size_t cache = (size_t)(B * context * K * D);
    struct pair qkv = make((size_t)(B * t * (H + 2 * K) * D), dt, 1.5, 1);
    struct pair keys = make(cache, dt, 1.5, 2), values = make(cache, dt, 1, 3);
    struct pair out = make((size_t)(B * t * H * D), dt, 0, 0);
    char where[64];

    snprintf(where, sizeof where, "t %d at %d H %d K %d D %d", t, position, H, K, D);
    CHECK_OK(
        k->attention_cached(mine, NULL, out.k, qkv.k, keys.k, values.k, t, position, context, &a));
    CHECK_OK(kernels_ref.attention_cached(theirs, NULL, out.ref, qkv.ref, keys.ref, values.ref, t,
                                          position, context, &a));
    agree(&out, 1e-5, "attention_cached", where);
    drop(&qkv);
    drop(&keys);
    drop(&values);
}

static void swiglu_agrees(int N, int F, rt_dtype dt)
{
    const size_t n = (size_t)N * (size_t)F;
    struct pair gu = make(2 * n, dt, 2, 1), dh = make(n, dt, 1, 2), h = make(n, dt, 0, 0);
    struct pair dgu = make(2 * n, dt, 0, 0);
    char where[64];

    snprintf(where, sizeof where, "%dx%d", N, F);
    CHECK_OK(k->swiglu_fwd(NULL, h.k, gu.k, N, F, dt));
    CHECK_OK(kernels_ref.swiglu_fwd(NULL, h.ref, gu.ref, N, F, dt));
    CHECK_OK(k->swiglu_bwd(NULL, dgu.k, dh.k, gu.k, N, F, dt));
    CHECK_OK(kernels_ref.swiglu_bwd(NULL, dgu.ref, dh.ref, gu.ref, N, F, dt));
    CHECK_OK(k->swiglu_bwd(NULL, gu.k, dh.k, gu.k, N, F, dt)); /* in place: the same */
    CHECK(memcmp(gu.k, dgu.k, 2 * n * rt_dtype_bytes(dt)) == 0);
    agree(&h, 1e-5, "swiglu_fwd", where);
    agree(&dgu, 1e-5, "swiglu_bwd", where);
    drop(&gu);
    drop(&dh);
}

static void make_tokens(int32_t *tokens, int n, int V)
{
    for (int i = 0; i < n; i++)
        tokens[i] = (int32_t)(rt_rng_u64(rt_rng_key(5, "tokens"), (uint64_t)i) % (uint64_t)V);
}

static void embedding_agrees(int N, int C, int V, rt_dtype dt)
{
    struct pair w = make((size_t)(V * C), dt, 1, 1), x = make((size_t)(N * C), RT_F32, 0, 0);
    struct pair dx = make((size_t)(N * C), RT_F32, 1, 2), dw = make((size_t)(V * C), RT_F32, 0, 0);
    int32_t *tokens = malloc((size_t)N * sizeof *tokens);
    char where[64];

    if (tokens == NULL) abort();
    make_tokens(tokens, N, V);
    snprintf(where, sizeof where, "%dx%d of %d", N, C, V);
    CHECK_OK(k->embedding_fwd(NULL, x.k, w.k, tokens, N, C, dt));
    CHECK_OK(kernels_ref.embedding_fwd(NULL, x.ref, w.ref, tokens, N, C, dt));
    CHECK_OK(k->embedding_bwd(NULL, dw.k, dx.k, tokens, N, C, V));
    CHECK_OK(kernels_ref.embedding_bwd(NULL, dw.ref, dx.ref, tokens, N, C, V));
    agree(&x, 0, "embedding_fwd", where);
    agree(&dw, 0, "embedding_bwd", where);
    drop(&w);
    drop(&dx);
    free(tokens);
}

static void crossentropy_agrees(int n, int V, double spread, rt_dtype dt)
{
    struct pair logits = make((size_t)n * (size_t)V, RT_F32, spread, 1);
    struct pair losses = make((size_t)n, RT_F32, 0, 0);
    struct pair d = make((size_t)n * (size_t)V, dt, 0, 0);
    int32_t *targets = malloc((size_t)n * sizeof *targets);
    char where[64];

    if (targets == NULL) abort();
    make_tokens(targets, n, V);
    if (n > 2) targets[1] = -100;
    snprintf(where, sizeof where, "%dx%d", n, V);
    CHECK_OK(k->crossentropy(NULL, losses.k, d.k, logits.k, targets, n, V, 0.125f, dt));
    CHECK_OK(
        kernels_ref.crossentropy(NULL, losses.ref, d.ref, logits.ref, targets, n, V, 0.125f, dt));
    for (int i = 0; i < n; i++)
        CHECK_NEAR(((float *)losses.k)[i], ((float *)losses.ref)[i], 1e-5, 1e-5);
    CHECK_OK(k->crossentropy(NULL, losses.ref, NULL, logits.k, targets, n, V, 0, dt));
    agree(&losses, 0, "crossentropy without gradient", where); /* the same losses, bit for bit */
    if (dt == RT_F32) {
        CHECK_OK(k->crossentropy(NULL, logits.ref, logits.k, logits.k, targets, n, V, 0.125f, dt));
        CHECK(memcmp(logits.k, d.k, d.n * sizeof(float)) == 0);
    }
    agree(&d, 1e-5, "crossentropy", where);
    drop(&logits);
    free(targets);
}

/* Every size by every dtype; V 1 has one possible gradient: 0. */
static void rows_agree(rt_dtype dt)
{
    static const int sizes[][2] = {{1, 1}, {3, 7}, {37, 131}, {64, 512}, {5, 1376}};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const int N = sizes[i][0], C = sizes[i][1];
        rmsnorm_agrees(N, C, dt);
        swiglu_agrees(N, C, dt);
        embedding_agrees(N, C, 11, dt);
        embedding_agrees(N, C, 1009, dt);
        crossentropy_agrees(N, C, 1, dt);
        crossentropy_agrees(N, C, 30, dt);
    }
}

static void heads_agree(rt_dtype dt)
{
    static const int sizes[][5] = {{1, 1, 1, 1, 2},   {2, 3, 3, 1, 14},    {1, 37, 8, 2, 8},
                                   {2, 67, 4, 4, 64}, {1, 131, 2, 1, 128}, {1, 129, 1, 1, 30},
                                   {3, 16, 6, 3, 16}};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const int *s = sizes[i];
        rope_agrees(s[0], s[1], s[2], s[3], s[4], dt);
        attention_agrees(s[0], s[1], s[2], s[3], s[4], dt);
        attention_cached_agrees(1, s[1], s[2], s[3], s[4], dt);
        attention_cached_agrees(s[1], 5, s[2], s[3], s[4], dt);
        attention_cached_agrees(s[1], 0, s[2], s[3], s[4], dt);
    }
}

static void cast_agrees(void)
{
    static const size_t sizes[] = {1, 7, 131, 4096, 10007};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct pair x = make(sizes[i], RT_F32, 100, 1), y = make(sizes[i], RT_BF16, 0, 0);
        ((float *)x.k)[0] = 1.00390625f; /* a tie */
        if (sizes[i] > 2) ((float *)x.k)[1] = INFINITY;
        if (sizes[i] > 2) ((float *)x.k)[2] = 3.4e38f;
        CHECK_OK(k->cast(NULL, y.k, x.k, sizes[i], RT_BF16));
        CHECK_OK(kernels_ref.cast(NULL, y.ref, x.k, sizes[i], RT_BF16));
        CHECK(memcmp(y.k, y.ref, sizes[i] * sizeof(rt_bf16)) == 0);
        drop(&x);
        drop(&y);
    }
}

static void *open_backend(const struct kernels *b, rt_dtype dt, struct kernels_state **s)
{
    const size_t bytes = b->scratch_bytes(512, 512, 1376, 1376, 4, CONTEXT, dt);
    void *scratch = aligned_alloc(64, (bytes + 63) / 64 * 64);

    if (scratch == NULL || !CHECK_OK(b->open(scratch, bytes, s))) abort();
    return scratch;
}

int main(int argc, char **argv)
{
    if (argc != 2 || kernels_find(argv[1], &k) != RT_OK) return 2;
    for (int i = 0; i < 2; i++) {
        const rt_dtype dt = i == 0 ? RT_F32 : RT_BF16;
        void *a = open_backend(k, dt, &mine), *b = open_backend(&kernels_ref, dt, &theirs);

        matmul_agrees(dt);
        rows_agree(dt);
        heads_agree(dt);
        cast_agrees();
        k->close(&mine);
        kernels_ref.close(&theirs);
        free(a);
        free(b);
    }
    return check_failures != 0;
}
