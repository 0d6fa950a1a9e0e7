/* comm/tuning_file.c - a tuning file read with suspicion and written whole
 *
 * Limits   what no machine has is damage: latencies up to 10 s, 1 KB/s to 10 TB/s, times up to an
 *          hour; a file has at most 16 MiB
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/tuning.h"
#include "runtime/log.h"

enum { FILE_MAX = 16 << 20, CHUNK_MIN = 4096, CHUNK_MAX = 1 << 30 };

static const char *const paths[COMM_PATHS] = {"node", "leaf", "cross"};

/* Why a file is ignored: the first thing found. */
struct damage {
    char text[256];
};

static bool damaged(struct damage *d, const char *what)
{
    if (d->text[0] == '\0') snprintf(d->text, sizeof d->text, "%.250s", what);
    return false;
}

static bool number(const json_t *object, const char *key, double least, double most, double *out,
                   struct damage *d)
{
    const json_t *value = json_object_get(object, key);
    char text[128];

    *out = json_is_number(value) ? json_number_value(value) : -1;
    if (json_is_number(value) && *out >= least && *out <= most) return true;
    snprintf(text, sizeof text, "%s is not a number from %g to %g", key, least, most);
    return damaged(d, text);
}

static bool integer(const json_t *object, const char *key, json_int_t least, json_int_t most,
                    json_int_t *out, struct damage *d)
{
    const json_t *value = json_object_get(object, key);
    char text[128];

    *out = json_is_integer(value) ? json_integer_value(value) : least - 1;
    if (*out >= least && *out <= most) return true;
    snprintf(text, sizeof text, "%s is not a whole number from %lld to %lld", key, (long long)least,
             (long long)most);
    return damaged(d, text);
}

static bool read_costs(const json_t *root, struct comm_costs *c, struct damage *d)
{
    const json_t *costs = json_object_get(root, "costs");
    const json_t *alpha = json_object_get(costs, "alpha_s");
    const json_t *beta = json_object_get(costs, "beta_s_per_byte");

    for (int p = 0; p < COMM_PATHS; p++)
        if (!number(alpha, paths[p], 1e-10, 10, &c->alpha_s[p], d) ||
            !number(beta, paths[p], 1e-13, 1e-3, &c->beta_s_per_byte[p], d))
            return false;
    return number(costs, "overhead_s", 0, 1, &c->overhead_s, d) &&
           number(costs, "gamma_s_per_byte", 0, 1e-3, &c->gamma_s_per_byte, d) &&
           number(costs, "barrier_s", 0, 10, &c->barrier_s, d) &&
           number(costs, "doubling_contention", 1, 1000, &c->doubling_contention, d);
}

static bool read_op(const json_t *row, comm_op *out, struct damage *d)
{
    const char *name = json_string_value(json_object_get(row, "op"));

    for (int op = 0; name != NULL && op < COMM_OPS; op++) {
        if (strcmp(name, comm_tuning_op_name((comm_op)op)) != 0) continue;
        *out = (comm_op)op;
        return true;
    }
    return damaged(d, "op is no operation");
}

static bool read_type(const json_t *row, const char *key, rt_dtype *out, struct damage *d)
{
    const char *name = json_string_value(json_object_get(row, key));

    if (name != NULL && strcmp(name, rt_dtype_name(RT_F32)) == 0)
        *out = RT_F32;
    else if (name != NULL && strcmp(name, rt_dtype_name(RT_BF16)) == 0)
        *out = RT_BF16;
    else
        return damaged(d, "a type is neither fp32 nor bf16");
    return true;
}

