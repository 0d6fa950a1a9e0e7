/* tests/checkpoint/test_manifest.c - checkpoint/manifest.h: what is written is read, and only that
 */
#include "checkpoint/manifest.h"

#include <inttypes.h>
#include <unistd.h>

#include "checkpoint/crc32c.h"
#include "tests/checkpoint/state.h"

/* Two tensors, three kinds, an extent of two blocks, gaps. */
static void make(struct manifest *m)
{
    *m = (struct manifest){.kinds = MANIFEST_KINDS, .tainted = true};
    m->meta = (struct checkpoint_meta){.step = 7,
                                       .seed = UINT64_MAX,
                                       .data_digest = 0xabcdef,
                                       .ranks = 2,
                                       .model = "{\"dim\": 3, \"name\": \"ll\xc3\xa4ma\"}",
                                       .run_id = ""};
    m->files[0] = (struct manifest_file){812, 1, 2};
    const uint64_t counts[2] = {MANIFEST_BLOCK + 5, 6};
    uint64_t offset = 100;
    *manifest_add_gap(m) = (struct manifest_gap){0, 100, 0x12345678};
    for (int i = 0; i < 2; i++) {
        struct manifest_tensor *t = manifest_add_tensor(m);
        snprintf(t->name, sizeof t->name, "layers.%d.weight", i);
        t->dims = i + 1;
        t->shape[0] = i == 0 ? counts[0] : 2;
        t->shape[1] = i == 0 ? 1 : 3;
        t->count = counts[i];
        for (int kind = 0; kind < MANIFEST_KINDS; kind++) {
            t->arrays[kind] = (struct manifest_array){offset, {offset * 3, offset * 5}};
            offset += 4 * t->count;
        }
        for (uint64_t start = 0; start < t->count; start += t->count - 2) {
            struct manifest_extent *x = manifest_add_extent(m);
            x->start = start;
            x->count = start == 0 ? t->count - 2 : 2;
            for (int kind = 0; kind < MANIFEST_KINDS; kind++) {
                x->crc[kind] = m->crc_count;
                *manifest_add_crcs(m, manifest_blocks(x->count)) = (uint32_t)offset;
            }
        }
    }
    m->state_bytes = offset;
}

static void give_up(struct manifest *m)
{
    free(m->gaps);
    free(m->tensors);
    free(m->extents);
    free(m->crcs);
}

static rt_status parse_quietly(const char *text, size_t n)
{
    struct manifest *m = NULL;
    struct capture c = capture_begin();
    char *exact = malloc(n + (n == 0)); /* of n bytes, so that a sanitizer sees a read behind it */
    rt_status st = RT_ENOMEM;

    if (exact != NULL) {
        memcpy(exact, text, n);
        st = manifest_parse(exact, n, "mutant", &m);
    }
    capture_end(&c, NULL, 0);
    CHECK((st == RT_OK) == (m != NULL));
    free(exact);
    manifest_destroy(&m);
    return st;
}

/* Make the last line right again, as one who is not a flipped bit would. */
static void fix_end(char *text, size_t n)
{
    char end[16];
    if (n < 13) return;
    snprintf(end, sizeof end, "end %08" PRIx32 "\n", crc32c(0, text, n - 13));
    memcpy(text + n - 13, end, 13);
}

static void what_is_printed_is_parsed(const char *text, size_t n)
{
    struct manifest *m = NULL;
    char *again = NULL;
    size_t bytes = 0;

    if (!CHECK_OK(manifest_parse(text, n, "a manifest", &m))) return;
    CHECK(m->meta.seed == UINT64_MAX && m->meta.step == 7 && m->tainted);
    CHECK(m->tensor_count == 2 && m->extent_count == 4 && m->gap_count == 1);
    CHECK(strcmp(m->tensors[1].name, "layers.1.weight") == 0 && m->tensors[1].dims == 2);
    CHECK_OK(manifest_print(m, &again, &bytes));
    CHECK(bytes == n && memcmp(again, text, n) == 0);
    free(again);
    manifest_destroy(&m);
}

static void every_changed_byte_is_found(char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char was = text[i];
        for (int bit = 0; bit < 8; bit++) {
            text[i] = (char)(was ^ (1 << bit));
            CHECK(parse_quietly(text, n) == RT_EDATA);
        }
        text[i] = (char)(was + 13);
        CHECK(parse_quietly(text, n) == RT_EDATA);
        text[i] = was;
    }
}

static void every_cut_is_found(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) CHECK(parse_quietly(text, i) == RT_EDATA);
}

