/* bench/simulate/table.h - steps of every model, cluster and set of algorithms: computed, printed,
 * as CSV, drawn */
#ifndef BENCH_SIMULATE_TABLE_H
#define BENCH_SIMULATE_TABLE_H

#include "bench/simulate/rows.h"
#include "bench/simulate/topology.h"
#include "bench/simulate/units.h"

enum { SIMULATE_MOST_FABRICS = 16, SIMULATE_MOST_MODELS = 16, SIMULATE_MOST_RANKS = 16 };

/* Whose collectives a cell is of: what our chooser picks, the fastest of ours, each of ours, MPI. */
#define SIMULATE_CHOSEN "chosen"
#define SIMULATE_BEST "best"
#define SIMULATE_MPI "openmpi"

struct simulate_cell {
    char model[SIMULATE_NAME_BYTES], fabric[SIMULATE_NAME_BYTES], set[SIMULATE_NAME_BYTES];
    char gather[SIMULATE_NAME_BYTES], reduce[SIMULATE_NAME_BYTES];
    int ranks;
    double tokens;
    bool grown, fits;
    struct simulate_result result;
};

struct simulate_table {
    struct simulate_cell *cells; /* owned */
    size_t count;
};

struct simulate_wish {
    struct {
        char name[SIMULATE_NAME_BYTES], spec[SIMULATE_NAME_BYTES];
    } fabrics[SIMULATE_MOST_FABRICS];
    struct {
        char name[SIMULATE_NAME_BYTES];
        const char *path;
    } models[SIMULATE_MOST_MODELS];
    int ranks[SIMULATE_MOST_RANKS];
    int fabrics_count, models_count, ranks_count, per_node;
    const char *wire;
    struct simulate_gpu gpu;
};

/* RT_EDATA: rows of a cell are missing, which is named. */
RT_NODISCARD rt_status simulate_table_create(const struct simulate_wish *w,
                                             const struct simulate_rows *rows,
                                             struct simulate_table *out);
void simulate_table_clear(struct simulate_table *t);
const struct simulate_cell *simulate_table_find(const struct simulate_table *t, const char *model,
                                                const char *fabric, int ranks, const char *set);

void simulate_table_print(const struct simulate_table *t, const struct simulate_wish *w, FILE *out);
void simulate_table_csv(const struct simulate_table *t, FILE *out);
/* Efficiency over GPUs, one panel a model, one line a fabric and chosen or MPI. */
void simulate_table_svg(const struct simulate_table *t, const struct simulate_wish *w, FILE *out);

/* The algorithm for an operation that the cost model picks on this fabric, of those that were
 * simulated. RT_EDATA: none was. RT_ENOMEM. */
RT_NODISCARD rt_status simulate_choose(const struct simulate_wish *w, int fabric, int ranks,
                                       const char *op, size_t elements,
                                       const struct simulate_rows *rows, const char **algorithm);

#endif
