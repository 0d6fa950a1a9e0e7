/* tests/runtime/test_trace.c - runtime/trace.h: self time by phase, the file for Perfetto
 *
 * Numbers  times are measured by sleeping: never shorter than asked, longer by what the machine is
 *          busy with; so sums are compared with the clock around them
 */
#include "runtime/trace.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/check.h"
#include "tests/runtime/capture.h"

static void sleep_s(double s)
{
    struct timespec t = {.tv_sec = 0, .tv_nsec = (long)(1e9 * s)};
    nanosleep(&t, NULL);
}

static void a_trace_that_is_not_there_costs_nothing(void)
{
    struct rt_trace *none = NULL;
    double seconds[RT_PHASES];

    rt_trace_begin(NULL, RT_PHASE_DATA, "x", 0);
    rt_trace_end(NULL);
    seconds[RT_PHASE_DATA] = 7;
    rt_trace_take(NULL, seconds);
    CHECK(seconds[RT_PHASE_DATA] == 0);
    CHECK_OK(rt_trace_destroy(&none));
}

static void every_phase_has_a_name_of_its_own(void)
{
    for (int p = 0; p < RT_PHASES; p++)
        for (int q = 0; q < p; q++)
            CHECK(strcmp(rt_phase_name((rt_phase)p), rt_phase_name((rt_phase)q)) != 0);
    CHECK(strcmp(rt_phase_name(RT_PHASES), "unknown") == 0);
}

/* forward [ gather ] forward: the inner time is not the outer one's, and nothing is lost. */
static void only_the_innermost_phase_is_charged(void)
{
    struct rt_trace *t = NULL;
    double s[RT_PHASES], sum = 0;

    if (!CHECK_OK(rt_trace_create(NULL, 0, 0, &t))) return;
    double began = rt_now_s();
    rt_trace_begin(t, RT_PHASE_FORWARD, "forward", 1);
    sleep_s(0.02);
    rt_trace_begin(t, RT_PHASE_GATHER, "gather", 1);
    sleep_s(0.03);
    rt_trace_end(t);
    rt_trace_end(t);
    double wall = rt_now_s() - began;
    sleep_s(0.01); /* outside of every span */
    rt_trace_take(t, s);
    for (int p = 0; p < RT_PHASES; p++) sum += s[p];
    CHECK(s[RT_PHASE_FORWARD] >= 0.02 && s[RT_PHASE_GATHER] >= 0.03);
    CHECK(s[RT_PHASE_DATA] == 0);
    CHECK(sum <= wall);
    CHECK(sum >= 0.9 * wall - 0.001);
    rt_trace_take(t, s);
    CHECK(s[RT_PHASE_FORWARD] == 0 && s[RT_PHASE_GATHER] == 0);
    CHECK_OK(rt_trace_destroy(&t));
    CHECK(t == NULL);
}

/* Taken in the middle of a span: the time so far, and the rest the next time. */
static void taking_does_not_end_a_span(void)
{
    struct rt_trace *t = NULL;
    double s[RT_PHASES];

    CHECK_OK(rt_trace_create(NULL, 0, 0, &t));
    rt_trace_begin(t, RT_PHASE_REDUCE, "reduce", 0);
    sleep_s(0.01);
    rt_trace_take(t, s);
    CHECK(s[RT_PHASE_REDUCE] >= 0.01);
    sleep_s(0.01);
    rt_trace_end(t);
    rt_trace_end(t); /* one too many: nothing happens */
    rt_trace_take(t, s);
    CHECK(s[RT_PHASE_REDUCE] >= 0.01);
    CHECK_OK(rt_trace_destroy(&t));
}

