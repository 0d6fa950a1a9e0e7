/* tests/runtime/test_vector.c - runtime/vector: ref by hand, every table against ref
 *
 * Numbers  the same bits, at every size and offset. Where several NaN are added, which of them
 *          comes out is not defined: then only that it is a NaN.
 */
#include "runtime/vector/vector.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/rng.h"
#include "tests/check.h"
#include "tests/runtime/capture.h"
#ifdef TEST_EMULATED
#include "runtime/cuda/order.h"
#include "runtime/device_cuda.h"
#endif

enum { MOST = 150000, VECTORS = 9, MOST_VECTORS = 1000 };
/* Tails of every width, whole blocks and more, and enough for threads. */
static const size_t sizes[] = {0, 1, 7, 31, 64, 255, 256, 257, 1000, 4099, 16385, MOST - 8};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

/* Buffers longer than any size, filled with floats of all kinds, used at odd offsets. */
static struct {
    float *x[VECTORS];
    float *want, *got;
} room;

static struct rt_queue *queue; /* of the table under test; NULL: the host's */

/* All exponents; zeros, subnormals, ties of bf16 and their neighbours; Inf and NaN on request. */
static float some_float(uint64_t r, bool special)
{
    uint32_t u = (uint32_t)r;
    float f;

    switch (r >> 32 & 15) {
    case 0: u &= 0x80000000; break;
    case 1: u &= 0x807fffff; break;
    case 2: u = (u & 0xffff0000) | 0x8000; break;
    case 3: u = (u & 0xffff0000) | 0x7fff; break;
    case 4: u = (u & 0xffff0000) | 0x8001; break;
    case 5: u = 0x7f7fffff; break;
    case 6: u |= special && u % 3 == 0 ? 0x7f800000u : 0; break; /* NaN with any payload */
    case 7: u = special && u % 3 == 0 ? (u & 0x80000000) | 0x7f800000 : u; break;
    default: break;
    }
    if (!special && (u & 0x7f800000) == 0x7f800000) u ^= 0x40000000;
    memcpy(&f, &u, sizeof f);
    return f;
}

static void fill(bool special)
{
    for (int k = 0; k < VECTORS; k++) {
        struct rt_rng_key key = rt_rng_key((uint64_t)k, "vector");
        for (size_t i = 0; i < MOST; i++) room.x[k][i] = some_float(rt_rng_u64(key, i), special);
    }
}

static bool same(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i]))) return false;
    return true;
}

static void ref_casts_as_worked_out_by_hand(void)
{
    const float x[5] = {1.0f, -2.5f, 0x1.01p0f, 0x1.03p0f, INFINITY};
    rt_bf16 h[5];
    float y[5];

    CHECK_OK(rt_vector_ref.cast(NULL, h, RT_BF16, x, RT_F32, 5));
    CHECK(h[0] == 0x3f80 && h[1] == 0xc020 && h[2] == 0x3f80 && h[3] == 0x3f82 && h[4] == 0x7f80);
    CHECK_OK(rt_vector_ref.cast(NULL, y, RT_F32, h, RT_BF16, 5));
    CHECK(y[0] == 1 && y[1] == -2.5f && y[2] == 1 && y[3] == 0x1.04p0f && isinf(y[4]));
}

/* y = the sum of fp32 vectors, in order or by the tree. */
static rt_status sum_of(const struct rt_vector *v, float *y, const float *const *x, int count,
                        size_t n, bool tree, bool add)
{
    static rt_dtype types[MOST_VECTORS];
    const void *of[MOST_VECTORS] = {NULL};

    for (int k = 0; k < count; k++) {
        of[k] = x[k];
        types[k] = RT_F32;
    }
    return v->reduce(v == &rt_vector_ref ? NULL : queue, y, RT_F32, of, types, count, n, tree, add);
}

