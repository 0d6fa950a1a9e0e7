/* bench/comm/report_json.c - the rows for programs: JSON, CSV
 *
 * Unknown is null, never 0. Of the environment only what begins with UCX_, OMPI_MCA_ or RECUA_ or
 * is one of a few of Slurm's is told: an environment holds secrets.
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bench/comm/report.h"

extern char **environ;

static json_t *real(double x) { return isfinite(x) ? json_real(x) : json_null(); }
static json_t *positive(double x) { return x > 0 ? real(x) : json_null(); }

static bool may_be_told(const char *entry)
{
    static const char *const starts[] = {"UCX_", "OMPI_MCA_", "RECUA_"};
    static const char *const names[] = {"SLURM_JOB_ID",         "SLURM_NNODES",
                                        "SLURM_JOB_NUM_NODES",  "SLURM_NTASKS",
                                        "SLURM_TASKS_PER_NODE", "SLURM_JOB_PARTITION",
                                        "SLURM_TOPOLOGY_ADDR",  "SLURM_TOPOLOGY_ADDR_PATTERN"};

    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
        if (strncmp(entry, starts[i], strlen(starts[i])) == 0) return true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strncmp(entry, names[i], strlen(names[i])) == 0 && entry[strlen(names[i])] == '=')
            return true;
    return false;
}

static json_t *environment_json(void)
{
    json_t *object = json_object();

    for (char **e = environ; *e != NULL; e++) {
        const char *value = strchr(*e, '=');
        char name[128];
        if (value == NULL || !may_be_told(*e) || (size_t)(value - *e) >= sizeof name) continue;
        snprintf(name, sizeof name, "%.*s", (int)(value - *e), *e);
        json_object_set_new(object, name, json_string(value + 1)); /* no UTF-8: left out */
    }
    return object;
}

static json_t *hosts_json(const struct bench_run *r)
{
    json_t *array = json_array();

    for (int i = 0; i < comm_size(r->world); i++) {
        const struct bench_host *h = &r->host[i];
        json_array_append_new(array,
                              json_pack("{s:i, s:s, s:o}", "rank", i, "host", h->name, "leaf",
                                        h->leaf[0] != '\0' ? json_string(h->leaf) : json_null()));
    }
    return array;
}

static json_t *header_json(const struct bench_run *r)
{
    char date[32];
    const time_t now = time(NULL);
    struct tm utc;

    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:s, s:b, s:s, s:o, s:I, s:f, s:b, s:o, s:o}",
        "benchmark", "comm", "version", RECUA_VERSION, "date", date, "mpi", comm_library(r->world),
        "fabric", r->fabric, "ranks", comm_size(r->world), "nodes", r->nodes->nodes, "lanes",
        r->groups, "layout", r->o->flat ? "flat" : "node", "pretended", r->o->pretend > 0,
        "progress", comm_threaded(r->world) ? "thread" : "poll", "link_gbit_per_s",
        positive(8e-9 * r->node_rate), "seed", (json_int_t)r->o->seed, "measured_s", r->measured_s,
        "ended_by_max_seconds", r->capped, "environment", environment_json(), "hosts",
        hosts_json(r));
}

static json_t *wrong_json(const struct bench_run *r, const struct bench_cell *c, int side)
{
    if (!r->o->check || c->kind->check == NULL || side >= c->sides) return json_null();
    return json_integer((json_int_t)c->side[side].wrong);
}

/* Of one side: its median where it was measured, and what hangs on it. */
static double median_of(const struct bench_cell *c, int side)
{
    return side < c->sides && c->side[side].count > 0 ? c->side[side].time.median : NAN;
}

static double low_of(const struct bench_cell *c, int side, bool high)
{
    const struct bench_summary *t = &c->side[side].time;
    if (side >= c->sides || !t->interval) return NAN;
    return high ? t->high : t->low;
}

static void add_side(json_t *row, const struct bench_run *r, const struct bench_cell *c, int side,
                     const char *prefix)
{
    const double s = median_of(c, side);
    const struct {
        const char *key;
        json_t *value;
    } items[] = {
        {"time_s_median", real(s)},
        {"time_s_low", real(low_of(c, side, false))},
        {"time_s_high", real(low_of(c, side, true))},
        {"time_s_least", real(isnan(s) ? NAN : c->side[side].time.least)},
        {"algbw_gbyte_per_s", real(isnan(s) ? NAN : bench_algbw(c, s))},
        {"busbw_gbyte_per_s", real(isnan(s) ? NAN : bench_busbw(c, s))},
        {"wrong", wrong_json(r, c, side)},
        {"repetitions", json_integer(side < c->sides ? c->side[side].count : 0)},
        {"time_s_first", positive(side < c->sides ? c->side[side].warmup_s : 0)},
    };
    char key[64];

    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        snprintf(key, sizeof key, "%s%s", prefix, items[i].key);
        json_object_set_new(row, key, items[i].value);
    }
}

static void add_kind(json_t *row, const struct bench_run *r, const struct bench_cell *c)
{
    const struct bench_summary *h = &c->hidden;

    if (c->op == BENCH_GATHER) add_side(row, r, c, BENCH_IN_PLACE, "in_place_");
    if (c->op != BENCH_OVERLAP) return;
    json_object_set_new(row, "alone_s", real(median_of(c, BENCH_ALONE)));
    json_object_set_new(row, "work_s", real(median_of(c, BENCH_WORK)));
    json_object_set_new(row, "hidden", real(h->count > 0 ? h->median : NAN));
    json_object_set_new(row, "hidden_low", real(h->interval ? h->low : NAN));
    json_object_set_new(row, "hidden_high", real(h->interval ? h->high : NAN));
}

