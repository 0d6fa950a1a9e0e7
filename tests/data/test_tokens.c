/* tests/data/test_tokens.c - runtime/data/tokens.h: token files that are right, foreign, truncated,
 * damaged */
#include "runtime/data/tokens.h"

#include <hdf5.h>
#include <sys/wait.h>
#include <xxhash.h>

#include "runtime/data/tokens_format.h"
#include "tests/data/fixture.h"

enum { TRAIN = 5000, HELDOUT = 300 };

/* A token file made by hand: token i is i mod `modulus`. */
static const char *make_file(const char *name, int vocabulary, uint64_t heldout, uint32_t modulus)
{
    const char *path = at(name);
    const struct tokens_info info = {.vocabulary = vocabulary,
                                     .bytes_per_token = vocabulary <= 65536 ? 2 : 4,
                                     .train = TRAIN,
                                     .heldout = heldout,
                                     .train_documents = 2,
                                     .heldout_documents = heldout > 0,
                                     .tokenizer_digest = XXH3_64bits("model", 5)};
    const struct tokens_counted counted = {
        .documents = 3, .excluded = 4, .bad = 5, .empty = 6, .text_bytes = 7};
    const uint64_t starts[2] = {0, 1000}, counts[2] = {TRAIN, heldout};
    struct tokens_place places[2];
    XXH3_state_t *digest = XXH3_createState();

    XXH3_64bits_reset(digest);
    CHECK_OK(tokens_skeleton(path, &info, &counted, "model", 5, places));
    int fd = open(path, O_RDWR);
    for (int s = 0; s < 2; s++) {
        for (uint64_t i = 0; i < counts[s]; i++) {
            const uint32_t token = (uint32_t)(i % modulus);
            const uint16_t small = (uint16_t)token;
            const void *from = info.bytes_per_token == 2 ? (const void *)&small : &token;
            const size_t n = (size_t)info.bytes_per_token;
            CHECK_OK(data_file_put(fd, path, from, n, places[s].tokens + i * n));
            XXH3_64bits_update(digest, from, n);
        }
        if (counts[s] > 0)
            CHECK_OK(data_file_put(fd, path, starts, s == 0 ? 16 : 8, places[s].documents));
    }
    close(fd);
    CHECK_OK(tokens_seal(path, XXH3_64bits_digest(digest)));
    XXH3_freeState(digest);
    return path;
}

static void what_was_written_is_read(int vocabulary, uint64_t heldout)
{
    const uint32_t modulus = (uint32_t)vocabulary;
    const char *path = make_file("good.h5", vocabulary, heldout, modulus);
    struct tokens *t = NULL;
    int32_t out[TRAIN];
    size_t bytes;
    void *model = NULL;
    if (!CHECK_OK(tokens_open(path, &t))) return;
    const struct tokens_info *i = tokens_info(t);
    CHECK(i->vocabulary == vocabulary && i->train == TRAIN && i->heldout == heldout);
    CHECK(i->train_documents == 2 && i->heldout_documents == (heldout > 0));
    CHECK(tokens_counted(t)->bad == 5 && tokens_counted(t)->text_bytes == 7);
    CHECK_OK(tokens_read(t, TOKENS_TRAIN, 0, TRAIN, out));
    for (size_t k = 0; k < TRAIN; k++) CHECK((uint32_t)out[k] == k % modulus);
    CHECK_OK(tokens_read(t, TOKENS_TRAIN, 4321, 7, out));
    CHECK((uint32_t)out[0] == 4321 % modulus && (uint32_t)out[6] == 4327 % modulus);
    CHECK_OK(tokens_read(t, TOKENS_HELDOUT, heldout, 0, out));
    CHECK_SAYS(tokens_read(t, TOKENS_TRAIN, TRAIN - 3, 4, out), RT_EINVAL, "which has 5000");
    CHECK_SAYS(tokens_read(t, TOKENS_HELDOUT, UINT64_MAX, 2, out), RT_EINVAL, "heldout");
    CHECK_OK(tokens_verify(t));
    CHECK_OK(tokens_tokenizer(t, &model, &bytes));
    CHECK(bytes == 5 && memcmp(model, "model", 5) == 0);
    free(model);
    tokens_close(&t);
}

static void the_same_tokens_give_the_same_file(void)
{
    make_file("one.h5", 300, HELDOUT, 300);
    sleep(1); /* a time stamp would differ */
    make_file("two.h5", 300, HELDOUT, 300);
    CHECK(same_files(at("one.h5"), at("two.h5")));
}

static void a_token_beyond_the_vocabulary_is_refused_with_its_place(void)
{
    const char *path = make_file("beyond.h5", 300, HELDOUT, 301);
    struct tokens *t = NULL;
    int32_t out[400];
    if (!CHECK_OK(tokens_open(path, &t))) return;
    CHECK_OK(tokens_read(t, TOKENS_TRAIN, 0, 300, out));
    CHECK_SAYS(tokens_read(t, TOKENS_TRAIN, 100, 300, out), RT_EDATA,
               "token 300 at place 300 of train is beyond the vocabulary of 300");
    CHECK_SAYS(tokens_verify(t), RT_EDATA, "beyond the vocabulary");
    tokens_close(&t);
}