static bool read_row(const json_t *row, struct comm_tuning_row *out, struct damage *d)
{
    const char *name = json_string_value(json_object_get(row, "algorithm"));
    json_int_t ranks, nodes, bytes;

    if (name == NULL || name[0] == '\0' || strlen(name) >= sizeof out->algorithm)
        return damaged(d, "algorithm is no name");
    snprintf(out->algorithm, sizeof out->algorithm, "%s", name);
    if (!read_op(row, &out->op, d) || !read_type(row, "type", &out->type, d) ||
        !read_type(row, "wire", &out->wire, d) || !integer(row, "ranks", 1, 1 << 24, &ranks, d) ||
        !integer(row, "nodes", 1, ranks, &nodes, d) ||
        !integer(row, "bytes", 1, (json_int_t)1 << 50, &bytes, d) ||
        !number(row, "time_s", 1e-10, 3600, &out->time_s, d))
        return false;
    out->ranks = (int)ranks;
    out->nodes = (int)nodes;
    out->bytes = (size_t)bytes;
    return true;
}

/* What a file says of itself: is it for here? */
static bool read_head(const json_t *root, const char *machine, struct comm_tuning *t,
                      struct damage *d)
{
    const char *name = json_string_value(json_object_get(root, "machine"));
    const json_t *version = json_object_get(root, "recua_tuning");
    char text[256];

    if (!json_is_integer(version) || json_integer_value(version) != COMM_TUNING_VERSION) {
        snprintf(text, sizeof text, "its version is not %d", COMM_TUNING_VERSION);
        return damaged(d, text);
    }
    if (name == NULL || strcmp(name, machine) != 0) {
        snprintf(text, sizeof text, "it is of '%.80s', this is '%.80s'",
                 name == NULL ? "unknown" : name, machine);
        return damaged(d, text);
    }
    snprintf(t->machine, sizeof t->machine, "%s", name);
    return true;
}

/* RT_OK with text in d: damaged. */
static rt_status read_all(const json_t *root, const char *machine, struct comm_tuning *t,
                          struct damage *d)
{
    const json_t *rows = json_object_get(root, "rows");
    const json_t *chunk = json_object_get(root, "chunk_bytes");
    const size_t count = json_array_size(rows);
    json_int_t chunk_bytes = 0;

    if (!read_head(root, machine, t, d) || !read_costs(root, &t->costs, d)) return RT_OK;
    if (!json_is_array(rows) && damaged(d, "rows is no list")) return RT_OK;
    if (!json_is_null(chunk) &&
        !integer(root, "chunk_bytes", CHUNK_MIN, CHUNK_MAX, &chunk_bytes, d))
        return RT_OK;
    t->chunk_bytes = (size_t)chunk_bytes;
    t->rows = calloc(count + 1, sizeof *t->rows);
    if (t->rows == NULL) return RT_FAIL(RT_ENOMEM, "no memory for %zu rows of a tuning", count);
    for (size_t i = 0; i < count; i++)
        if (!read_row(json_array_get(rows, i), &t->rows[i], d)) return RT_OK;
    t->rows_count = count;
    return RT_OK;
}

rt_status comm_tuning_parse(const char *text, size_t bytes, const char *path, const char *machine,
                            struct comm_tuning **out)
{
    struct comm_tuning *t = calloc(1, sizeof *t);
    struct damage d = {""};
    json_error_t error;
    json_t *root = NULL;
    rt_status st = RT_OK;

    *out = NULL;
    if (t == NULL) return RT_FAIL(RT_ENOMEM, "no memory for a tuning");
    root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        damaged(&d, error.text);
    else
        st = read_all(root, machine, t, &d);
    if (d.text[0] != '\0')
        rt_log(RT_LOG_WARN,
               "%s: ignored as tuning: %s; the cost model decides; measure this "
               "machine with `recua-bench comm --tune=%s`",
               path, d.text, path);
    if (st == RT_OK && d.text[0] == '\0') {
        *out = t;
        t = NULL; /* the caller's now */
    }
    json_decref(root);
    comm_tuning_destroy(&t);
    return st;
}

