/* tests/simulate/test_compose.c - steps put together: their order, what is hidden, files
 *
 * Numbers  worked out by hand with whole seconds; equal up to rounding, 1e-9
 */
#include "bench/simulate/compose.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/simulate/rows.h"
#include "bench/simulate/units.h"
#include "runtime/log.h"
#include "tests/check.h"

static const double SAME = 1e-9;

/* Three units of 1 element; a collective takes `seconds` whatever it carries. */
static struct simulate_result result_of(double forward_s, double backward_s, double gather_s,
                                        double reduce_s, int micro_steps)
{
    struct simulate_unit units[3] = {
        {1, forward_s, backward_s}, {1, forward_s, backward_s}, {1, forward_s, backward_s}};
    const struct simulate_step s = {units, 3, micro_steps, 1};
    const struct simulate_fit g = {gather_s, 0}, r = {reduce_s, 0};
    struct simulate_result out = {0};

    CHECK_OK(simulate_compose(&s, &g, &r, &out));
    return out;
}

static void without_messages_a_step_is_its_computing(void)
{
    const struct simulate_result r = result_of(1, 2, 0, 0, 4);

    CHECK_NEAR(r.step_s, 36, SAME, 0);
    CHECK_NEAR(r.compute_s, 36, SAME, 0);
    CHECK(r.comm_s == 0 && r.hidden == 1);
}

static void without_computing_a_step_is_its_messages(void)
{
    const struct simulate_result r = result_of(0, 0, 3, 5, 2);

    CHECK_NEAR(r.step_s, r.comm_s, SAME, 0);
    CHECK_NEAR(r.hidden, 0, 0, SAME);
}

/* Prefetch 1, two slots: units 0 and 1 are gathered first and share the network, 2 s; unit 2 is
 * gathered behind 1's computing, and 0 again behind the backward pass of 1. The last reduction, of
 * unit 0, is behind nothing. So of 4 gathers and 3 reductions of 1 s, 2 + 1 s are seen. */
static void long_computing_hides_all_but_the_ends(void)
{
    const struct simulate_result r = result_of(10, 10, 1, 1, 1);

    CHECK_NEAR(r.compute_s, 60, SAME, 0);
    CHECK_NEAR(r.comm_s, 7, SAME, 0);
    CHECK_NEAR(r.step_s, 63, SAME, 0);
    CHECK_NEAR(r.hidden, 4.0 / 7, SAME, 0);
}

static void lines_go_through_their_points(void)
{
    struct simulate_fit f;

    CHECK_OK(simulate_fit_points(100, 2, 300, 4, &f));
    CHECK_NEAR(simulate_fit_s(&f, 200), 3, SAME, 0);
    CHECK_NEAR(simulate_fit_s(&f, 0), 1, SAME, 0);
    CHECK(simulate_fit_points(100, 2, 100, 4, &f) == RT_EINVAL);
}

