/* tests/data/test_prepare.c - runtime/data/prepare.h: text to tokens, by any number of workers
 *
 * Workers are threads here; test_prepare_mpi.c has ranks.
 */
#include "runtime/data/prepare.h"

#include <glob.h>
#include <pthread.h>
#include <sys/file.h>

#include "runtime/data/tokens.h"
#include "tests/data/fixture.h"

static const char *model;

struct team {
    pthread_barrier_t barrier;
    pthread_mutex_t mutex;
    rt_status worst[2]; /* by the parity of the meeting */
};

struct member {
    struct prepare_options o;
    struct prepare_report report;
    struct team *team;
    rt_status st;
    int meetings;
};

static rt_status agree(void *ctx, rt_status mine)
{
    struct member *m = ctx;
    rt_status *worst = &m->team->worst[m->meetings++ % 2];
    pthread_mutex_lock(&m->team->mutex);
    if (mine < *worst) *worst = mine;
    pthread_mutex_unlock(&m->team->mutex);
    pthread_barrier_wait(&m->team->barrier);
    return *worst;
}

static void *work(void *ctx)
{
    struct member *m = ctx;
    m->st = prepare_tokens(&m->o, &m->report);
    return NULL;
}

/* The status of all (they must agree) and the report of worker 0. */
static rt_status prepare(const struct prepare_options *o, int size, struct prepare_report *report)
{
    struct team team = {.worst = {RT_OK, RT_OK}};
    struct member members[8];
    pthread_t threads[8];
    pthread_barrier_init(&team.barrier, NULL, (unsigned)size);
    pthread_mutex_init(&team.mutex, NULL);
    for (int r = 0; r < size; r++) {
        members[r] = (struct member){.o = *o, .team = &team};
        members[r].o.rank = r;
        members[r].o.size = size;
        members[r].o.agree = agree;
        members[r].o.ctx = &members[r];
        pthread_create(&threads[r], NULL, work, &members[r]);
    }
    for (int r = 0; r < size; r++) pthread_join(threads[r], NULL);
    for (int r = 0; r < size; r++) CHECK(members[r].st == members[0].st);
    pthread_barrier_destroy(&team.barrier);
    pthread_mutex_destroy(&team.mutex);
    *report = members[0].report;
    return members[0].st;
}

static bool parts_left(void)
{
    glob_t g;
    const bool left = glob(at("*part-*"), 0, NULL, &g) == 0 || glob(at("*.tmp*"), 0, NULL, &g) == 0;
    globfree(&g);
    return left;
}

/* Twelve inputs of all kinds; their paths. */
static const char *const *make_inputs(size_t *count)
{
    static const char *list[12];
    char name[64];
    for (int i = 0; i < 12; i++) {
        char *text = make_text((uint64_t)i + 50, 3000 * (size_t)(i + 1));
        snprintf(name, sizeof name, i % 3 == 0 ? "in%02d.jsonl" : "in%02d.txt", i);
        list[i] = at(name);
        FILE *f = fopen(list[i], "w");
        if (i % 3 != 0) fputs(text, f);
        char *line = strtok(text, "\n");
        for (int k = 0; i % 3 == 0 && line != NULL; line = strtok(NULL, "\n"), k++)
            fprintf(f, "{\"url\":\"http://%s/%d\",\"text\":\"%s\"}\n%s",
                    k % 5 == 0 ? "www.bad.org" : "good.org", k, line, k % 7 == 0 ? "\n" : "");
        fclose(f);
        free(text);
    }
    *count = 12;
    return list;
}

static void any_number_of_workers_writes_the_same_bytes(uint64_t max_bytes, double heldout)
{
    struct prepare_report first = {0}, r;
    struct prepare_options o = {.tokenizer_path = model,
                                .exclude_sites = put_text("sites", "bad.org\n"),
                                .heldout = heldout,
                                .max_bytes = max_bytes};
    const char *one = at("one.h5"), *many = at("many.h5");
    o.inputs = make_inputs(&o.input_count);
    for (int size = 1; size <= 7; size++) {
        o.output = size == 1 ? one : many;
        if (!CHECK_OK(prepare(&o, size, &r))) continue;
        if (size == 1) first = r;
        CHECK(same_files(one, o.output));
        CHECK(r.documents == first.documents && r.excluded == first.excluded);
        CHECK(r.bytes == first.bytes && r.files == first.files);
        CHECK(!parts_left());
    }
    CHECK(first.documents == first.train_documents + first.heldout_documents);
    CHECK(first.heldout_documents > 0 && first.train_documents > 0 && first.excluded > 0);
    if (max_bytes > 0) CHECK(first.bytes == max_bytes);
}

