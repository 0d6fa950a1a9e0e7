/* comm/tuning_rules.c - an Open MPI rules file from measured times of its own algorithms
 *
 * Format   the classic one of coll/tuned: whitespace integers. Collectives; of each its number,
 *          communicator sizes; of each message sizes, the first 0, ascending: bytes, algorithm,
 *          fan-out, segment size. The rule with the largest size not above the actual one counts
 * Numbers  an algorithm takes over halfway (in log bytes) between two measured sizes
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/tuning.h"

/* coll/tuned's numbers of the collectives that this program uses. */
static const struct {
    const char *name;
    int number;
} collectives[] = {
    {"allgather", 0}, {"allreduce", 2}, {"reduce_scatter", 12}, {"reduce_scatter_block", 13}};
enum { COLLECTIVES = sizeof collectives / sizeof collectives[0] };

/* Its algorithm id where the row is of this collective of MPI; 0: it is not. */
static int id_of(const struct comm_tuning_row *row, const char *collective)
{
    const size_t length = strlen(collective);
    const char *at = row->algorithm;

    if (strncmp(at, "mpi:", 4) != 0) return 0;
    at += 4;
    if (strncmp(at, collective, length) != 0 || at[length] != ':') return 0;
    return atoi(at + length + 1);
}

/* The next larger size, ranks among rows of this collective; 0: none. */
static size_t next_bytes(const struct comm_tuning *t, const char *collective, int ranks,
                         size_t above)
{
    size_t least = 0;

    for (size_t i = 0; i < t->rows_count; i++) {
        const struct comm_tuning_row *r = &t->rows[i];
        if (id_of(r, collective) > 0 && r->ranks == ranks && r->bytes > above &&
            (least == 0 || r->bytes < least))
            least = r->bytes;
    }
    return least;
}

static int next_ranks(const struct comm_tuning *t, const char *collective, int above)
{
    int least = 0;

    for (size_t i = 0; i < t->rows_count; i++) {
        const struct comm_tuning_row *r = &t->rows[i];
        if (id_of(r, collective) > 0 && r->ranks > above && (least == 0 || r->ranks < least))
            least = r->ranks;
    }
    return least;
}

static int best_id(const struct comm_tuning *t, const char *collective, int ranks, size_t bytes)
{
    double best_s = 0;
    int best = 0;

    for (size_t i = 0; i < t->rows_count; i++) {
        const struct comm_tuning_row *r = &t->rows[i];
        const int id = id_of(r, collective);
        if (id == 0 || r->ranks != ranks || r->bytes != bytes) continue;
        if (best != 0 && r->time_s >= best_s) continue;
        best = id;
        best_s = r->time_s;
    }
    return best;
}

/* Lines of one communicator size where the algorithm changes. f NULL: only counts them. */
static int write_sizes(const struct comm_tuning *t, const char *collective, int ranks, FILE *f)
{
    size_t before = 0;
    int last = 0, lines = 0;

    for (size_t b = next_bytes(t, collective, ranks, 0); b > 0;
         before = b, b = next_bytes(t, collective, ranks, b)) {
        const int id = best_id(t, collective, ranks, b);
        const size_t from = before == 0 ? 0 : (size_t)sqrt((double)before * (double)b);
        if (id == last) continue;
        if (f != NULL) fprintf(f, "%zu %d 0 0\n", from, id);
        last = id;
        lines++;
    }
    return lines;
}

static void write_collective(const struct comm_tuning *t, int c, FILE *f)
{
    const char *name = collectives[c].name;
    int sizes = 0;

    for (int r = next_ranks(t, name, 0); r > 0; r = next_ranks(t, name, r)) sizes++;
    fprintf(f, "%d # %s\n%d # communicator sizes\n", collectives[c].number, name, sizes);
    for (int r = next_ranks(t, name, 0); r > 0; r = next_ranks(t, name, r)) {
        fprintf(f, "%d # ranks\n%d # message sizes: bytes, algorithm, fan-out, segment\n", r,
                write_sizes(t, name, r, NULL));
        (void)write_sizes(t, name, r, f);
    }
}

rt_status comm_tuning_write_rules(const struct comm_tuning *t, const char *path)
{
    int count = 0;
    FILE *f = NULL;

    for (int c = 0; c < COLLECTIVES; c++) count += next_ranks(t, collectives[c].name, 0) > 0;
    if (count == 0)
        return RT_FAIL(RT_EMISSING,
                       "%s: no algorithm of MPI was measured, so there are no rules to write; "
                       "measure with Open MPI and --baseline mpi",
                       path);
    f = fopen(path, "w");
    if (f == NULL) return RT_FAIL(RT_EIO, "%s: cannot be written: %s", path, strerror(errno));
    fprintf(f,
            "# measured by recua-bench comm; use with\n"
            "# mpirun --mca coll_tuned_use_dynamic_rules 1 \\\n"
            "#        --mca coll_tuned_dynamic_rules_filename FILE\n%d # collectives\n",
            count);
    for (int c = 0; c < COLLECTIVES; c++)
        if (next_ranks(t, collectives[c].name, 0) > 0) write_collective(t, c, f);
    const bool bad = ferror(f) != 0;
    if (fclose(f) != 0 || bad)
        return RT_FAIL(RT_EIO, "%s: cannot be written: %s", path, strerror(errno));
    return RT_OK;
}