/* 2^24 + 1 is no float, so the order of the additions shows. */
static void ref_adds_in_the_stated_order(void)
{
    const float big[1] = {0x1p24f}, one[1] = {1}, minus[1] = {-0x1p24f};
    const float *in_order[] = {one, one, big, one, minus}, *other[] = {big, one, one, minus};
    float y[1] = {0};

    CHECK_OK(sum_of(&rt_vector_ref, y, in_order, 5, 1, false, false));
    CHECK(y[0] == 4); /* 2, 2^24 + 2, and 2^24 + 3 is a tie that goes to 2^24 + 4 */
    CHECK_OK(sum_of(&rt_vector_ref, y, other, 4, 1, false, false));
    CHECK(y[0] == 0); /* both ones are lost */
    CHECK_OK(sum_of(&rt_vector_ref, y, other, 4, 1, true, false));
    CHECK(y[0] == 1); /* 2^24 + 1 loses the one, 1 - 2^24 keeps it */
    const float *three[] = {one, one, big};
    y[0] = 4;
    CHECK_OK(sum_of(&rt_vector_ref, y, three, 3, 1, true, true));
    CHECK(y[0] == 0x1p24f + 6);
}

static void casts_equal_ref(const struct rt_vector *v)
{
    static const rt_dtype types[] = {RT_F32, RT_BF16};

    for (int pair = 0; pair < 4; pair++) {
        rt_dtype xt = types[pair / 2], yt = types[pair % 2];
        size_t xb = rt_dtype_bytes(xt), yb = rt_dtype_bytes(yt);
        for (size_t s = 0; s < SIZES; s++) {
            for (size_t offset = 0; offset < 4; offset += 3) {
                const char *x = (const char *)room.x[0] + offset * xb;
                char *want = (char *)room.want + offset * yb, *got = (char *)room.got + offset * yb;
                memset(room.got, 0x55, MOST * sizeof(float));
                memset(room.want, 0x55, MOST * sizeof(float));
                CHECK_OK(rt_vector_ref.cast(NULL, want, yt, x, xt, sizes[s]));
                CHECK_OK(v->cast(queue, got, yt, x, xt, sizes[s]));
                CHECK(memcmp(room.want, room.got, MOST * sizeof(float)) == 0);
            }
        }
    }
}

/* Offsets differ from vector to vector, so no two are aligned alike. */
static void one_sum_equals_ref(const struct rt_vector *v, int count, size_t n, bool tree, bool add)
{
    const float *x[VECTORS];

    for (int k = 0; k < count; k++) x[k] = room.x[k] + k % 5;
    memcpy(room.want, room.x[VECTORS - 1], MOST * sizeof(float));
    memcpy(room.got, room.x[VECTORS - 1], MOST * sizeof(float));
    CHECK_OK(sum_of(&rt_vector_ref, room.want + 3, x, count, n, tree, add));
    CHECK_OK(sum_of(v, room.got + 3, x, count, n, tree, add));
    CHECK(same(room.want, room.got, MOST));
}

static void sums_equal_ref(const struct rt_vector *v)
{
    for (size_t s = 0; s < SIZES; s++) {
        for (int count = 1; count < VECTORS; count++) {
            bool add = (count + (int)s) % 2 != 0;
            one_sum_equals_ref(v, count, sizes[s], false, add);
            one_sum_equals_ref(v, count, sizes[s], true, !add);
        }
    }
}

/* y is one of the vectors that are added. */
static void sums_may_write_over_an_input(const struct rt_vector *v)
{
    const size_t n = 4099;

    for (int which = 0; which < 5; which++) {
        for (int tree = 0; tree < 2; tree++) {
            for (int add = 0; add < 2; add++) {
                const float *x[5], *z[5];
                for (int k = 0; k < 5; k++) x[k] = z[k] = room.x[k];
                memcpy(room.want, room.x[which], n * sizeof(float));
                memcpy(room.got, room.x[which], n * sizeof(float));
                x[which] = room.want;
                z[which] = room.got;
                CHECK_OK(sum_of(&rt_vector_ref, room.want, x, 5, n, tree != 0, add != 0));
                CHECK_OK(sum_of(v, room.got, z, 5, n, tree != 0, add != 0));
                CHECK(same(room.want, room.got, n));
            }
        }
    }
}