/* Deeper than spans are kept: still balanced, and charged to the deepest kept one. */
static void very_deep_spans_stay_balanced(void)
{
    struct rt_trace *t = NULL;
    double s[RT_PHASES];

    CHECK_OK(rt_trace_create(NULL, 0, 0, &t));
    for (int i = 0; i < 200; i++) rt_trace_begin(t, RT_PHASE_OTHER, "deep", i);
    for (int i = 0; i < 200; i++) rt_trace_end(t);
    rt_trace_begin(t, RT_PHASE_DATA, "data", 0);
    sleep_s(0.005);
    rt_trace_end(t);
    rt_trace_take(t, s);
    CHECK(s[RT_PHASE_DATA] >= 0.005);
    CHECK_OK(rt_trace_destroy(&t));
}

static const json_t *event(const json_t *root, size_t i)
{
    return json_array_get(json_object_get(root, "traceEvents"), i);
}

static double number(const json_t *e, const char *key)
{
    return json_number_value(json_object_get(e, key));
}

static const char *string(const json_t *e, const char *key)
{
    const char *s = json_string_value(json_object_get(e, key));
    return s != NULL ? s : "";
}

static void the_file_holds_the_spans(void)
{
    static const char path[] = "test_trace.json";
    struct rt_trace *t = NULL;
    char text[512];

    if (!CHECK_OK(rt_trace_create(path, 3, 2, &t))) return;
    rt_trace_begin(t, RT_PHASE_FORWARD, "a \"quoted\"\\\n name\xc3\xa9", 5);
    rt_trace_begin(t, RT_PHASE_GATHER, "a name that is longer than what is kept of it", -1);
    rt_trace_end(t);
    rt_trace_end(t);
    rt_trace_begin(t, RT_PHASE_DATA, "beyond the limit", 0);
    rt_trace_end(t);
    struct capture c = capture_begin();
    CHECK_OK(rt_trace_destroy(&t));
    capture_end(&c, text, sizeof text);
    CHECK(strstr(text, "the first 2 events are kept, 1 are not") != NULL);

    json_error_t error;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!CHECK(root != NULL)) return;
    CHECK(json_array_size(json_object_get(root, "traceEvents")) == 3);
    CHECK(number(json_object_get(root, "otherData"), "dropped_events") == 1);
    CHECK(strcmp(string(event(root, 0), "ph"), "M") == 0);
    const json_t *inner = event(root, 1), *outer = event(root, 2);
    CHECK(strcmp(string(inner, "cat"), "gather") == 0);
    CHECK(strcmp(string(inner, "name"), "a name that is longer than ") == 0);
    CHECK(strncmp(string(outer, "name"), "a \"quoted\"\\\n name", 17) == 0);
    CHECK(number(json_object_get(outer, "args"), "unit") == 5);
    CHECK(number(outer, "pid") == 3);
    CHECK(number(outer, "ts") <= number(inner, "ts"));
    CHECK(number(inner, "ts") + number(inner, "dur") <=
          number(outer, "ts") + number(outer, "dur") + 0.01);
    json_decref(root);
    unlink(path);
}

static void a_file_that_cannot_be_written_is_refused_at_once(void)
{
    struct rt_trace *t = NULL;
    char text[512];
    struct capture c = capture_begin();

    CHECK(rt_trace_create("no/such/directory/trace.json", 0, 10, &t) == RT_EIO && t == NULL);
    CHECK_OK(rt_trace_create("/dev/full", 0, 10, &t));
    CHECK(rt_trace_destroy(&t) == RT_EIO && t == NULL);
    capture_end(&c, text, sizeof text);
    CHECK(strstr(text, "no/such/directory/trace.json cannot be written") != NULL);
    CHECK(strstr(text, "/dev/full is not complete: No space left") != NULL);
}

int main(void)
{
    a_trace_that_is_not_there_costs_nothing();
    every_phase_has_a_name_of_its_own();
    only_the_innermost_phase_is_charged();
    taking_does_not_end_a_span();
    very_deep_spans_stay_balanced();
    the_file_holds_the_spans();
    a_file_that_cannot_be_written_is_refused_at_once();
    return check_failures != 0;
}
