/* tests/jobs/test_runfile.c - jobs/train/runfile.h: read, checked, completed, printed, read again
 *
 * Messages are tested from the outside (test_refusals.py); here the values and the codes.
 */
#include "jobs/train/runfile.h"

#include <stdlib.h>
#include <string.h>

#include "jobs/train/schema.h"
#include "jobs/train/tree.h"
#include "tests/check.h"

static const char least[] = "model: {layers: 2, dim: 32, heads: 4, ffn_dim: 48, vocabulary: 320, "
                            "context: 32}\n"
                            "batch: {global_sequences: 8}\n"
                            "steps: 20\n";

static rt_status parse(const char *text, const char *set, struct runfile **out)
{
    return runfile_parse(text, strlen(text), "test.yaml", &set, set != NULL, out);
}

/* Read with one setting; the code. */
static rt_status code(const char *set)
{
    struct runfile *r = NULL;
    const rt_status st = parse(least, set, &r);

    CHECK((st == RT_OK) == (r != NULL));
    runfile_destroy(&r);
    return st;
}

static void defaults_are_llama_2(void)
{
    struct runfile *r = NULL;

    if (!CHECK_OK(parse(least, NULL, &r))) return;
    CHECK(r->model.layers == 2 && r->model.dim == 32 && r->model.kv_heads == 4);
    CHECK(r->model.rope_theta == 10000 && r->model.norm_eps == 1e-5);
    CHECK(r->optimizer.learning_rate == 3e-4 && r->optimizer.beta1 == 0.9);
    CHECK(r->optimizer.beta2 == 0.95 && r->optimizer.epsilon == 1e-5);
    CHECK(r->optimizer.weight_decay == 0.1 && r->optimizer.clip == 1);
    CHECK(r->schedule.warmup == 2000 && r->schedule.final_ratio == 0.1);
    CHECK(r->seed == 1 && r->steps == 20 && r->stop_after == 0);
    CHECK(strcmp(r->init, "random") == 0 && strcmp(r->device, "cpu") == 0);
    CHECK(r->compute == RT_BF16 && r->wire == RT_F32 && r->shard.mode == SHARD_FULL);
    CHECK(r->recompute == MODEL_RECOMPUTE_NONE && r->reduce == RUNFILE_REDUCE_FAST);
    CHECK(r->checkpoint.keep == 2 && strcmp(r->checkpoint.files, "shared") == 0);
    CHECK(r->data.source_count == 0 && r->data.tokenizer[0] == '\0' && !r->trace);
    runfile_destroy(&r);
}

static void settings_reach_every_kind_of_value(void)
{
    static const char *const sets[] = {"model.dim=64",
                                       "seed=18446744073709551615",
                                       "optimizer.learning_rate=1e-4",
                                       "trace=true",
                                       "compute=fp32",
                                       "shard.mode=grads",
                                       "output='runs/with space: and \"quotes\"'",
                                       "data.sources=[{file: a.h5, weight: 0.5}, {file: b.h5}]",
                                       "recompute=full"};
    struct runfile *r = NULL;

    if (!CHECK_OK(runfile_parse(least, strlen(least), "t", sets, sizeof sets / sizeof *sets, &r)))
        return;
    CHECK(r->model.dim == 64 && r->seed == UINT64_MAX && r->trace);
    CHECK(r->optimizer.learning_rate == 1e-4 && r->compute == RT_F32);
    CHECK(r->shard.mode == SHARD_GRADS && r->recompute == MODEL_RECOMPUTE_FULL);
    CHECK(r->data.source_count == 2 && strcmp(r->data.sources[1].file, "b.h5") == 0);
    CHECK(r->data.sources[0].weight == 0.5 && r->data.sources[1].weight == 1);
    runfile_destroy(&r);
}

static void what_is_printed_reads_back_to_the_same(void)
{
    static const char *const sets[] = {
        "optimizer.learning_rate=0.00031415926535897931", "optimizer.clip=0.1",
        "seed=9007199254740993", "output=a \\ b\t\"c\"#",
        "data.sources=[{file: 'x: y.h5', weight: 0.3333333333333333}]"};
    struct runfile *r = NULL, *again = NULL;
    char *text = NULL, *second = NULL;

    if (!CHECK_OK(runfile_parse(least, strlen(least), "t", sets, sizeof sets / sizeof *sets, &r)))
        return;
    CHECK_OK(runfile_print(r, &text));
    CHECK_OK(parse(text, NULL, &again));
    if (again != NULL) {
        CHECK(again->optimizer.learning_rate == r->optimizer.learning_rate);
        CHECK(again->seed == 9007199254740993u);
        CHECK(strcmp(again->output, r->output) == 0);
        CHECK(again->data.sources[0].weight == 0.3333333333333333);
        CHECK(strcmp(again->data.sources[0].file, "x: y.h5") == 0);
        CHECK_OK(runfile_print(again, &second));
        CHECK(strcmp(text, second) == 0);
    }
    free(text);
    free(second);
    runfile_destroy(&r);
    runfile_destroy(&again);
}

