/* tests/data/test_text.c - runtime/data/text.h, sites.h and inputs.h */
#include "runtime/data/text.h"

#include "runtime/data/inputs.h"
#include "runtime/data/sites.h"
#include "tests/data/fixture.h"

static text_verdict verdict(const char *text, size_t bytes, size_t *where)
{
    *where = SIZE_MAX;
    return text_check(text, bytes, where);
}

/* Independent of the implementation: decode, then encode, and compare. */
static bool is_utf8(const unsigned char *p, size_t n)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    for (size_t i = 0; i < n;) {
        const size_t m = p[i] < 0x80           ? 1
                         : (p[i] >> 5) == 6    ? 2
                         : (p[i] >> 4) == 14   ? 3
                         : (p[i] >> 3) == 0x1E ? 4
                                               : 0;
        if (m == 0 || m > n - i) return false;
        uint32_t c = m == 1 ? p[i] : p[i] & (0x7Fu >> m);
        for (size_t k = 1; k < m; k++) {
            if ((p[i + k] >> 6) != 2) return false;
            c = c << 6 | (p[i + k] & 0x3Fu);
        }
        if (c < least[m] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return false;
        i += m;
    }
    return true;
}

/* Every sequence of three bytes, and those of four with a lead byte that takes four. */
static void utf8_is_judged_as_by_the_definition(void)
{
    int wrong = 0;
    for (uint32_t v = 0; v < 1u << 24; v++) {
        const unsigned char b[3] = {(unsigned char)(v >> 16), (unsigned char)(v >> 8),
                                    (unsigned char)v};
        if (b[0] == 0 || b[1] == 0 || b[2] == 0) continue;
        size_t where;
        wrong += (verdict((const char *)b, 3, &where) == TEXT_GOOD) != is_utf8(b, 3);
    }
    for (uint32_t v = 0; v < 1u << 24; v += 7) {
        const unsigned char b[4] = {0xF0, (unsigned char)(v >> 16), (unsigned char)(v >> 8),
                                    (unsigned char)v};
        unsigned char c[4];
        for (unsigned lead = 0xF0; lead <= 0xF5; lead++) {
            size_t where;
            memcpy(c, b, 4);
            c[0] = (unsigned char)lead;
            if (memchr(c, 0, 4) != NULL) continue;
            wrong += (verdict((const char *)c, 4, &where) == TEXT_GOOD) != is_utf8(c, 4);
        }
    }
    CHECK(wrong == 0);
}

static void the_place_of_a_bad_byte_is_exact(void)
{
    char text[64];
    size_t where;
    for (size_t i = 0; i < 60; i++) {
        memset(text, 'x', sizeof text);
        text[i] = '\0';
        CHECK(verdict(text, 60, &where) == TEXT_NUL && where == i);
        text[i] = '\xFF';
        CHECK(verdict(text, 60, &where) == TEXT_BAD && where == i);
    }
    CHECK(verdict("", 0, &where) == TEXT_GOOD);
    CHECK(verdict("ab\xE2\x82", 4, &where) == TEXT_BAD && where == 2);
}

static void cuts_fall_between_words_and_never_in_a_character(void)
{
    CHECK(text_cut("abc", 3, 8) == 3);
    CHECK(text_cut("ab\ncd\nefgh", 10, 8) == 6);
    CHECK(text_cut("ab cd efgh", 10, 8) == 5);
    CHECK(text_cut("ab   efghij", 11, 8) == 2);
    CHECK(text_cut("abcdefghij", 10, 8) == 8);
    CHECK(text_cut("abcdefg\xE2\x82\xAC", 10, 8) == 7);
    CHECK(text_cut("abcdefg\xE2\x82\xAC", 10, 9) == 7);
    CHECK(text_cut("\xF0\x9F\xA6\x99\xF0\x9F\xA6\x99", 8, 7) == 4);
    CHECK(text_whole_characters("\xF0\x9F\xA6\x99", 4, 3) == 0);
    CHECK(text_cut("        x", 9, 4) == 4);
}

static void sites_hold_hosts_and_what_lies_below(void)
{
    struct sites *s = NULL;
    const char *list = put_text("sites.txt", "# personal data\nExample.ORG\n\n  b.co.uk \r\n"
                                             "http://three.net/\n");
    if (!CHECK_OK(sites_load(list, &s))) return;
    const char *const in[] = {"http://example.org",      "https://EXAMPLE.org/a?b#c",
                              "https://www.example.org", "ftp://u:p@a.b.example.org:8080/x",
                              "example.org/no-scheme",   "http://b.co.uk.",
                              "http://x.three.net:80"};
    const char *const out[] = {"http://notexample.org",
                               "http://example.org.evil.com",
                               "http://co.uk",
                               "http://evil.com/example.org",
                               "http://evil.com/?u=@example.org",
                               "",
                               "http://",
                               "http://[::1]:80/"};
    for (size_t i = 0; i < sizeof in / sizeof in[0]; i++)
        if (!CHECK(sites_hold(s, in[i]))) printf("    %s\n", in[i]);
    for (size_t i = 0; i < sizeof out / sizeof out[0]; i++)
        if (!CHECK(!sites_hold(s, out[i]))) printf("    %s\n", out[i]);
    sites_destroy(&s);
    CHECK_SAYS(sites_load(at("none"), &s), RT_EMISSING, "none");
    CHECK_SAYS(sites_load(put_text("empty.txt", "#\n"), &s), RT_EDATA, "no domain");
    CHECK_SAYS(sites_load(put_text("bad.txt", "a.org\nb.org c.org\n"), &s), RT_EDATA, "bad.txt:2");
}

static void a_list_of_inputs_is_read_line_by_line(void)
{
    struct inputs l = {0};
    CHECK_OK(inputs_add(&l, "zero"));
    CHECK_OK(inputs_add_list(&l, put_text("list", "one\n\ntwo words\nthree")));
    CHECK(l.count == 4 && strcmp(l.paths[2], "two words") == 0 && strcmp(l.paths[3], "three") == 0);
    CHECK_SAYS(inputs_add_list(&l, put_text("list", "\n\n")), RT_EDATA, "names no file");
    CHECK_SAYS(inputs_add_list(&l, at("none")), RT_EMISSING, "none");
    inputs_clear(&l);
}

int main(void)
{
    fixture_open();
    utf8_is_judged_as_by_the_definition();
    the_place_of_a_bad_byte_is_exact();
    cuts_fall_between_words_and_never_in_a_character();
    sites_hold_hosts_and_what_lies_below();
    a_list_of_inputs_is_read_line_by_line();
    return fixture_close();
}
