/* tests/data/test_loader.c - runtime/data/loader.h: each sample once an epoch, weights to the
 * sample, the same for any way of reading */
#include "runtime/data/loader.h"

#include "runtime/data/tokens_format.h"
#include "tests/data/fixture.h"

enum { CONTEXT = 8, VOCABULARY = 60000 };

/* Token i of the train split is (base + i) mod VOCABULARY. */
static struct tokens *make_tokens(const char *name, uint64_t train, uint64_t heldout, uint32_t base)
{
    const struct tokens_info info = {.vocabulary = VOCABULARY,
                                     .bytes_per_token = 2,
                                     .train = train,
                                     .heldout = heldout,
                                     .tokenizer_digest = 0x2d06800538d394c2u}; /* of no bytes */
    const struct tokens_counted counted = {0};
    const uint64_t counts[2] = {train, heldout};
    struct tokens_place places[2];
    struct tokens *t = NULL;
    const char *path = at(name);
    CHECK_OK(tokens_skeleton(path, &info, &counted, "", 0, places));
    int fd = open(path, O_RDWR);
    for (int s = 0; s < 2; s++) {
        uint16_t *all = malloc(2 * (size_t)counts[s] + 2);
        for (uint64_t i = 0; i < counts[s]; i++) all[i] = (uint16_t)((base + i) % VOCABULARY);
        CHECK_OK(data_file_put(fd, path, all, 2 * (size_t)counts[s], places[s].tokens));
        free(all);
    }
    close(fd);
    CHECK_OK(tokens_open(path, &t));
    return t;
}

static void one_source_gives_each_sample_once_an_epoch(struct tokens *t, uint64_t samples)
{
    const struct loader_source s = {t, 1};
    struct loader *l = NULL;
    int32_t in[CONTEXT], target[CONTEXT];
    unsigned *seen = calloc((size_t)samples, sizeof *seen);
    uint64_t same_place = 0;
    if (!CHECK_OK(loader_create(&s, 1, TOKENS_TRAIN, CONTEXT, 7, &l))) return;
    CHECK(loader_samples_per_epoch(l) == samples);
    uint64_t *first = calloc((size_t)samples, sizeof *first);
    for (uint64_t i = 0; i < 3 * samples; i++) {
        struct loader_place p;
        loader_place(l, i, &p);
        CHECK(p.source == 0 && p.first_token % CONTEXT == 0 && p.first_token / CONTEXT < samples);
        seen[p.first_token / CONTEXT]++;
        if (i < samples) first[i] = p.first_token;
        if (i >= samples && i < 2 * samples) same_place += first[i - samples] == p.first_token;
        CHECK_OK(loader_read(l, i, in, target));
        for (size_t k = 0; k < CONTEXT; k++) {
            CHECK((uint64_t)in[k] == (p.first_token + k) % VOCABULARY);
            CHECK((uint64_t)target[k] == (p.first_token + k + 1) % VOCABULARY);
        }
    }
    /* 1024 places of a block are permuted too, so epochs meet within a block: over all blocks that
     * are whole, each sample was given as often as any other, give or take one */
    uint64_t total = 0;
    for (uint64_t k = 0; k < samples; k++) total += seen[k];
    CHECK(total == 3 * samples);
    for (uint64_t k = 0; k < samples; k++) CHECK(seen[k] >= 1 && seen[k] <= 5);
    CHECK(same_place < samples / 10 + 3); /* another order in the next epoch */
    free(seen);
    free(first);
    loader_destroy(&l);
}

/* In visits rather than samples, an epoch is exact. */
static void each_epoch_of_a_source_is_a_permutation(struct tokens *t, uint64_t samples)
{
    const struct loader_source s = {t, 1};
    struct loader *l = NULL;
    if (!CHECK_OK(loader_create(&s, 1, TOKENS_TRAIN, CONTEXT, 7, &l))) return;
    const uint64_t blocks = (3 * samples + 1023) / 1024 * 1024;
    unsigned char *seen = calloc((size_t)(4 * samples + 1024 * 4), 1);
    for (uint64_t i = 0; i < blocks; i++) {
        struct loader_place p;
        loader_place(l, i, &p);
        if (p.epoch >= 3) continue;
        const uint64_t k = p.epoch * samples + p.first_token / CONTEXT;
        CHECK(seen[k] == 0);
        seen[k] = 1;
    }
    for (uint64_t k = 0; k < 3 * samples; k++) CHECK(seen[k] == 1);
    free(seen);
    loader_destroy(&l);
}