/* The tokens of each document, decoded, are its text; the split follows the share. */
static void the_tokens_are_those_of_the_text(void)
{
    const char *in[] = {put_text("d1.txt", "the llama\ncarries"), put_text("d2.txt", ""),
                        put_text("d3.txt", "water 2026")};
    struct prepare_options o = {
        .inputs = in, .input_count = 3, .tokenizer_path = model, .output = at("d.h5")};
    struct prepare_report r;
    struct tokenizer *k = NULL;
    struct tokens *t = NULL;
    int32_t tokens[256];
    char *text = NULL;
    if (!CHECK_OK(prepare(&o, 1, &r))) return;
    CHECK(r.documents == 2 && r.empty == 1 && r.heldout_documents == 0 && r.bytes == 27);
    CHECK_OK(tokens_open(o.output, &t));
    CHECK_OK(tokenizer_load(model, &k));
    const size_t n = (size_t)tokens_info(t)->train;
    CHECK(n == r.train_tokens && tokens_info(t)->tokenizer_digest == tokenizer_digest(k));
    CHECK_OK(tokens_read(t, TOKENS_TRAIN, 0, n, tokens));
    CHECK(tokens[0] == TOKENIZER_BOS && tokens[n - 1] == TOKENIZER_EOS);
    size_t e = 0;
    while (e < n && tokens[e] != TOKENIZER_EOS) e++;
    CHECK_OK(tokenizer_decode(k, tokens + 1, e - 1, &text));
    CHECK(strcmp(text, "the llama\ncarries") == 0);
    free(text);
    CHECK(tokens[e + 1] == TOKENIZER_BOS);
    CHECK_OK(tokenizer_decode(k, tokens + e + 2, n - e - 3, &text));
    CHECK(strcmp(text, "water 2026") == 0);
    free(text);
    CHECK_OK(tokens_verify(t));
    tokens_close(&t);
    tokenizer_destroy(&k);
}

/* A file larger than a piece is the same tokens as a line of JSON with the same text. */
static void pieces_of_a_large_file_join_without_a_seam(void)
{
    char *text = make_text(77, 2300000);
    const size_t n = strlen(text);
    const char *plain = put_text("big.txt", text), *json = at("big.jsonl");
    struct prepare_options o = {
        .inputs = &plain, .input_count = 1, .tokenizer_path = model, .output = at("plain.h5")};
    struct prepare_report a, b;
    FILE *f = fopen(json, "w");
    fputs("{\"text\":\"", f);
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\n')
            fputs("\\n", f);
        else
            fputc(text[i], f);
    }
    fputs("\"}\n", f);
    fclose(f);
    CHECK_OK(prepare(&o, 1, &a));
    o.inputs = &json;
    o.output = at("json.h5");
    CHECK_OK(prepare(&o, 1, &b));
    CHECK(same_files(at("plain.h5"), at("json.h5")) && a.bytes == n && a.train_tokens > n / 4);
    free(text);
}

static void bad_input_is_refused_and_leaves_the_output_alone(void)
{
    const char *out = put_text("out.h5", "as it was");
    const char *in[2] = {put_text("fine.txt", "fine"), put_bytes("nul.txt", "a\0b", 3)};
    struct prepare_options o = {
        .inputs = in, .input_count = 2, .tokenizer_path = model, .output = out, .heldout = 0.01};
    struct prepare_report r;
    size_t n;
    for (int size = 1; size <= 3; size++)
        CHECK_SAYS(prepare(&o, size, &r), RT_EDATA, "nul.txt:1: a NUL byte");
    in[1] = put_bytes("utf.txt", "\xC3(", 2);
    CHECK_SAYS(prepare(&o, 2, &r), RT_EDATA, "utf.txt:1: byte 0xc3");
    o.skip_bad = true;
    o.output = at("skipped.h5");
    CHECK_OK(prepare(&o, 2, &r));
    CHECK(r.bad == 1 && r.documents == 1);
    o.skip_bad = false;
    o.output = out;
    in[1] = at("none.txt");
    CHECK_SAYS(prepare(&o, 2, &r), RT_EMISSING, "none.txt");
    in[1] = put_text("p.parquet", "PAR1");
    CHECK_SAYS(prepare(&o, 1, &r), RT_EDATA, "read_parquet");
    in[0] = in[1] = put_text("empty.txt", "");
    CHECK_SAYS(prepare(&o, 2, &r), RT_EDATA, "no text in the input: 2 files, 2 empty");
    in[0] = put_text("fine.txt", "fine");
    o.tokenizer_path = in[0];
    CHECK_SAYS(prepare(&o, 2, &r), RT_EDATA, "fine.txt");
    o.tokenizer_path = model;
    o.heldout = 0.7;
    CHECK_SAYS(prepare(&o, 1, &r), RT_EINVAL, "heldout is 0.7");
    o.heldout = 0;
    o.output = "/proc/none/out.h5";
    CHECK_SAYS(prepare(&o, 1, &r), RT_EIO, "/proc/none/out.h5");
    char *still = get_bytes(out, &n);
    CHECK(n == 9 && strcmp(still, "as it was") == 0);
    CHECK(!parts_left());
    free(still);
}

