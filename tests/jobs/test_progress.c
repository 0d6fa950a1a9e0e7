/* tests/jobs/test_progress.c - the line of a step fits on the terminal, whatever its numbers */
#include <math.h>
#include <string.h>

#include "jobs/train/progress.h"
#include "tests/check.h"

static const struct metrics_line usual = {.step = 12345,
                                          .loss = 2.34567,
                                          .grad_norm = 0.812,
                                          .lr = 3e-4,
                                          .step_s = 2,
                                          .tokens_per_s = 123456,
                                          .mfu = 0.4567};

static void a_usual_line_has_all_that_matters_at_80_columns(void)
{
    const struct progress p = {.bar = true, .steps = 100000, .step_s = 2};
    char line[256];
    const int n = progress_line(&p, &usual, 80, line, sizeof line);

    CHECK(n == (int)strlen(line) && n <= 78 && n >= 70);
    CHECK(line[0] == '[' && strchr(line, ']') != NULL);
    CHECK(strstr(line, "  12345/100000  ") != NULL && strstr(line, "loss 2.3457") != NULL);
    CHECK(strstr(line, "123.46 k tokens/s") != NULL && strstr(line, "mfu 45.7%") != NULL);
    CHECK(strstr(line, "left 2d00h") != NULL);
    CHECK(strstr(line, "norm") == NULL);
}

static void a_wide_terminal_has_more_and_a_narrow_one_less(void)
{
    const struct progress p = {.bar = true, .steps = 100000, .step_s = 2};
    char line[256];

    CHECK(progress_line(&p, &usual, 160, line, sizeof line) <= 158);
    CHECK(strstr(line, "[##......................]") == line);
    CHECK(strstr(line, "norm 0.812  lr 3.00e-04") != NULL);
    CHECK(progress_line(&p, &usual, 40, line, sizeof line) <= 38);
    CHECK(strstr(line, "12345/100000") == line && strstr(line, "loss") != NULL);
    for (int columns = 1; columns < 200; columns++) {
        const int most = columns > 2 ? columns - 2 : 0;
        CHECK(progress_line(&p, &usual, columns, line, sizeof line) <= most);
        CHECK((int)strlen(line) <= most);
    }
}

static void no_number_makes_it_longer(void)
{
    static const double values[] = {0,     -1,          1e-300, 123456.789,      9.9999e15,
                                    1e300, (double)NAN, -1e300, (double)INFINITY};
    static const uint64_t steps[] = {1, 999999, 1000000000000000, UINT64_MAX};
    const size_t count = sizeof values / sizeof values[0];
    char line[256];

    for (size_t i = 0; i < count * count; i++) {
        const double v = values[i % count], w = values[i / count];
        const struct metrics_line l = {
            .step = steps[i % 4], .loss = v, .grad_norm = w, .lr = v, .tokens_per_s = w, .mfu = v};
        for (int columns = 80; columns <= 200; columns += 40) {
            struct progress p = {.bar = true, .steps = steps[3 - i % 2], .step_s = w};
            CHECK(progress_line(&p, &l, columns, line, sizeof line) <= columns - 2);
            CHECK((int)strlen(line) <= columns - 2);
            CHECK(strstr(line, "/") != NULL);
        }
    }
}

static void the_end_fills_the_bar(void)
{
    const struct progress p = {.bar = true, .steps = 12345, .step_s = 2};
    char line[256];

    (void)progress_line(&p, &usual, 80, line, sizeof line);
    CHECK(line[0] == '[' && line[1] == '#' && strchr(line, ']') != NULL);
    CHECK(memchr(line, '.', (size_t)(strchr(line, ']') - line)) == NULL);
}

int main(void)
{
    a_usual_line_has_all_that_matters_at_80_columns();
    a_wide_terminal_has_more_and_a_narrow_one_less();
    no_number_makes_it_longer();
    the_end_fills_the_bar();
    return check_failures > 0;
}