static json_t *row_json(const struct bench_run *r, const struct bench_cell *c)
{
    const double s = median_of(c, 0), expected = c->bound ? 0 : c->expected_s;
    json_t *chosen = c->chosen[0] != '\0' ? json_string(c->chosen) : json_null();
    json_t *label = c->label[0] != '\0' ? json_string(c->label) : json_null();
    json_t *row = json_pack("{s:s, s:s, s:o, s:o, s:i, s:i, s:I, s:s, s:s, s:s}", "op",
                            bench_op_name(c->op), "algo", c->algorithm, "chosen", chosen, "shape",
                            label, "ranks", r->layout.size, "nodes", r->layout.nodes, "bytes",
                            (json_int_t)c->bytes, "dtype", rt_dtype_name(c->type), "wire",
                            rt_dtype_name(c->wire), "layout", r->o->flat ? "flat" : "node");

    if (row == NULL) return NULL;
    add_side(row, r, c, 0, "");
    json_object_set_new(row, "expected_gbyte_per_s",
                        positive(expected > 0 ? bench_busbw(c, expected) : 0));
    json_object_set_new(row, "of_expected", real(expected > 0 ? expected / s : NAN));
    add_kind(row, r, c);
    return row;
}

static json_t *rows_json(const struct bench_run *r)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < r->cells_count; i++)
        json_array_append_new(rows, row_json(r, &r->cells[i]));
    return rows;
}

static json_t *ranks_json(const struct bench_run *r, const struct bench_report *p)
{
    json_t *array = json_array();

    for (int i = 0; i < p->ranks_count; i++)
        for (int rank = 0; rank < comm_size(r->world); rank++) {
            const struct bench_ranks *k = &p->ranks[i];
            json_array_append_new(
                array, json_pack("{s:s, s:s, s:I, s:i, s:s, s:f, s:f, s:b}", "op",
                                 bench_op_name(k->cell->op), "algo", k->cell->algorithm, "bytes",
                                 (json_int_t)k->cell->bytes, "rank", rank, "host",
                                 r->host[rank].name, "time_s_p50", k->times[rank].p50_s,
                                 "time_s_p95", k->times[rank].p95_s, "slow", k->slow[rank]));
        }
    return array;
}

static json_t *pairs_json(const struct bench_pairs *p)
{
    json_t *array = json_array();

    for (int i = 0; p->cell != NULL && i < p->ranks * p->ranks; i++)
        if (i / p->ranks < i % p->ranks)
            json_array_append_new(array, json_pack("{s:i, s:i, s:I, s:o, s:b}", "rank",
                                                   i / p->ranks, "peer", i % p->ranks, "bytes",
                                                   (json_int_t)p->cell->bytes, "gbyte_per_s",
                                                   real(p->gbyte_per_s[i]), "slow", p->slow[i]));
    return array;
}

rt_status bench_write_json(const struct bench_run *r, const struct bench_report *p)
{
    json_t *root = header_json(r);
    rt_status st = RT_OK;

    if (root == NULL || json_object_set_new(root, "rows", rows_json(r)) != 0 ||
        json_object_set_new(root, "by_rank", ranks_json(r, p)) != 0 ||
        json_object_set_new(root, "pairs", pairs_json(&p->pairs)) != 0 ||
        json_object_set_new(root, "counters", bench_counters_json(r->counters)) != 0)
        st = RT_FAIL(RT_ENOMEM, "%s: no memory for the JSON text", r->o->json);
    else if (json_dump_file(root, r->o->json, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) != 0)
        st = RT_FAIL(RT_EIO, "%s: cannot be written: %s", r->o->json, strerror(errno));
    json_decref(root);
    return st;
}

static const char *const columns[] = {"op",
                                      "algo",
                                      "ranks",
                                      "nodes",
                                      "bytes",
                                      "dtype",
                                      "wire",
                                      "time_s_median",
                                      "time_s_low",
                                      "time_s_high",
                                      "algbw_gbyte_per_s",
                                      "busbw_gbyte_per_s",
                                      "wrong",
                                      "expected_gbyte_per_s",
                                      "of_expected",
                                      "in_place_time_s_median",
                                      "in_place_busbw_gbyte_per_s",
                                      "in_place_wrong",
                                      "hidden",
                                      "repetitions",
                                      "chosen",
                                      "shape",
                                      "layout"};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

/* Names here have neither commas nor quotes; null is an empty field. */
static void print_field(FILE *f, const json_t *value)
{
    if (json_is_string(value)) fputs(json_string_value(value), f);
    if (json_is_integer(value)) fprintf(f, "%lld", (long long)json_integer_value(value));
    if (json_is_real(value)) fprintf(f, "%.9g", json_real_value(value));
}

rt_status bench_write_csv(const struct bench_run *r)
{
    FILE *f = fopen(r->o->csv, "w");
    bool good = f != NULL;

    for (int i = 0; good && i < COLUMNS; i++)
        fprintf(f, "%s%s", columns[i], i + 1 < COLUMNS ? "," : "\n");
    for (size_t k = 0; good && k < r->cells_count; k++) {
        json_t *row = row_json(r, &r->cells[k]);
        for (int i = 0; i < COLUMNS; i++) {
            print_field(f, json_object_get(row, columns[i]));
            fputc(i + 1 < COLUMNS ? ',' : '\n', f);
        }
        json_decref(row);
    }
    if (good) good = ferror(f) == 0;
    if (f != NULL) good = fclose(f) == 0 && good;
    return good ? RT_OK : RT_FAIL(RT_EIO, "%s: cannot be written: %s", r->o->csv, strerror(errno));
}
