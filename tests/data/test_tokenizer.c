/* tests/data/test_tokenizer.c - runtime/data/tokenizer.h: training, text there and back, models
 * that are none */
#include "runtime/data/tokenizer.h"

#include "runtime/data/text.h"
#include "tests/data/fixture.h"

static struct tokenizer *tokenizer; /* of 400 pieces */

static void there_and_back(const char *text)
{
    int32_t *tokens = NULL;
    size_t count = 0;
    char *back = NULL;
    if (!CHECK_OK(tokenizer_encode(tokenizer, text, strlen(text), &tokens, &count))) return;
    for (size_t i = 0; i < count; i++) CHECK(tokens[i] > TOKENIZER_EOS && tokens[i] < 400);
    CHECK_OK(tokenizer_decode(tokenizer, tokens, count, &back));
    if (!CHECK(back != NULL && strcmp(back, text) == 0)) printf("    '%s' -> '%s'\n", text, back);
    free(tokens);
    free(back);
}

static void odd_text_comes_back_as_it_was(void)
{
    there_and_back("the llama carries water");
    there_and_back("");
    there_and_back(" ");
    there_and_back("  two  spaces,\ttab\t\n\n newline\r\n");
    there_and_back("\n");
    there_and_back("0123456789 3.14159");
    there_and_back("\xF0\x9F\xA6\x99 \xE2\x82\xAC caf\xC3\xA9 \xE6\xBC\xA2\xE5\xAD\x97 \xCC\x81");
    there_and_back("<s> </s> <unk> <0x41>");
    there_and_back("\x01\x7F");
}

static void digits_are_single_tokens_and_no_merge_crosses_lines(void)
{
    int32_t *tokens = NULL, *again = NULL;
    size_t count = 0, more = 0;
    CHECK_OK(tokenizer_encode(tokenizer, "2026", 4, &tokens, &count));
    CHECK(count == 5); /* the space before, four digits */
    free(tokens);
    CHECK_OK(tokenizer_encode(tokenizer, "\xFF", 0, &tokens, &count));
    CHECK(count == 0 && tokens != NULL);
    free(tokens);
    /* a text in two parts is the text */
    const char text[] = "the llama carries water\nover the  stone and  returns";
    CHECK_OK(tokenizer_encode(tokenizer, text, strlen(text), &tokens, &count));
    for (size_t limit = 7; limit < strlen(text); limit++) {
        const size_t n = text_cut(text, strlen(text), limit);
        int32_t *head = NULL;
        size_t first = 0;
        CHECK_OK(tokenizer_encode(tokenizer, text, n, &head, &first));
        CHECK_OK(tokenizer_encode_more(tokenizer, text + n, strlen(text) - n, &again, &more));
        CHECK(first + more == count && memcmp(head, tokens, first * sizeof *head) == 0 &&
              memcmp(again, tokens + first, more * sizeof *again) == 0);
        free(head);
        free(again);
    }
    free(tokens);
}

/* Long text is cut inside; its tokens are those of its lines, one by one. */
static void long_text_is_the_sum_of_its_lines(void)
{
    char *text = make_text(5, 2500000);
    int32_t *all = NULL;
    size_t count = 0, done = 0;
    bool same = true, first = true;
    CHECK_OK(tokenizer_encode(tokenizer, text, strlen(text), &all, &count));
    for (char *line = text; *line != '\0';) {
        int32_t *tokens = NULL;
        size_t n = 0;
        const size_t bytes = (size_t)(strchrnul(line, '\n') - line) + 1;
        const size_t taken = bytes < strlen(line) ? bytes : strlen(line);
        rt_status st = first ? tokenizer_encode(tokenizer, line, taken, &tokens, &n)
                             : tokenizer_encode_more(tokenizer, line, taken, &tokens, &n);
        same = same && st == RT_OK && done + n <= count &&
               memcmp(all + done, tokens, n * sizeof *tokens) == 0;
        done += n;
        free(tokens);
        line += taken;
        first = false;
        if (done > 200000) line += strlen(line) - 300; /* the beginning and the end will do */
        if (done > 200000) break;
    }
    CHECK(same && done > 200000);
    free(all);
    free(text);
}

static void what_is_no_text_or_no_token_is_refused(void)
{
    const int32_t bad[] = {5, 400}, negative[] = {-1};
    int32_t *tokens;
    size_t count;
    char *text;
    CHECK_SAYS(tokenizer_encode(tokenizer, "ab\xFF", 3, &tokens, &count), RT_EDATA, "offset 2");
    CHECK_SAYS(tokenizer_decode(tokenizer, bad, 2, &text), RT_EINVAL, "token 400 (number 1)");
    CHECK_SAYS(tokenizer_decode(tokenizer, negative, 1, &text), RT_EINVAL, "token -1");
}

static void training_gives_the_same_model_again(void)
{
    const char *text = at("tokenizer-text.txt");
    const char *copy = at("again.model");
    CHECK_OK(tokenizer_train(&text, 1, 400, copy));
    CHECK(same_files(at("m.model"), copy));
    CHECK_OK(tokenizer_train(&text, 1, 390, copy));
    CHECK(!same_files(at("m.model"), copy));
    struct tokenizer *t = NULL;
    CHECK_OK(tokenizer_load(copy, &t));
    CHECK(tokenizer_vocabulary(t) == 390 && tokenizer_digest(t) != tokenizer_digest(tokenizer));
    tokenizer_destroy(&t);
}

