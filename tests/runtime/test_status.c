/* tests/runtime/test_status.c - runtime/status.h: codes, exit codes, the macros */
#include "runtime/status.h"

#include <string.h>

#include "tests/check.h"
#include "tests/runtime/capture.h"

static void exit_codes_are_those_that_are_promised(void)
{
    static const struct {
        rt_status st;
        int code;
    } table[] = {
        {RT_OK, 0},     {RT_ESTOPPED, 75}, {RT_EEXPECT, 70},    {RT_EBUSY, 73}, {RT_EMISSING, 3},
        {RT_EINVAL, 2}, {RT_EDATA, 4},     {RT_ENONFINITE, 71}, {RT_ENOMEM, 1}, {RT_EIO, 1},
        {RT_ECOMM, 1},  {RT_EDEVICE, 1},   {RT_EHUNG, 72},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        CHECK(rt_status_exit(table[i].st) == table[i].code);
        CHECK(strcmp(rt_status_str(table[i].st), "unknown status") != 0);
    }
    CHECK(rt_status_exit((rt_status)-99) == 1);
    CHECK(strcmp(rt_status_str((rt_status)-99), "unknown status") == 0);
}

static rt_status passes_on(rt_status st)
{
    RT_TRY(st);
    return RT_EHUNG; /* only reached after RT_OK */
}

static rt_status leaves_by_out(rt_status given, int *released)
{
    rt_status st;

    RT_TRY_OUT(given);
    st = RT_EHUNG;
out:
    ++*released;
    return st;
}

static void try_leaves_with_the_code_of_the_callee(void)
{
    int released = 0;

    CHECK(passes_on(RT_EDATA) == RT_EDATA);
    CHECK(passes_on(RT_OK) == RT_EHUNG);
    CHECK(leaves_by_out(RT_EIO, &released) == RT_EIO);
    CHECK(leaves_by_out(RT_OK, &released) == RT_EHUNG);
    CHECK(released == 2);
}

static void fail_says_why_and_is_the_code(void)
{
    char text[256];
    struct capture c = capture_begin();
    rt_status st = RT_FAIL(RT_EINVAL, "heads is %d, must divide %d", 3, 8);

    capture_end(&c, text, sizeof text);
    CHECK(st == RT_EINVAL);
    CHECK(strcmp(text, "recua: error: heads is 3, must divide 8\n") == 0);
}

int main(void)
{
    exit_codes_are_those_that_are_promised();
    try_leaves_with_the_code_of_the_callee();
    fail_says_why_and_is_the_code();
    return check_failures != 0;
}