/* Many vectors: the tree's buffers at more than one level beyond what VECTORS reaches. */
static void tall_trees_equal_ref(const struct rt_vector *v)
{
    static const int counts[] = {15, 16, 17, 100, 127, 128, 1000};
    const float *x[MOST_VECTORS];

    for (int k = 0; k < MOST_VECTORS; k++) x[k] = room.x[k % VECTORS] + k;
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        CHECK_OK(sum_of(&rt_vector_ref, room.want, x, counts[c], 300, true, false));
        CHECK_OK(sum_of(v, room.got, x, counts[c], 300, true, false));
        CHECK(same(room.want, room.got, 300));
    }
}

/* Every mixture of types of up to VECTORS vectors, into either type, in order and by tree. */
static void reductions_equal_ref(const struct rt_vector *v)
{
    static _Alignas(64) rt_bf16 half[VECTORS][MOST];
    const void *x[VECTORS];
    rt_dtype type[VECTORS];

    for (int k = 0; k < VECTORS; k++)
        CHECK_OK(rt_vector_ref.cast(NULL, half[k], RT_BF16, room.x[k], RT_F32, MOST));
    for (size_t s = 0; s < SIZES; s++)
        for (int way = 0; way < 8; way++)
            for (int count = 1; count <= VECTORS; count++) {
                const rt_dtype to = way & 1 ? RT_BF16 : RT_F32;
                const bool tree = way & 2, add = way & 4;
                for (int k = 0; k < count; k++) {
                    type[k] = (k * 5 + count + way) % 3 == 0 ? RT_F32 : RT_BF16;
                    /* now and then all lie well, so that wide accesses are tried, too */
                    x[k] = type[k] == RT_F32 ? (const void *)(room.x[k] + (s % 2 ? 3 : 0))
                                             : (const void *)(half[k] + (s % 2 ? 1 : 0));
                }
                memcpy(room.want, half[0], MOST * sizeof(rt_bf16));
                memcpy(room.got, half[0], MOST * sizeof(rt_bf16));
                CHECK_OK(
                    rt_vector_ref.reduce(NULL, room.want, to, x, type, count, sizes[s], tree, add));
                CHECK_OK(v->reduce(v == &rt_vector_ref ? NULL : queue, room.got, to, x, type, count,
                                   sizes[s], tree, add));
                if (to == RT_BF16)
                    CHECK(memcmp(room.want, room.got, sizes[s] * sizeof(rt_bf16)) == 0);
                else
                    CHECK(same(room.want, room.got, sizes[s]));
            }
}

static void scaling_equals_ref(const struct rt_vector *v)
{
    static const float factors[] = {0.0f, -1.0f, 1.0f / 3, 0x1p-120f, 3e38f};

    for (size_t s = 0; s < SIZES; s++) {
        for (size_t f = 0; f < sizeof factors / sizeof factors[0]; f++) {
            memcpy(room.want, room.x[1], MOST * sizeof(float));
            memcpy(room.got, room.x[1], MOST * sizeof(float));
            CHECK_OK(rt_vector_ref.scale(NULL, room.want + 1, factors[f], sizes[s]));
            CHECK_OK(v->scale(queue, room.got + 1, factors[f], sizes[s]));
            CHECK(same(room.want, room.got, MOST));
        }
    }
}

static void squares_equal_ref(const struct rt_vector *v)
{
    for (size_t s = 0; s < SIZES; s++) {
        struct rt_exact want = {0}, got = {0};
        rt_exact_add(&want, 0.25);
        rt_exact_add(&got, 0.25);
        CHECK_OK(rt_vector_ref.squares(NULL, &want, room.x[2] + 1, sizes[s]));
        CHECK_OK(v->squares(queue, &got, room.x[2] + 1, sizes[s]));
        rt_exact_normalize(&want);
        rt_exact_normalize(&got);
        CHECK(memcmp(&want, &got, sizeof want) == 0);
    }
}