static void weights_hold_to_the_sample_in_every_block(struct tokens *a, struct tokens *b,
                                                      struct tokens *c)
{
    const struct loader_source s[] = {{a, 5}, {b, 2.5}, {c, 0.001}};
    struct loader *l = NULL;
    said_begin();
    CHECK_OK(loader_create(s, 3, TOKENS_TRAIN, CONTEXT, 3, &l));
    CHECK(strstr(said_end(), "1/1024") != NULL); /* the third is rounded up, and that is said */
    uint64_t turns = 0;
    for (uint64_t block = 0; block < 40; block++) {
        uint64_t counts[3] = {0};
        size_t last = 9;
        for (uint64_t i = 0; i < 1024; i++) {
            struct loader_place p;
            loader_place(l, block * 1024 + i, &p);
            counts[p.source]++;
            turns += p.source != last;
            last = p.source;
        }
        CHECK(counts[0] == 682 && counts[1] == 341 && counts[2] == 1);
    }
    CHECK(turns > 40 * 300); /* mixed, not one after the other */
    loader_destroy(&l);
}

static void the_seed_and_the_sample_decide_alone(struct tokens *a, struct tokens *b)
{
    const struct loader_source s[] = {{a, 1}, {b, 3}};
    struct loader *x = NULL, *y = NULL, *z = NULL;
    uint64_t other = 0;
    CHECK_OK(loader_create(s, 2, TOKENS_TRAIN, CONTEXT, 11, &x));
    CHECK_OK(loader_create(s, 2, TOKENS_TRAIN, CONTEXT, 11, &y));
    CHECK_OK(loader_create(s, 2, TOKENS_TRAIN, CONTEXT, 12, &z));
    for (uint64_t i = 0; i < 5000; i++) {
        const uint64_t j = i * 7919 % 5000; /* another order of reading */
        struct loader_place p, q;
        int32_t in[2][CONTEXT], target[2][CONTEXT];
        CHECK_OK(loader_read(x, i, in[0], target[0]));
        CHECK_OK(loader_read(y, j, in[1], target[1]));
        CHECK_OK(loader_read(y, i, in[1], target[1]));
        CHECK(memcmp(in[0], in[1], sizeof in[0]) == 0);
        CHECK(memcmp(target[0], target[1], sizeof target[0]) == 0);
        loader_place(x, i, &p);
        loader_place(z, i, &q);
        other += p.first_token != q.first_token || p.source != q.source;
    }
    CHECK(other > 4900);
    loader_destroy(&x);
    loader_destroy(&y);
    loader_destroy(&z);
}

static void reading_ahead_gives_what_was_announced(struct tokens *t)
{
    const struct loader_source s = {t, 1};
    struct loader *l = NULL;
    uint64_t wanted[2][5];
    int32_t in[2][CONTEXT], target[2][CONTEXT];
    if (!CHECK_OK(loader_create(&s, 1, TOKENS_TRAIN, CONTEXT, 7, &l))) return;
    CHECK_SAYS(loader_next(l, in[0], target[0]), RT_EINVAL, "does not read ahead");
    CHECK_OK(loader_ahead_start(l, 5));
    CHECK_SAYS(loader_ahead_start(l, 5), RT_EINVAL, "already");
    CHECK_SAYS(loader_next(l, in[0], target[0]), RT_EINVAL, "no sample is announced");
    CHECK_SAYS(loader_announce(l, wanted[0], 6), RT_EINVAL, "room for 5");
    for (uint64_t k = 0; k < 5; k++) wanted[0][k] = 100 + k * k;
    CHECK_OK(loader_announce(l, wanted[0], 5));
    for (int round = 1; round < 400; round++) {
        uint64_t *now = wanted[(round - 1) % 2], *next = wanted[round % 2];
        const size_t n = round == 1 ? 5 : 1 + (size_t)(round - 1) % 5;
        for (uint64_t k = 0; k < 5; k++) next[k] = (uint64_t)round * 13 + k * 3;
        CHECK_OK(loader_announce(l, next, 1 + (size_t)round % 5));
        if (round == 9) CHECK_SAYS(loader_announce(l, next, 1), RT_EINVAL, "two announcements");
        for (size_t k = 0; k < n; k++) {
            CHECK_OK(loader_next(l, in[0], target[0]));
            CHECK_OK(loader_read(l, now[k], in[1], target[1]));
            CHECK(memcmp(in[0], in[1], sizeof in[0]) == 0);
            CHECK(memcmp(target[0], target[1], sizeof target[0]) == 0);
        }
    }
    CHECK(loader_ahead_bytes(CONTEXT, 5) == 2 * 5 * (2 * CONTEXT * 4 + 8));
    loader_destroy(&l); /* with an announcement outstanding */
    CHECK(l == NULL);
}

