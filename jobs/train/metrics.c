/* jobs/train/metrics.c - see metrics.h */
#include "jobs/train/metrics.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/format.h"

struct metrics {
    FILE *file;
    char path[4096];
    bool said; /* a failure was reported */
};

static bool ends_in_line(FILE *f)
{
    return fseek(f, -1, SEEK_END) != 0 || fgetc(f) == '\n'; /* empty counts as ended */
}

rt_status metrics_open(const char *run, struct metrics **out)
{
    struct metrics *m = calloc(1, sizeof *m);

    *out = NULL;
    if (m == NULL) return RT_FAIL(RT_ENOMEM, "metrics");
    snprintf(m->path, sizeof m->path, "%s/metrics.jsonl", run);
    m->file = fopen(m->path, "a+e");
    if (m->file == NULL) {
        const rt_status st = RT_FAIL(RT_EIO, "%s: cannot be written: %s", m->path, strerror(errno));
        free(m);
        return st;
    }
    if (!ends_in_line(m->file)) fputc('\n', m->file);
    *out = m;
    return RT_OK;
}

void metrics_close(struct metrics **m)
{
    if (*m == NULL) return;
    (void)fclose((*m)->file);
    free(*m);
    *m = NULL;
}

/* 17 digits: a reader gets the same bits back. */
static void put_real(FILE *f, const char *key, double v)
{
    if (isfinite(v))
        fprintf(f, ", \"%s\": %.17g", key, v);
    else
        fprintf(f, ", \"%s\": null", key);
}

static void put_whole(FILE *f, const char *key, uint64_t v)
{
    if (v > 0)
        fprintf(f, ", \"%s\": %llu", key, (unsigned long long)v);
    else
        fprintf(f, ", \"%s\": null", key);
}

rt_status metrics_write(struct metrics *m, const struct metrics_line *l)
{
    FILE *f = m->file;
    char utc[32];

    fprintf(f, "{\"step\": %llu, \"tokens_total\": %llu", (unsigned long long)l->step,
            (unsigned long long)l->tokens_total);
    put_real(f, "loss", l->loss);
    put_real(f, "val_loss", l->val_loss);
    put_real(f, "grad_norm", l->grad_norm);
    put_real(f, "lr", l->lr);
    put_real(f, "step_s", l->step_s);
    put_real(f, "tokens_per_s", l->tokens_per_s);
    put_real(f, "tokens_per_s_per_rank", l->tokens_per_s / l->ranks);
    put_real(f, "model_flops_per_s", l->model_flops_per_s);
    put_real(f, "mfu", l->mfu);
    put_real(f, "peak_flops_per_s", l->peak_flops_per_s);
    fprintf(f, ", \"peak_source\": %s", isfinite(l->peak_flops_per_s) ? "\"measured\"" : "null");
    put_real(f, "gather_s", l->gather_s);
    put_real(f, "reduce_s", l->reduce_s);
    put_real(f, "comm_exposed_s", (double)NAN);
    put_real(f, "gather_gbyte_per_s", l->gather_gbyte_per_s);
    put_whole(f, "peak_memory_bytes", l->peak_memory_bytes);
    put_real(f, "gpu_energy_step_j", (double)NAN);
    put_real(f, "host_energy_step_j", (double)NAN);
    fprintf(f, ", \"ranks\": %d, \"attempt\": %d, \"time_utc\": \"%s\"}\n", l->ranks, l->attempt,
            format_utc(utc, sizeof utc));
    if (fflush(f) == 0) return RT_OK;
    clearerr(f);
    if (m->said) return RT_EIO;
    m->said = true;
    return RT_FAIL(RT_EIO, "%s: cannot be written: %s; training goes on without these lines",
                   m->path, strerror(errno));
}