/* Enough elements that several threads have work. */
static void squares_over_threads_equal_ref(const struct rt_vector *v)
{
    enum { LONG = 1500001 };
    float *x = malloc(LONG * sizeof *x);
    struct rt_exact want = {0}, got = {0};

    if (!CHECK(x != NULL)) return;
    for (size_t i = 0; i < LONG; i++) x[i] = room.x[i % VECTORS][i % MOST];
    CHECK_OK(rt_vector_ref.squares(NULL, &want, x, LONG));
    CHECK_OK(v->squares(queue, &got, x, LONG));
    rt_exact_normalize(&want);
    rt_exact_normalize(&got);
    CHECK(memcmp(&want, &got, sizeof want) == 0);
    free(x);
}

/* One bad element at every place of a short vector and at chosen places of a long one. */
static void one_element_that_is_not_finite_is_found(const struct rt_vector *v)
{
    static const float bad[] = {INFINITY, -INFINITY, NAN};
    bool finite = false;
    float *x = room.got + 1;

    for (size_t i = 0; i < MOST - 1; i++) x[i] = i % 2 ? 3.4e38f : -1e-45f;
    CHECK_OK(v->finite(queue, &finite, x, 0));
    CHECK(finite);
    CHECK_OK(v->finite(queue, &finite, x, MOST - 1));
    CHECK(finite);
    for (size_t i = 0; i < 200; i++) {
        size_t n = i < 150 ? 150 : MOST - 1, at = i < 150 ? i : i * 997 % n;
        float kept = x[at];
        x[at] = bad[i % 3];
        CHECK_OK(v->finite(queue, &finite, x, n));
        CHECK(!finite);
        CHECK_OK(v->finite(queue, &finite, x, at)); /* just before it */
        CHECK(finite);
        x[at] = kept;
    }
}

static void bad_calls_are_refused(const struct rt_vector *v)
{
    const float *x[1] = {room.x[0]};
    const struct rt_vector *none = NULL;
    char text[512];
    struct capture c = capture_begin();

    CHECK(sum_of(v, room.got, x, 0, 1, false, false) == RT_EINVAL);
    CHECK(sum_of(v, room.got, x, 0, 1, true, false) == RT_EINVAL);
    CHECK(rt_vector_find("gpu", &none) == RT_EINVAL && none == NULL);
    if (queue == NULL) CHECK_OK(rt_vector_find(v->name, &none));
    if (queue == NULL) CHECK(none == v);
    capture_end(&c, text, sizeof text);
    CHECK(strstr(text, "no vector backend 'gpu' in this build, which has: ref cpu") != NULL);
}

static void check_table(const struct rt_vector *v)
{
    for (int special = 0; special < 2; special++) {
        fill(special);
        casts_equal_ref(v);
        sums_equal_ref(v);
        sums_may_write_over_an_input(v);
        tall_trees_equal_ref(v);
        if (special == 0) reductions_equal_ref(v); /* of several NaN any may come out */
        scaling_equals_ref(v);
        squares_equal_ref(v);
        squares_over_threads_equal_ref(v);
    }
    one_element_that_is_not_finite_is_found(v);
    bad_calls_are_refused(v);
}

#ifdef TEST_EMULATED
/* The GPU's table, on the emulator, in every order of threads. */
static void check_emulated(void)
{
    for (int order = 0; order < RT_ORDERS; order++) {
        rt_emulate_set_order((enum rt_emulate_order)order, 7);
        check_table(&rt_vector_cuda);
    }
}
#endif

int main(void)
{
    float *all = calloc((VECTORS + 2) * (size_t)MOST, sizeof *all);

    if (all == NULL) return 1;
    for (int k = 0; k < VECTORS; k++) room.x[k] = all + (size_t)k * MOST;
    room.want = all + (size_t)VECTORS * MOST;
    room.got = all + (size_t)(VECTORS + 1) * MOST;
    ref_casts_as_worked_out_by_hand();
    ref_adds_in_the_stated_order();
#ifdef TEST_EMULATED
    CHECK_OK(rt_cuda_queue_create(&queue));
    check_emulated();
    rt_cuda_queue_destroy(&queue);
#else
    for (const struct rt_vector *const *v = rt_vectors_built; *v != NULL; v++) check_table(*v);
#endif
    free(all);
    return check_failures != 0;
}