static void both_splits_have_text_where_there_are_two_tokens(void)
{
    const char *in[] = {put_text("h1.txt", "one"), put_text("h2.txt", "two"),
                        put_text("h3.txt", "three")};
    struct prepare_options o = {.inputs = in, .tokenizer_path = model, .output = at("h.h5")};
    struct prepare_report r;
    const double shares[] = {1e-9, 0.5};
    for (int k = 0; k < 2; k++) {
        o.heldout = shares[k];
        for (o.input_count = 1; o.input_count <= 3; o.input_count++) {
            CHECK_OK(prepare(&o, 2, &r));
            CHECK(r.train_documents >= 1);
            CHECK(r.heldout_documents >= 1 && r.heldout_tokens >= 3);
        }
    }
}

/* The text of a split, a NUL where each of its documents ends; malloc'ed. */
static char *text_of(const char *path, tokens_split split, size_t *bytes)
{
    struct tokens *t = NULL;
    struct tokenizer *k = NULL;
    char *all = calloc(1, 1 << 20), *text = NULL;
    *bytes = 0;
    CHECK_OK(tokens_open(path, &t));
    CHECK_OK(tokenizer_load(model, &k));
    CHECK_OK(tokens_verify(t));
    const struct tokens_info *i = tokens_info(t);
    const size_t n = (size_t)(split == TOKENS_TRAIN ? i->train : i->heldout);
    int32_t *tokens = malloc((n + 1) * sizeof *tokens);
    CHECK_OK(tokens_read(t, split, 0, n, tokens));
    for (size_t a = 0, e = 0; e < n; e++) {
        if (tokens[e] != TOKENIZER_EOS) continue;
        CHECK(tokens[a] == TOKENIZER_BOS);
        CHECK_OK(tokenizer_decode(k, tokens + a + 1, e - a - 1, &text));
        *bytes += (size_t)sprintf(all + *bytes, "%s", text) + 1;
        free(text);
        a = e + 1;
    }
    free(tokens);
    tokenizer_destroy(&k);
    tokens_close(&t);
    return all;
}

/* One file: its end is held out, cut at a line, and the two halves are the text. */
static void of_one_document_the_tail_is_held_out(double heldout, double least, double most)
{
    char *text = make_text(5, 60000);
    const char *in = put_text("single.txt", text);
    struct prepare_options o = {.inputs = &in,
                                .input_count = 1,
                                .tokenizer_path = model,
                                .output = at("single.h5"),
                                .heldout = heldout};
    struct prepare_report r;
    size_t m, n;
    CHECK_OK(prepare(&o, 1, &r));
    CHECK(r.documents == 1 && r.train_documents == 1 && r.heldout_documents == 1);
    const double share = (double)r.heldout_tokens / (double)(r.heldout_tokens + r.train_tokens);
    CHECK(share >= least && share <= most);
    char *train = text_of(o.output, TOKENS_TRAIN, &m), *held = text_of(o.output, 1, &n);
    CHECK(m + n == strlen(text) + 2 && train[m - 2] == '\n');
    CHECK(strncmp(text, train, m - 1) == 0 && strcmp(text + m - 1, held) == 0);
    o.output = at("single3.h5");
    CHECK_OK(prepare(&o, 3, &r));
    CHECK(same_files(at("single.h5"), o.output));
    free(train);
    free(held);
    free(text);
}

