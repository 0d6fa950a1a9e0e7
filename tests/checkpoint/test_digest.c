/* tests/checkpoint/test_digest.c - checkpoint/digest.h: one value however it is cut */
#include "checkpoint/digest.h"

#include <stdlib.h>
#include <string.h>

#include "tests/check.h"

static const size_t sizes[] = {1, 2, 15, 16, 17, 4095, 4096, 4097, 50021, 0};

static float *random_values(size_t n)
{
    float *x = malloc(n * sizeof *x);
    uint32_t state = 7;

    for (size_t i = 0; x != NULL && i < n; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(int32_t)state * 1e-9f;
    }
    return x;
}

static bool same(struct digest a, struct digest b) { return a.low == b.low && a.high == b.high; }

static void fast_equals_plain_and_any_cut(void)
{
    for (const size_t *n = sizes; *n != 0; n++) {
        const uint64_t first = UINT64_C(1) << 33; /* indices beyond 32 bits too */
        float *x = random_values(*n);
        struct digest plain = {0}, fast = {0}, parts = {0};

        if (!CHECK(x != NULL)) return;
        CHECK(digest_add_ref(&plain, first, x, *n));
        CHECK(digest_add(&fast, first, x, *n));
        CHECK(same(plain, fast));
        for (size_t end = *n; end > 0;) { /* backwards, in uneven parts */
            const size_t begin = end * 2 / 3;
            struct digest part = {0};
            digest_add(&part, first + begin, x + begin, end - begin);
            digest_merge(&parts, &part);
            end = begin;
        }
        CHECK(same(plain, parts));
        free(x);
    }
}

static void any_change_changes_it(void)
{
    enum { N = 1000 };
    float *x = random_values(N);
    struct digest before = {0}, d = {0};

    if (!CHECK(x != NULL)) return;
    digest_add(&before, 0, x, N);
    for (size_t i = 0; i < N; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        const uint32_t flipped = bits ^ (1u << (i % 32));
        memcpy(x + i, &flipped, sizeof bits);
        d = (struct digest){0};
        digest_add(&d, 0, x, N);
        CHECK(!same(before, d));
        memcpy(x + i, &bits, sizeof bits);
    }
    d = (struct digest){0};
    digest_add(&d, 1, x, N); /* the same values one place further */
    CHECK(!same(before, d));
    const float t = x[3];
    x[3] = x[700], x[700] = t;
    d = (struct digest){0};
    digest_add(&d, 0, x, N);
    CHECK(!same(before, d));
    free(x);
}

static void what_is_not_finite_is_seen(void)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    float *x = random_values(5000);
    struct digest d = {0};

    if (!CHECK(x != NULL)) return;
    CHECK(digest_add(&d, 0, x, 5000));
    for (int k = 0; k < 3; k++) {
        for (size_t i = 0; i < 5000; i += 499) {
            const float was = x[i];
            x[i] = bad[k];
            CHECK(!digest_add(&d, 0, x, 5000));
            CHECK(!digest_add_ref(&d, 0, x, 5000));
            x[i] = was;
        }
    }
    free(x);
}

/* The formula of digest.h, worked out apart from this program: files keep their digests. */
static void the_formula_stays_as_it_is(void)
{
    const float x[3] = {1.0f, -2.5f, 0.0f};
    struct digest d = {0};

    digest_add(&d, 0, x, 3);
    CHECK(d.high == UINT64_C(0x089ad057820379b0));
    CHECK(d.low == UINT64_C(0xb2d8cb3636eadf22));
}

int main(void)
{
    fast_equals_plain_and_any_cut();
    any_change_changes_it();
    what_is_not_finite_is_seen();
    the_formula_stays_as_it_is();
    return check_failures != 0;
}
