/* bench/simulate/rows.h - simulated collectives as lines of CSV, and the line fitted through them
 *
 * Columns  fabric, ranks, per_node, op (gather, reduce), algorithm, wire, elements (of the whole
 *          unit), seed, seconds, solver (smpi, flows); gathered units are bf16
 */
#ifndef BENCH_SIMULATE_ROWS_H
#define BENCH_SIMULATE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "bench/simulate/compose.h"

enum { SIMULATE_NAME_BYTES = 48 };

struct simulate_row {
    char fabric[SIMULATE_NAME_BYTES]; /* its name, not its spec */
    int ranks, per_node;
    char op[8], algorithm[SIMULATE_NAME_BYTES], wire[8];
    double elements;
    unsigned seed;
    double seconds;
    char solver[8];
};

struct simulate_rows {
    struct simulate_row *items; /* owned */
    size_t count;
};

extern const char simulate_rows_header[];
void simulate_row_write(const struct simulate_row *r, FILE *out);
/* Appends; lines that begin with the header's first word are headers. RT_EIO, RT_EDATA. */
RT_NODISCARD rt_status simulate_rows_read(const char *path, struct simulate_rows *rows);
void simulate_rows_clear(struct simulate_rows *rows);

/* The line through the smallest and the largest size of these, each the mean over seeds. false:
 * there are no two sizes. */
bool simulate_rows_fit(const struct simulate_rows *rows, const char *fabric, int ranks,
                       const char *op, const char *algorithm, const char *wire,
                       struct simulate_fit *out);

#endif
