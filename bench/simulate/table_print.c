/* bench/simulate/table_print.c - the table for people and as CSV */
#include "bench/simulate/table.h"

static double efficiency(const struct simulate_cell *c)
{
    return c->result.step_s > 0 ? c->result.compute_s / c->result.step_s : 1;
}

static void print_side(const struct simulate_cell *c, FILE *out)
{
    if (c == NULL) {
        fprintf(out, " | %8s %6s %6s", "-", "-", "-");
        return;
    }
    fprintf(out, " | %8.3f %5.1f%% %5.1f%%", c->result.comm_s, 100 * c->result.hidden,
            100 * efficiency(c));
}

static void print_cell(const struct simulate_table *t, const struct simulate_wish *w, int fabric,
                       int model, int ranks, FILE *out)
{
    const char *f = w->fabrics[fabric].name, *m = w->models[model].name;
    const struct simulate_cell *ours = simulate_table_find(t, m, f, ranks, SIMULATE_CHOSEN);
    const struct simulate_cell *best = simulate_table_find(t, m, f, ranks, SIMULATE_BEST);
    const struct simulate_cell *mpi = simulate_table_find(t, m, f, ranks, SIMULATE_MPI);

    if (ours == NULL) return;
    fprintf(out, "%-6s %5d%s%s %5.2fM %8.3f", m, ranks, ours->grown ? "+" : " ",
            ours->fits ? " " : "*", ours->tokens / 1e6, ours->result.compute_s);
    print_side(ours, out);
    print_side(best, out);
    print_side(mpi, out);
    fprintf(out, " | %s, %s\n", ours->gather, ours->reduce);
}

void simulate_table_print(const struct simulate_table *t, const struct simulate_wish *w, FILE *out)
{
    fprintf(out,
            "GPU: %g Tflop/s at mfu %g; %d a node; wire %s. comm: seconds of all collectives of a "
            "step;\nhidden: the share of them behind computing; eff: computing / step.\n"
            "+ one sequence a GPU, the batch grows; * %d bytes of state a parameter do not fit in "
            "%g GB\n",
            w->gpu.peak_flops_per_s / 1e12, w->gpu.mfu, w->per_node, w->wire, 16,
            w->gpu.memory_bytes / 1e9);
    for (int f = 0; f < w->fabrics_count; f++) {
        fprintf(out, "\n%s (%s)\n", w->fabrics[f].name, w->fabrics[f].spec);
        fprintf(out, "%-30s | %-22s | %-22s | %-22s |\n", "", "ours by the cost model",
                "fastest of ours", "Open MPI's selection");
        fprintf(out, "%-6s %5s   %6s %8s", "model", "GPUs", "tokens", "comp. s");
        for (int i = 0; i < 3; i++) fprintf(out, " | %8s %6s %6s", "comm s", "hidden", "eff");
        fprintf(out, " | chosen: gather, reduce\n");
        for (int m = 0; m < w->models_count; m++)
            for (int k = 0; k < w->ranks_count; k++) print_cell(t, w, f, m, w->ranks[k], out);
    }
}

void simulate_table_csv(const struct simulate_table *t, FILE *out)
{
    fprintf(out, "model,fabric,ranks,tokens,batch_grown,state_fits,set,gather,reduce,compute_s,"
                 "comm_s,step_s,hidden,efficiency,tokens_per_s\n");
    for (size_t i = 0; i < t->count; i++) {
        const struct simulate_cell *c = &t->cells[i];
        fprintf(out, "%s,%s,%d,%.0f,%d,%d,%s,%s,%s,%.9g,%.9g,%.9g,%.6f,%.6f,%.6g\n", c->model,
                c->fabric, c->ranks, c->tokens, c->grown, c->fits, c->set, c->gather, c->reduce,
                c->result.compute_s, c->result.comm_s, c->result.step_s, c->result.hidden,
                efficiency(c), c->tokens / c->result.step_s);
    }
}