rt_status comm_tuning_read(const char *path, const char *machine, struct comm_tuning **out)
{
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    size_t bytes = 0;
    rt_status st = RT_OK;

    *out = NULL;
    if (f == NULL) {
        rt_log(RT_LOG_WARN, "%s: ignored as tuning: %s; the cost model decides", path,
               strerror(errno));
        return RT_OK;
    }
    text = malloc(FILE_MAX + 1);
    if (text == NULL) {
        st = RT_FAIL(RT_ENOMEM, "%s: no memory to read it", path);
        goto out;
    }
    bytes = fread(text, 1, FILE_MAX + 1, f);
    if (ferror(f) != 0 || bytes > FILE_MAX)
        rt_log(RT_LOG_WARN, "%s: ignored as tuning: %s; the cost model decides", path,
               ferror(f) != 0 ? "it cannot be read" : "it has more than 16 MiB");
    else
        st = comm_tuning_parse(text, bytes, path, machine, out);
out:
    free(text);
    fclose(f);
    return st;
}

static json_t *path_json(const double *values)
{
    return json_pack("{s:f, s:f, s:f}", paths[0], values[0], paths[1], values[1], paths[2],
                     values[2]);
}

static json_t *costs_json(const struct comm_costs *c)
{
    return json_pack("{s:o, s:o, s:f, s:f, s:f, s:f}", "alpha_s", path_json(c->alpha_s),
                     "beta_s_per_byte", path_json(c->beta_s_per_byte), "overhead_s", c->overhead_s,
                     "gamma_s_per_byte", c->gamma_s_per_byte, "barrier_s", c->barrier_s,
                     "doubling_contention", c->doubling_contention);
}

static json_t *rows_json(const struct comm_tuning *t)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < t->rows_count; i++) {
        const struct comm_tuning_row *r = &t->rows[i];
        json_array_append_new(rows, json_pack("{s:s, s:s, s:i, s:i, s:I, s:s, s:s, s:f}", "op",
                                              comm_tuning_op_name(r->op), "algorithm", r->algorithm,
                                              "ranks", r->ranks, "nodes", r->nodes, "bytes",
                                              (json_int_t)r->bytes, "type", rt_dtype_name(r->type),
                                              "wire", rt_dtype_name(r->wire), "time_s", r->time_s));
    }
    return rows;
}

rt_status comm_tuning_text(const struct comm_tuning *t, char **out)
{
    json_t *chunk = t->chunk_bytes > 0 ? json_integer((json_int_t)t->chunk_bytes) : json_null();
    json_t *root = json_pack("{s:i, s:s, s:o, s:o, s:o}", "recua_tuning", COMM_TUNING_VERSION,
                             "machine", t->machine, "costs", costs_json(&t->costs), "chunk_bytes",
                             chunk, "rows", rows_json(t));

    *out = root == NULL ? NULL : json_dumps(root, JSON_INDENT(1));
    json_decref(root);
    return *out == NULL ? RT_FAIL(RT_ENOMEM, "no memory for the text of a tuning") : RT_OK;
}

/* text whole into path, or nothing. */
static rt_status replace(const char *path, const char *text)
{
    const size_t length = strlen(path) + 32, bytes = strlen(text);
    char *beside = malloc(length);
    int fd = -1;
    rt_status st = RT_OK;

    if (beside == NULL) return RT_FAIL(RT_ENOMEM, "no memory for a name");
    snprintf(beside, length, "%s.%ld.tmp", path, (long)getpid());
    fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool good = fd >= 0;
    for (size_t done = 0; good && done < bytes;) {
        const ssize_t n = write(fd, text + done, bytes - done);
        good = n > 0 || (n < 0 && errno == EINTR);
        if (n > 0) done += (size_t)n;
    }
    good = good && fsync(fd) == 0;
    if (fd >= 0) good = close(fd) == 0 && good;
    if (!good || rename(beside, path) != 0) {
        st = RT_FAIL(RT_EIO, "%s: cannot be written: %s", path, strerror(errno));
        (void)unlink(beside);
    }
    free(beside);
    return st;
}

rt_status comm_tuning_write(const struct comm_tuning *t, const char *path)
{
    char *text = NULL;

    RT_TRY(comm_tuning_text(t, &text));
    const rt_status st = replace(path, text);
    free(text);
    return st;
}

void comm_tuning_destroy(struct comm_tuning **t)
{
    if (*t == NULL) return;
    free((*t)->rows);
    free(*t);
    *t = NULL;
}
