/* bench/simulate/rows.c - simulated collectives as lines of CSV */
#include "bench/simulate/rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char simulate_rows_header[] =
    "fabric,ranks,per_node,op,algorithm,wire,elements,seed,seconds,solver";

enum { LINE_BYTES = 512 };

void simulate_row_write(const struct simulate_row *r, FILE *out)
{
    fprintf(out, "%s,%d,%d,%s,%s,%s,%.0f,%u,%.9g,%s\n", r->fabric, r->ranks, r->per_node, r->op,
            r->algorithm, r->wire, r->elements, r->seed, r->seconds, r->solver);
}

static rt_status read_line(const char *path, int line, const char *text, struct simulate_rows *rows)
{
    struct simulate_row r, *more;
    const int n =
        sscanf(text, "%47[^,],%d,%d,%7[^,],%47[^,],%7[^,],%lf,%u,%lf,%7[^,\n]", r.fabric, &r.ranks,
               &r.per_node, r.op, r.algorithm, r.wire, &r.elements, &r.seed, &r.seconds, r.solver);

    if (n != 10 || r.ranks < 1 || !(r.elements > 0) || !(r.seconds >= 0))
        return RT_FAIL(RT_EDATA, "%s:%d: is no line of '%s'", path, line, simulate_rows_header);
    more = realloc(rows->items, (rows->count + 1) * sizeof *more);
    if (more == NULL) return RT_FAIL(RT_ENOMEM, "%zu simulated collectives", rows->count + 1);
    rows->items = more;
    rows->items[rows->count++] = r;
    return RT_OK;
}

rt_status simulate_rows_read(const char *path, struct simulate_rows *rows)
{
    FILE *in = fopen(path, "r");
    char text[LINE_BYTES];
    rt_status st = RT_OK;

    if (in == NULL) return RT_FAIL(RT_EIO, "%s: %s", path, strerror(errno));
    for (int line = 1; fgets(text, sizeof text, in) != NULL; line++)
        if (strncmp(text, "fabric,", strlen("fabric,")) != 0)
            RT_TRY_OUT(read_line(path, line, text, rows));
out:
    fclose(in);
    return st;
}

void simulate_rows_clear(struct simulate_rows *rows)
{
    free(rows->items);
    *rows = (struct simulate_rows){0};
}

static bool is_of(const struct simulate_row *r, const char *fabric, int ranks, const char *op,
                  const char *algorithm, const char *wire)
{
    return r->ranks == ranks && strcmp(r->fabric, fabric) == 0 && strcmp(r->op, op) == 0 &&
           strcmp(r->algorithm, algorithm) == 0 && strcmp(r->wire, wire) == 0;
}

bool simulate_rows_fit(const struct simulate_rows *rows, const char *fabric, int ranks,
                       const char *op, const char *algorithm, const char *wire,
                       struct simulate_fit *out)
{
    double size[2] = {0}, sum[2] = {0}, count[2] = {0};

    for (size_t i = 0; i < rows->count; i++) {
        const struct simulate_row *r = &rows->items[i];
        if (!is_of(r, fabric, ranks, op, algorithm, wire)) continue;
        if (size[0] == 0 || r->elements < size[0]) size[0] = r->elements;
        if (r->elements > size[1]) size[1] = r->elements;
    }
    if (size[0] >= size[1]) return false;
    for (size_t i = 0; i < rows->count; i++) {
        const struct simulate_row *r = &rows->items[i];
        if (!is_of(r, fabric, ranks, op, algorithm, wire)) continue;
        for (int k = 0; k < 2; k++) {
            if (r->elements != size[k]) continue;
            sum[k] += r->seconds;
            count[k]++;
        }
    }
    return simulate_fit_points(size[0], sum[0] / count[0], size[1], sum[1] / count[1], out) ==
           RT_OK;
}