static void write_file(char path[32], const char *text)
{
    strcpy(path, "/tmp/recua-simulate-XXXXXX");
    const int fd = mkstemp(path);

    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static rt_status read_step(const char *text, struct simulate_step *s)
{
    char path[32];

    write_file(path, text);
    const rt_status st = simulate_step_read(path, s);
    unlink(path);
    return st;
}

static void steps_are_read_and_refused(void)
{
    struct simulate_step s;
    const char *const wrong[] = {"",
                                 "step 1\nunit 1 0 0\nunit 1 0 0\n",
                                 "step 0 1\nunit 1 0 0\nunit 1 0 0\n",
                                 "step 1 1\nunit 1 0 0\n",
                                 "step 1 1\nunit 1 0 0\nunit 0 0 0\n",
                                 "step 1 1\nunit 1 0 0\nunit 1 -1 0\n",
                                 "step 1 1\nunit 1 0 0\nelephant\n"};

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK(read_step(wrong[i], &s) == RT_EDATA);
    CHECK(simulate_step_read("/nowhere/step", &s) == RT_EIO);
    CHECK_OK(read_step("step 2 1\nunit 10 0.5 1\nunit 20 0.25 1.5\n", &s));
    CHECK(s.units_count == 2 && s.micro_steps == 2 && s.units[1].elements == 20);
    CHECK_NEAR(simulate_step_compute_s(&s), 6.5, SAME, 0);
    simulate_step_clear(&s);
}

static rt_status read_rows(const char *text, struct simulate_rows *rows)
{
    char path[32];

    write_file(path, text);
    const rt_status st = simulate_rows_read(path, rows);
    unlink(path);
    return st;
}

static void rows_are_read_averaged_over_seeds_and_refused(void)
{
    struct simulate_rows rows = {0};
    struct simulate_fit f;

    CHECK_OK(
        read_rows("fabric,ranks,per_node,op,algorithm,wire,elements,seed,seconds,solver\n"
                  "ib,64,8,gather,ring,fp32,100,1,2,smpi\nib,64,8,gather,ring,fp32,100,2,4,smpi\n"
                  "ib,64,8,gather,ring,fp32,300,1,5,smpi\n",
                  &rows));
    CHECK(rows.count == 3);
    CHECK(simulate_rows_fit(&rows, "ib", 64, "gather", "ring", "fp32", &f));
    CHECK_NEAR(simulate_fit_s(&f, 200), 4, SAME, 0);
    CHECK(!simulate_rows_fit(&rows, "ib", 64, "reduce", "ring", "fp32", &f));
    CHECK(!simulate_rows_fit(&rows, "ib", 8, "gather", "ring", "fp32", &f));
    CHECK(read_rows("ib,64,8,gather,ring,fp32,0,1,2,smpi\n", &rows) == RT_EDATA);
    CHECK(read_rows("ib,64,8,gather\n", &rows) == RT_EDATA);
    simulate_rows_clear(&rows);
}

/* 7b on 64 GPUs: 16 micro-steps of a sequence each; on 2048 the batch has grown. */
static void units_are_those_of_the_run_file(const char *source)
{
    const struct simulate_gpu gpu = {.mfu = 0.5, .peak_flops_per_s = 1e14, .memory_bytes = 80e9};
    struct simulate_units u;
    struct runfile *r = NULL;
    char path[512];

    snprintf(path, sizeof path, "%s/jobs/runs/7b.yaml", source);
    if (!CHECK_OK(runfile_load(path, NULL, 0, &r))) return;
    const double flops = model_flops_per_token(&r->model, r->model.context);
    CHECK_OK(simulate_units_create(r, 64, &gpu, &u));
    CHECK(u.step.units_count == 34 && u.step.micro_steps == 16 && !u.grown && u.fits);
    CHECK_NEAR(simulate_step_compute_s(&u.step), 1024.0 * 4096 * flops / (64 * 0.5e14), SAME, 0);
    CHECK_NEAR(u.step.units[5].backward_s, 3 * u.step.units[5].forward_s, SAME, 0);
    simulate_units_clear(&u);
    CHECK_OK(simulate_units_create(r, 2048, &gpu, &u));
    CHECK(u.step.micro_steps == 1 && u.grown && u.tokens == 2048.0 * 4096);
    simulate_units_clear(&u);
    CHECK_OK(simulate_units_create(r, 1, &gpu, &u));
    CHECK(!u.fits); /* 6.7e9 parameters of 16 bytes */
    simulate_units_clear(&u);
    runfile_destroy(&r);
}

int main(void)
{
    const char *source = getenv("RECUA_SOURCE");

    rt_log_set_level(RT_LOG_ERROR);
    without_messages_a_step_is_its_computing();
    without_computing_a_step_is_its_messages();
    long_computing_hides_all_but_the_ends();
    lines_go_through_their_points();
    steps_are_read_and_refused();
    rows_are_read_averaged_over_seeds_and_refused();
    units_are_those_of_the_run_file(source == NULL ? "." : source);
    return check_failures > 0;
}
