/* tests/data/test_prepare_mpi.c - ranks share the work of `data prepare`: the bytes are those of
 * one worker, and a bad input is the same refusal on all */
#include "runtime/data/prepare.h"

#include "comm/comm.h"
#include "runtime/data/tokens.h"
#include "tests/data/fixture.h"

static rt_status agree(void *ctx, rt_status mine) { return comm_agree(ctx, mine); }

static void run(struct comm *world, const char *model, const char *const *in, size_t count)
{
    struct prepare_report r;
    struct prepare_options o = {.inputs = in,
                                .input_count = count,
                                .tokenizer_path = model,
                                .heldout = 0.2,
                                .rank = comm_rank(world),
                                .size = comm_size(world),
                                .agree = agree,
                                .ctx = world};
    const char *many = at("many.h5"), *one = at("one.h5");
    o.output = many;
    CHECK_OK(prepare_tokens(&o, &r));
    if (comm_rank(world) == 0) {
        CHECK(r.documents == count);
        o.output = one;
        o.rank = 0;
        o.size = 1;
        o.agree = NULL;
        CHECK_OK(prepare_tokens(&o, &r));
        CHECK(same_files(one, many));
        put_bytes("in3.txt", "\xFF", 1);
    }
    CHECK_OK(comm_barrier(world));
    o.output = many;
    o.rank = comm_rank(world);
    o.size = comm_size(world);
    o.agree = agree;
    said_begin();
    CHECK(prepare_tokens(&o, &r) == RT_EDATA);
    (void)said_end();
}

int main(int argc, char **argv)
{
    struct comm *world = NULL;
    const char *in[10];
    if (comm_init(&argc, &argv, &world) != RT_OK) return 1;
    if (comm_rank(world) == 0) fixture_open();
    CHECK_OK(comm_bcast(world, 0, fixture_directory, sizeof fixture_directory));
    const char *model = at("m.model");
    if (comm_rank(world) == 0) make_tokenizer("m.model");
    for (int i = 0; i < 10; i++) {
        char name[32];
        snprintf(name, sizeof name, "in%d.txt", i);
        in[i] = at(name);
        if (comm_rank(world) != 0) continue;
        char *text = make_text((uint64_t)i, 5000 * (size_t)(1 + i % 4));
        put_text(name, text);
        free(text);
    }
    CHECK_OK(comm_barrier(world));
    run(world, model, in, 10);
    const int bad = comm_agree(world, check_failures ? RT_EINVAL : RT_OK) != RT_OK;
    if (comm_rank(world) == 0) fixture_close();
    comm_finish(&world);
    return bad;
}