static void impossible_vocabularies_name_the_limit(void)
{
    const char *kept = at("kept.model");
    const char *text = put_text("small.txt", "the llama carries water over stone\n");
    put_text("kept.model", "as it was");
    CHECK_SAYS(tokenizer_train(&text, 1, 5000, kept), RT_EINVAL, "at most 3");
    CHECK_SAYS(tokenizer_train(&text, 1, 262, kept), RT_EINVAL, "alone need 27");
    CHECK_SAYS(tokenizer_train(&text, 1, 100, kept), RT_EINVAL, "must be from 260");
    const char *empty = put_text("empty.txt", ""), *blank = put_text("blank.txt", "\n\n");
    const char *missing = at("not-there.txt");
    CHECK_SAYS(tokenizer_train(&empty, 1, 400, kept), RT_EDATA, "no text in");
    CHECK_SAYS(tokenizer_train(&blank, 1, 400, kept), RT_EDATA, "only empty lines");
    CHECK_SAYS(tokenizer_train(&missing, 1, 400, kept), RT_EMISSING, "not-there.txt");
    CHECK_SAYS(tokenizer_train(&text, 1, 300, "/proc/none/m.model"), RT_EIO, "cannot be created");
    size_t n;
    char *still = get_bytes(kept, &n);
    CHECK(strcmp(still, "as it was") == 0);
    free(still);
}

/* More than the trainer is fed: lines from all of it, and lines longer than it takes. */
static void of_much_text_evenly_spread_lines_are_used(void)
{
    char *text = make_text(11, 12u << 20);
    struct tokenizer_trained r;
    for (size_t i = 100000; i < 200000; i++)
        if (text[i] == '\n') text[i] = ' ';
    const char *path = put_text("much.txt", text), *to = at("much.model");
    struct tokenizer_training o = {
        .inputs = &path, .input_count = 1, .vocabulary = 300, .model_path = to};
    CHECK_OK(tokenizer_train_with(&o, &r));
    CHECK(r.text_bytes == strlen(text) && r.fed_bytes <= TOKENIZER_TRAIN_BYTES);
    CHECK(r.fed_bytes > TOKENIZER_TRAIN_BYTES * 95 / 100);
    o.max_bytes = 500000;
    CHECK_OK(tokenizer_train_with(&o, &r));
    CHECK(r.text_bytes == 500000 && r.fed_bytes > 480000 && r.fed_bytes < 500000);
    free(text);
}

static void models_that_are_none_are_refused(void)
{
    struct tokenizer *t = NULL;
    size_t n;
    unsigned char *model = get_bytes(at("m.model"), &n);
    CHECK_SAYS(tokenizer_load(at("none.model"), &t), RT_EMISSING, "none.model");
    CHECK_SAYS(tokenizer_load(fixture_directory, &t), RT_EDATA, "not a regular file");
    CHECK_SAYS(tokenizer_load(put_text("x.model", ""), &t), RT_EDATA, "no SentencePiece model");
    CHECK_SAYS(tokenizer_load(put_text("x.model", "garbage here"), &t), RT_EDATA, "x.model");
    int loaded = 0;
    said_begin();
    for (size_t cut = 0; cut < n; cut += 97)
        loaded += tokenizer_load(put_bytes("x.model", model, cut), &t) == RT_OK;
    (void)said_end();
    CHECK(loaded == 0);
    free(model);
}

/* Whatever is flipped: an error or a tokenizer that works, never the end of the process. */
static void damaged_models_never_end_the_process(void)
{
    size_t n;
    unsigned char *model = get_bytes(at("m.model"), &n);
    uint64_t r = 42;
    int refused = 0;
    said_begin();
    for (int i = 0; i < 2000; i++) {
        r = r * 6364136223846793005u + 1442695040888963407u;
        const size_t where = (size_t)(r >> 20) % n;
        const unsigned char before = model[where];
        struct tokenizer *t = NULL;
        model[where] ^= (unsigned char)(1u << (r >> 60) % 8);
        if (tokenizer_load(put_bytes("x.model", model, n), &t) == RT_OK) {
            int32_t *tokens = NULL;
            size_t count;
            if (tokenizer_encode(t, "the llama 2026\n", 15, &tokens, &count) == RT_OK) free(tokens);
        } else {
            refused++;
        }
        tokenizer_destroy(&t);
        model[where] = before;
    }
    (void)said_end();
    CHECK(refused > 500 && refused < 2000);
    free(model);
}

int main(void)
{
    fixture_open();
    const char *path = make_tokenizer("m.model");
    if (CHECK_OK(tokenizer_load(path, &tokenizer))) {
        CHECK(tokenizer_vocabulary(tokenizer) == 400);
        odd_text_comes_back_as_it_was();
        digits_are_single_tokens_and_no_merge_crosses_lines();
        long_text_is_the_sum_of_its_lines();
        what_is_no_text_or_no_token_is_refused();
        training_gives_the_same_model_again();
        impossible_vocabularies_name_the_limit();
        of_much_text_evenly_spread_lines_are_used();
        models_that_are_none_are_refused();
        damaged_models_never_end_the_process();
    }
    tokenizer_destroy(&tokenizer);
    return fixture_close();
}