/* `count` files of the lengths that `length` gives; the report, the same for 1 and 3 workers. */
static struct prepare_report split_files(size_t count, size_t (*length)(size_t), double heldout)
{
    const char *in[64];
    char name[32];
    for (size_t i = 0; i < count; i++) {
        char *text = make_text(900 + i, length(i));
        snprintf(name, sizeof name, "split%zu.txt", i);
        in[i] = put_text(name, text);
        free(text);
    }
    struct prepare_options o = {.inputs = in,
                                .input_count = count,
                                .tokenizer_path = model,
                                .output = at("split1.h5"),
                                .heldout = heldout};
    struct prepare_report r = {0};
    CHECK_OK(prepare(&o, 1, &r));
    o.output = at("split3.h5");
    CHECK_OK(prepare(&o, 3, &r));
    CHECK(same_files(at("split1.h5"), o.output));
    return r;
}

static size_t small_first(size_t i) { return i == 0 ? 2000 : 100000; }
static size_t large_first(size_t i) { return i == 0 ? 100000 : 2000; }
static size_t tiny_first(size_t i) { return i == 0 ? 100 : 100000; }
static size_t equal(size_t i) { return 3000 + 0 * i; }
static size_t one_large(size_t i) { return i == 7 ? 100000 : 1000; }

/* No large document is held out whole: a small one is, or a tail. */
static void the_share_is_kept_with_few_documents(void)
{
    size_t (*const lengths[])(size_t) = {small_first, large_first, tiny_first, equal};
    const bool whole[] = {true, true, true, false};
    for (size_t k = 0; k < 4; k++) {
        const struct prepare_report r = split_files(2, lengths[k], 0.01);
        CHECK(r.train_documents == (whole[k] ? 1 : 2) && r.heldout_documents == 1);
        CHECK(r.heldout_tokens * 25 <= r.heldout_tokens + r.train_tokens);
    }
    for (size_t count = 10; count <= 60; count += 25) {
        for (int large = 0; large <= 1; large++) {
            const struct prepare_report r = split_files(count, large ? one_large : equal, 0.02);
            const uint64_t all = r.train_tokens + r.heldout_tokens;
            CHECK(r.heldout_documents >= 1 && r.heldout_tokens * 12 <= all);
            CHECK(r.documents + (count == 10 && !large) == r.train_documents + r.heldout_documents);
        }
    }
}

static void two_prepares_of_one_output_do_not_mix(void)
{
    const char *in = put_text("fine.txt", "fine");
    struct prepare_options o = {
        .inputs = &in, .input_count = 1, .tokenizer_path = model, .output = at("busy.h5")};
    struct prepare_report r;
    int fd = open(at("busy.h5.part-00000"), O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0 && flock(fd, LOCK_EX) == 0);
    CHECK_SAYS(prepare(&o, 1, &r), RT_EBUSY, "another");
    CHECK(!exists(o.output) && exists(at("busy.h5.part-00000")));
    close(fd);
    CHECK_OK(prepare(&o, 1, &r)); /* a stale part is no hindrance */
}

static void parts_of_a_killed_run_with_more_workers_are_removed(void)
{
    const char *in = put_text("fine.txt", "fine");
    struct prepare_options o = {
        .inputs = &in, .input_count = 1, .tokenizer_path = model, .output = at("swept.h5")};
    struct prepare_report r;
    const char *dead = put_text("swept.h5.part-00005", "x"),
               *keep[] = {put_text("swept.h5.part-00006", "x"), put_text("swept.h5.part-7", "x"),
                          put_text("other.h5.part-00005", "x")};
    int fd = open(keep[0], O_RDWR);
    CHECK(flock(fd, LOCK_EX) == 0); /* its writer lives */
    CHECK_OK(prepare(&o, 2, &r));
    CHECK(!exists(dead));
    for (int i = 0; i < 3; i++) CHECK(exists(keep[i]) && remove(keep[i]) == 0);
    close(fd);
}

int main(void)
{
    fixture_open();
    model = make_tokenizer("m.model");
    any_number_of_workers_writes_the_same_bytes(0, 0.1);
    any_number_of_workers_writes_the_same_bytes(100000, 0.3);
    the_tokens_are_those_of_the_text();
    pieces_of_a_large_file_join_without_a_seam();
    bad_input_is_refused_and_leaves_the_output_alone();
    both_splits_have_text_where_there_are_two_tokens();
    of_one_document_the_tail_is_held_out(0.02, 0.02, 0.04);
    of_one_document_the_tail_is_held_out(1e-6, 0.01, 0.02);
    the_share_is_kept_with_few_documents();
    two_prepares_of_one_output_do_not_mix();
    parts_of_a_killed_run_with_more_workers_are_removed();
    return fixture_close();
}