static void the_file_of_data_is_short_for_one_source(void)
{
    struct runfile *r = NULL;

    if (CHECK_OK(parse(least, "data.file=a.h5", &r)))
        CHECK(r->data.source_count == 1 && strcmp(r->data.sources[0].file, "a.h5") == 0);
    runfile_destroy(&r);
    /* A setting beats what the file says, whichever of the two forms either uses. */
    char text[512];
    snprintf(text, sizeof text, "%sdata: {file: a.h5}\n", least);
    if (CHECK_OK(parse(text, "data.sources=[{file: b.h5}]", &r)))
        CHECK(r->data.source_count == 1 && strcmp(r->data.sources[0].file, "b.h5") == 0);
    runfile_destroy(&r);
    snprintf(text, sizeof text, "%sdata: {sources: [{file: a.h5}, {file: c.h5}]}\n", least);
    if (CHECK_OK(parse(text, "data.file=b.h5", &r)))
        CHECK(r->data.source_count == 1 && strcmp(r->data.sources[0].file, "b.h5") == 0);
    runfile_destroy(&r);
    snprintf(text, sizeof text, "%sdata: {file: a.h5, sources: [{file: b.h5}]}\n", least);
    CHECK(parse(text, NULL, &r) == RT_EINVAL);
}

static void wrong_values_are_refused(void)
{
    static const char *const bad[] = {"model.dim=0",
                                      "model.dim=3.5",
                                      "model.dim=1e2",
                                      "model.dim=010",
                                      "model.dim=99999999999",
                                      "model.dim=",
                                      "model.dim=[1]",
                                      "model.heads=3",
                                      "model.kv_heads=3",
                                      "model.x=1",
                                      "model=3",
                                      "seed=-1",
                                      "seed=18446744073709551616",
                                      "optimizer.beta1=1",
                                      "optimizer.clip=nan",
                                      "optimizer.clip=inf",
                                      "optimizer.clip=0x10",
                                      "compute=FP32",
                                      "compute=1",
                                      "trace=maybe",
                                      "shard.mode=1",
                                      "steps=0",
                                      "batch.micro_sequences=9",
                                      "data.sources=a.h5",
                                      "data.sources=[a.h5]",
                                      "data.sources=[{file: a, weight: 0}]",
                                      "data.sources=[{weight: 1}]",
                                      "data.sources=[{file: a, wait: 1}]",
                                      "data.file=[a]",
                                      "kernels=fast",
                                      "checkpoint.keep=1",
                                      "evaluate.sequences=0",
                                      "",
                                      "=3",
                                      "steps",
                                      "a: b=3",
                                      "model.dim.x=3",
                                      "optimizer={lr: 3}",
                                      "steps={",
                                      NULL};

    for (size_t i = 0; bad[i] != NULL; i++)
        if (!CHECK(code(bad[i]) == RT_EINVAL)) printf("    with '%s'\n", bad[i]);
    CHECK_OK(code("model.kv_heads=2"));
}

static void what_is_no_run_file_is_refused(void)
{
    static const char *const bad[] = {"",
                                      "just words",
                                      "[1, 2]",
                                      "a: {b",
                                      "---\na: 1\n---\nb: 2\n",
                                      "model: &m {dim: *m}",
                                      "model.dim: 3",
                                      "\x01",
                                      NULL};
    struct runfile *r = NULL;

    for (size_t i = 0; bad[i] != NULL; i++)
        if (!CHECK(parse(bad[i], NULL, &r) == RT_EINVAL && r == NULL))
            printf("    with '%s'\n", bad[i]);
    CHECK(runfile_load("no such file.yaml", NULL, 0, &r) == RT_EMISSING);
}

static void the_nearest_key_is_named(void)
{
    static const char *const pairs[][2] = {{"model.dmi", "model.dim"},
                                           {"optimiser", "optimizer"},
                                           {"learning_rate", "optimizer.learning_rate"},
                                           {"batch.global", "batch.global_sequences"},
                                           {"Steps", "steps"},
                                           {"checkpoints.keep", "checkpoint.keep"},
                                           {"data.files", "data.file"}};
    char nearest[128];

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (!CHECK(strcmp(schema_nearest(pairs[i][0], nearest, sizeof nearest), pairs[i][1]) == 0))
            printf("    '%s' gives '%s'\n", pairs[i][0], nearest);
}

/* argument --keys: print the table of docs/runfile.md. */
int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--keys") == 0) {
        schema_print(stdout);
        return 0;
    }
    defaults_are_llama_2();
    settings_reach_every_kind_of_value();
    what_is_printed_reads_back_to_the_same();
    the_file_of_data_is_short_for_one_source();
    wrong_values_are_refused();
    what_is_no_run_file_is_refused();
    the_nearest_key_is_named();
    return check_failures != 0;
}
