/* tests/checkpoint/test_crc32c.c - checkpoint/crc32c.h: known vectors, both ways alike */
#include "checkpoint/crc32c.h"

#include <stdlib.h>
#include <string.h>

#include "tests/check.h"

typedef uint32_t crc_fn(uint32_t before, const void *bytes, size_t n);

/* RFC 3720, appendix B.4, and the check value of the catalogue of CRCs. */
static void known_vectors_come_out(crc_fn *crc)
{
    unsigned char block[32];

    CHECK(crc(0, "", 0) == 0);
    CHECK(crc(0, "123456789", 9) == 0xe3069283u);
    memset(block, 0, sizeof block);
    CHECK(crc(0, block, 32) == 0x8a9136aau);
    memset(block, 0xff, sizeof block);
    CHECK(crc(0, block, 32) == 0x62a8ab43u);
    for (int i = 0; i < 32; i++) block[i] = (unsigned char)i;
    CHECK(crc(0, block, 32) == 0x46dd794eu);
    for (int i = 0; i < 32; i++) block[i] = (unsigned char)(31 - i);
    CHECK(crc(0, block, 32) == 0x113fdb5cu);
}

/* Lengths around the steps and lanes of both ways, odd starts, cut in two. */
static void both_ways_agree_at_every_length_and_cut(void)
{
    enum { MOST = 3 * 4096 * 3 + 100 };
    unsigned char *bytes = malloc(MOST + 8);
    uint32_t state = 1;

    if (!CHECK(bytes != NULL)) return;
    for (int i = 0; i < MOST + 8; i++) {
        state = state * 1664525u + 1013904223u;
        bytes[i] = (unsigned char)(state >> 24);
    }
    for (size_t n = 0; n <= MOST; n += n < 100 ? 1 : 37) {
        const unsigned char *p = bytes + n % 8;
        const uint32_t whole = crc32c_table(0, p, n);
        const size_t cut = n * 5 / 13;
        CHECK(crc32c_hardware(0, p, n) == whole);
        CHECK(crc32c_hardware(crc32c_table(0, p, cut), p + cut, n - cut) == whole);
        CHECK(crc32c_table(crc32c_hardware(0, p, cut), p + cut, n - cut) == whole);
        CHECK(crc32c(0, p, n) == whole);
    }
    free(bytes);
}

int main(void)
{
    known_vectors_come_out(crc32c_table);
    known_vectors_come_out(crc32c);
    if (crc32c_has_hardware()) {
        known_vectors_come_out(crc32c_hardware);
        both_ways_agree_at_every_length_and_cut();
    } else {
        printf("this CPU has no CRC instruction: only the table was tested\n");
    }
    return check_failures != 0;
}