/* With its CRC made right, a mutant may be valid, but then it prints as it was parsed. */
static void the_parser_survives_forgery(const char *text, size_t n)
{
    char *mutant = malloc(2 * n);
    uint32_t state = 99;
    int accepted = 0;

    if (!CHECK(mutant != NULL)) return;
    for (int round = 0; round < 20000; round++) {
        size_t m = n;
        memcpy(mutant, text, n);
        for (int k = 0; k < 1 + round % 3; k++) {
            static const char likely[] = "0123456789abcdef \n-/eg";
            state = state * 1664525u + 1013904223u;
            const size_t at = (state >> 8) % (n - 13);
            if (round % 7 == 0) { /* take out a piece */
                const size_t cut = state % 40 < m - at - 13 ? state % 40 : 0;
                memmove(mutant + at, mutant + at + cut, m - at - cut);
                m -= cut;
                break;
            }
            mutant[at] = round % 2 ? likely[(state >> 3) % (sizeof likely - 1)] : (char)state;
        }
        fix_end(mutant, m);
        struct manifest *parsed = NULL;
        struct capture quiet = capture_begin();
        if (manifest_parse(mutant, m, "mutant", &parsed) == RT_OK) {
            char *again = NULL;
            size_t bytes = 0;
            accepted++;
            CHECK_OK(manifest_print(parsed, &again, &bytes));
            CHECK(bytes == m && memcmp(again, mutant, m) == 0);
            free(again);
        }
        capture_end(&quiet, NULL, 0);
        manifest_destroy(&parsed);
    }
    CHECK(accepted > 100 && accepted < 20000); /* digits of digests may change, the rest not */
    free(mutant);
}

/* Swap `from` for `to` in the text, CRC made right: refused? */
static bool refused(const char *text, size_t n, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    char *forged = malloc(n + strlen(to) + 1);
    size_t m = n;
    bool is = false;

    if (CHECK(at != NULL) && forged != NULL) {
        const size_t before = (size_t)(at - text);
        memcpy(forged, text, before);
        strcpy(forged + before, to);
        memcpy(forged + before + strlen(to), at + strlen(from), n - before - strlen(from));
        m = n - strlen(from) + strlen(to);
        fix_end(forged, m);
        is = parse_quietly(forged, m) == RT_EDATA;
    }
    free(forged);
    return is;
}

static void what_does_not_add_up_is_refused(const char *text, size_t n)
{
    CHECK(!refused(text, n, "step 7", "step 8")); /* the forgery itself works */
    CHECK(refused(text, n, "recua-checkpoint 1", "recua-checkpoint 2"));
    CHECK(refused(text, n, "step 7", "step 07"));
    CHECK(refused(text, n, "step 7", "step 18446744073709551616"));
    CHECK(refused(text, n, "step 7", "step  7"));
    CHECK(refused(text, n, "ranks 2", "ranks 0"));
    CHECK(refused(text, n, "gap 0 100", "gap 0 101"));
    CHECK(refused(text, n, "gap 0 100", "gap 1 99"));
    CHECK(refused(text, n, "layers.1.weight", "layers.0.weight"));
    CHECK(refused(text, n, "layers.1.weight", "layers/1.weight"));
    CHECK(refused(text, n, "layers.1.weight 2 3", "layers.1.weight 3 3"));
    CHECK(refused(text, n, "layers.1.weight 2 3", "layers.1.weight 0 3"));
    CHECK(refused(text, n, "layers.1.weight 2 3",
                  "layers.1.weight 9007199254740992 9007199254740992"));
    CHECK(refused(text, n, "extent 4 2", "extent 3 2"));
    CHECK(refused(text, n, "extent 4 2", "extent 4 3"));
    CHECK(refused(text, n, "extent 4 2", "extent 4 0"));
    CHECK(refused(text, n, "extent 4 2", "extent 4 9007199254740991"));
    CHECK(refused(text, n, "array exp_avg ", "array exp_avg_sq "));
    CHECK(refused(text, n, "model {", "model \t{"));
}

int main(void)
{
    struct manifest m;
    char *text = NULL;
    size_t n = 0;

    make(&m);
    if (CHECK_OK(manifest_print(&m, &text, &n))) {
        what_is_printed_is_parsed(text, n);
        every_changed_byte_is_found(text, n);
        every_cut_is_found(text, n);
        the_parser_survives_forgery(text, n);
        what_does_not_add_up_is_refused(text, n);
    }
    free(text);
    give_up(&m);
    return check_failures != 0;
}
