/* tests/runtime/test_dtype.c - runtime/dtype.h: bf16 rounds to nearest, ties to even */
#include "runtime/dtype.h"

#include "tests/check.h"

static uint32_t bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static float from_bits(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static void every_bf16_survives_the_way_to_f32_and_back(void)
{
    for (uint32_t h = 0; h <= 0xffff; h++) {
        bool nan = (h & 0x7fff) > 0x7f80;
        rt_bf16 want = (rt_bf16)(nan ? h | 0x40 : h);
        CHECK(rt_bf16_from_f32(rt_bf16_to_f32((rt_bf16)h)) == want);
    }
}

/* Between each two finite neighbours: just below the middle, the middle, just above it. */
static void the_nearer_neighbour_is_taken_and_ties_go_to_even(void)
{
    for (uint32_t h = 0; h < 0x7f80; h++) {
        uint32_t u = h << 16;
        CHECK(rt_bf16_from_f32(from_bits(u | 0x7fff)) == h);
        CHECK(rt_bf16_from_f32(from_bits(u | 0x8000)) == (h & 1 ? h + 1 : h));
        CHECK(rt_bf16_from_f32(from_bits(u | 0x8001)) == h + 1);
        CHECK(rt_bf16_from_f32(from_bits(0x80000000u | u | 0x8001)) == (0x8000 | (h + 1)));
    }
}

static void special_values_stay_what_they_are(void)
{
    CHECK(rt_bf16_from_f32(INFINITY) == 0x7f80);
    CHECK(rt_bf16_from_f32(-INFINITY) == 0xff80);
    CHECK(rt_bf16_from_f32(from_bits(0x7f7fffff)) == 0x7f80); /* FLT_MAX overflows */
    CHECK(rt_bf16_from_f32(-0.0f) == 0x8000);
    /* A NaN whose payload lies in the dropped half must not become Inf. */
    CHECK(rt_bf16_from_f32(from_bits(0x7f800001)) == 0x7fc0);
    CHECK(rt_bf16_from_f32(from_bits(0xffffffff)) == 0xffff);
    CHECK(bits(rt_bf16_to_f32(0xff81)) == 0xff810000u);
}

static void names_and_sizes(void)
{
    CHECK(rt_dtype_bytes(RT_F32) == 4 && rt_dtype_bytes(RT_BF16) == 2);
    CHECK(strcmp(rt_dtype_name(RT_F32), "fp32") == 0);
    CHECK(strcmp(rt_dtype_name(RT_BF16), "bf16") == 0);
}

int main(void)
{
    every_bf16_survives_the_way_to_f32_and_back();
    the_nearer_neighbour_is_taken_and_ties_go_to_even();
    special_values_stay_what_they_are();
    names_and_sizes();
    return check_failures != 0;
}