static void what_cannot_be_read_is_an_error_of_next(struct tokens *t)
{
    struct loader *l = NULL;
    const struct loader_source s = {t, 1};
    int32_t in[CONTEXT], target[CONTEXT];
    const uint64_t beyond[] = {0, 1};
    if (!CHECK_OK(loader_create(&s, 1, TOKENS_TRAIN, CONTEXT, 7, &l))) return;
    CHECK_OK(loader_ahead_start(l, 2));
    said_begin();
    CHECK_OK(loader_announce(l, beyond, 2));
    CHECK(loader_next(l, in, target) == RT_EDATA);
    CHECK(loader_next(l, in, target) == RT_EDATA);
    (void)said_end();
    loader_destroy(&l);
}

static void sources_that_are_too_small_are_refused(struct tokens *t, struct tokens *tiny)
{
    const struct loader_source two[] = {{t, 1}, {tiny, 1}}, zero = {t, 0}, nan = {t, NAN};
    struct loader *l = NULL;
    CHECK_SAYS(loader_create(two, 2, TOKENS_TRAIN, CONTEXT, 1, &l), RT_EDATA,
               "has 8 tokens, one sample needs 9");
    CHECK(l == NULL);
    CHECK_SAYS(loader_create(two, 1, TOKENS_HELDOUT, CONTEXT, 1, &l), RT_EDATA, "heldout has 0");
    CHECK_SAYS(loader_create(&zero, 1, TOKENS_TRAIN, CONTEXT, 1, &l), RT_EINVAL, "weight is 0");
    CHECK_SAYS(loader_create(&nan, 1, TOKENS_TRAIN, CONTEXT, 1, &l), RT_EINVAL, "weight is");
    CHECK_SAYS(loader_create(two, 0, TOKENS_TRAIN, CONTEXT, 1, &l), RT_EINVAL, "0 data sources");
    CHECK_SAYS(loader_create(two, 1, TOKENS_TRAIN, 0, 1, &l), RT_EINVAL, "context is 0");
    CHECK_OK(loader_create(&two[1], 1, TOKENS_TRAIN, CONTEXT - 1, 1, &l)); /* just enough */
    CHECK(loader_samples_per_epoch(l) == 1);
    loader_destroy(&l);
}

/* A file whose every token lies beyond its vocabulary. */
static struct tokens *make_beyond(void)
{
    const struct tokens_info info = {.vocabulary = 100,
                                     .bytes_per_token = 2,
                                     .train = 100,
                                     .tokenizer_digest = 0x2d06800538d394c2u};
    const struct tokens_counted counted = {0};
    struct tokens_place places[2];
    struct tokens *t = NULL;
    uint16_t all[100];
    const char *path = at("beyond.h5");
    for (int i = 0; i < 100; i++) all[i] = 100;
    CHECK_OK(tokens_skeleton(path, &info, &counted, "", 0, places));
    int fd = open(path, O_RDWR);
    CHECK_OK(data_file_put(fd, path, all, sizeof all, places[0].tokens));
    close(fd);
    CHECK_OK(tokens_open(path, &t));
    return t;
}

int main(void)
{
    fixture_open();
    struct tokens *a = make_tokens("a.h5", 30001, 0, 0), *b = make_tokens("b.h5", 905, 200, 7);
    struct tokens *tiny = make_tokens("tiny.h5", 8, 0, 0), *beyond = make_beyond();
    if (check_failures == 0) {
        one_source_gives_each_sample_once_an_epoch(a, 3750);
        each_epoch_of_a_source_is_a_permutation(a, 3750);
        each_epoch_of_a_source_is_a_permutation(b, 113);
        weights_hold_to_the_sample_in_every_block(a, b, a);
        the_seed_and_the_sample_decide_alone(a, b);
        reading_ahead_gives_what_was_announced(a);
        what_cannot_be_read_is_an_error_of_next(beyond);
        sources_that_are_too_small_are_refused(a, tiny);
    }
    tokens_close(&a);
    tokens_close(&b);
    tokens_close(&tiny);
    tokens_close(&beyond);
    return fixture_close();
}