static void files_that_are_none_are_refused(void)
{
    struct tokens *t = NULL;
    CHECK_SAYS(tokens_open(at("none.h5"), &t), RT_EMISSING, "recua data prepare");
    CHECK_SAYS(tokens_open(put_text("e.h5", ""), &t), RT_EDATA, "is empty");
    CHECK_SAYS(tokens_open(put_text("t.h5", "some text"), &t), RT_EDATA, "no HDF5");
    CHECK_SAYS(tokens_open(fixture_directory, &t), RT_EDATA, "not a regular file");
    hid_t f = H5Fcreate(at("f.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(f);
    CHECK_SAYS(tokens_open(at("f.h5"), &t), RT_EDATA, "no token file");
    CHECK(t == NULL);
}

static void truncated_files_are_refused(void)
{
    size_t n;
    struct tokens *t = NULL;
    char *file = get_bytes(make_file("whole.h5", 300, HELDOUT, 300), &n);
    int opened = 0;
    said_begin();
    for (size_t cut = 0; cut < n; cut += cut < 4096 ? 61 : 509)
        opened += tokens_open(put_bytes("cut.h5", file, cut), &t) == RT_OK;
    opened += tokens_open(put_bytes("cut.h5", file, n - 1), &t) == RT_OK;
    (void)said_end();
    CHECK(opened == 0);
    CHECK_SAYS(tokens_open(put_bytes("cut.h5", file, n / 2), &t), RT_EDATA, "truncated");
    free(file);
}

/* Change one thing in a good file through HDF5. */
static const char *changed(const char *attribute, uint64_t value, const char *dataset)
{
    const char *path = make_file("changed.h5", 300, HELDOUT, 300);
    hid_t f = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    if (attribute != NULL) {
        hid_t a = H5Aopen(f, attribute, H5P_DEFAULT);
        H5Awrite(a, H5T_NATIVE_UINT64, &value);
        H5Aclose(a);
    }
    if (dataset != NULL) { /* as another type */
        hsize_t n = value;
        H5Ldelete(f, dataset, H5P_DEFAULT);
        hid_t s = H5Screate_simple(1, &n, NULL);
        hid_t d = H5Dcreate2(f, dataset, H5T_STD_I32BE, s, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        H5Dclose(d);
        H5Sclose(s);
    }
    H5Fclose(f);
    return path;
}

static void contradictions_are_refused(void)
{
    struct tokens *t = NULL;
    CHECK_SAYS(tokens_open(changed("version", 9, NULL), &t), RT_EDATA, "version 9");
    CHECK_SAYS(tokens_open(changed("vocabulary", 0, NULL), &t), RT_EDATA, "vocabulary is 0");
    CHECK_SAYS(tokens_open(changed("vocabulary", 70000, NULL), &t), RT_EDATA, "type of element");
    CHECK_SAYS(tokens_open(changed("train_tokens", 4999, NULL), &t), RT_EDATA, "must be 4999");
    CHECK_SAYS(tokens_open(changed("heldout_documents", 7, NULL), &t), RT_EDATA, "and 7 by");
    CHECK_SAYS(tokens_open(changed("tokenizer_digest", 7, NULL), &t), RT_EDATA, "the tokenizer");
    CHECK_SAYS(tokens_open(changed(NULL, TRAIN, "/train/tokens"), &t), RT_EDATA, "/train/tokens");
    CHECK_SAYS(tokens_open(changed(NULL, 2, "/tokenizer"), &t), RT_EDATA, "/tokenizer");
    if (!CHECK_OK(tokens_open(changed("data_digest", 7, NULL), &t))) return;
    CHECK_SAYS(tokens_verify(t), RT_EDATA, "is damaged");
    tokens_close(&t);
}

/* How many of the damaged files are found out. */
static int open_damaged_files(void)
{
    size_t n;
    unsigned char *file = get_bytes(make_file("whole.h5", 300, HELDOUT, 300), &n);
    uint64_t r = 7;
    int found = 0;
    said_begin();
    for (int i = 0; i < 1500; i++) {
        r = r * 6364136223846793005u + 1442695040888963407u;
        size_t where = (size_t)(r >> 20) % n;
        if (i % 2 == 0) where %= 4096; /* mostly where HDF5 keeps its own */
        const unsigned char before = file[where];
        struct tokens *t = NULL;
        file[where] ^= (unsigned char)(1u << (r >> 60) % 8);
        if (tokens_open(put_bytes("x.h5", file, n), &t) != RT_OK || tokens_verify(t) != RT_OK)
            found++;
        tokens_close(&t);
        file[where] = before;
    }
    (void)said_end();
    free(file);
    return found;
}

/* Whatever is flipped: an error or a file that reads, never the end of the process. In a process
 * of its own, which leaves by _exit: HDF5 forgets memory when it meets damage. */
static void damaged_files_never_end_the_process(void)
{
    int status = -1;
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) _exit(open_damaged_files() > 300 ? 0 : 1);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    fixture_open();
    what_was_written_is_read(300, HELDOUT);
    what_was_written_is_read(70000, HELDOUT);
    what_was_written_is_read(65536, 0);
    the_same_tokens_give_the_same_file();
    a_token_beyond_the_vocabulary_is_refused_with_its_place();
    files_that_are_none_are_refused();
    truncated_files_are_refused();
    contradictions_are_refused();
    damaged_files_never_end_the_process();
    return fixture_close();
}
