/* bench/comm/svg_pairs.c - all pairs as a heat map: dark is fast, slow pairs have a red frame */
#include <math.h>

#include "bench/comm/report.h"
#include "bench/comm/svg.h"

enum { SIDE = 600, MARGIN = 60, LEGEND = 120, STEPS = 20 };

/* From light yellow (0) to dark blue (1). */
static void color_of(double share, char out[8])
{
    const double s = share < 0 ? 0 : share > 1 ? 1 : share;
    const int red = (int)(255 - 235 * s), green = (int)(247 - 170 * s), blue = (int)(200 - 60 * s);

    snprintf(out, 8, "#%02x%02x%02x", (unsigned)red & 255u, (unsigned)green & 255u,
             (unsigned)blue & 255u);
}

static double most_of(const struct bench_pairs *p)
{
    double most = 0;

    for (int i = 0; i < p->ranks * p->ranks; i++)
        if (p->gbyte_per_s[i] > most) most = p->gbyte_per_s[i];
    return most;
}

static void draw_cell(FILE *f, const struct bench_run *r, const struct bench_pairs *p, int a, int b,
                      double most)
{
    const double cell = (double)SIDE / p->ranks, value = p->gbyte_per_s[a * p->ranks + b];
    const bool slow = p->slow[a * p->ranks + b];
    char color[8];

    if (isnan(value)) return;
    color_of(value / most, color);
    fprintf(f,
            "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\"%s><title>%d "
            "(%s) and %d (%s): %.4g GB/s</title></rect>\n",
            MARGIN + b * cell, MARGIN + a * cell, cell, cell, color,
            slow ? " stroke=\"red\" stroke-width=\"2\"" : "", a, bench_host_of(r, a)->name, b,
            bench_host_of(r, b)->name, value);
}

static void draw_legend(FILE *f, double most)
{
    const double x = MARGIN + SIDE + 20, height = (double)SIDE / STEPS;
    char color[8], text[32];

    for (int i = 0; i < STEPS; i++) {
        color_of(1 - (double)i / (STEPS - 1), color);
        fprintf(f, "<rect x=\"%.1f\" y=\"%.1f\" width=\"20\" height=\"%.1f\" fill=\"%s\"/>\n", x,
                MARGIN + i * height, height + 0.5, color);
    }
    snprintf(text, sizeof text, "%.4g GB/s", most);
    bench_svg_text(f, x + 26, MARGIN + 10, "start", text);
    bench_svg_text(f, x + 26, MARGIN + SIDE, "start", "0");
}

rt_status bench_svg_pairs(const struct bench_run *r, const struct bench_pairs *p, const char *path)
{
    FILE *f = bench_svg_open(path, SIDE + 2 * MARGIN + LEGEND, SIDE + MARGIN + 40);
    const double most = most_of(p), cell = (double)SIDE / p->ranks;
    const int every = p->ranks <= 32 ? 1 : p->ranks / 16;
    char text[96];

    if (f == NULL || !(most > 0)) return bench_svg_close(f, path);
    snprintf(text, sizeof text, "all pairs, %zu bytes both ways at once, GB/s each way",
             p->cell->bytes);
    bench_svg_text(f, MARGIN, 24, "start", text);
    for (int a = 0; a < p->ranks; a++)
        for (int b = 0; b < p->ranks; b++) draw_cell(f, r, p, a, b, most);
    for (int a = 0; a < p->ranks; a += every) {
        snprintf(text, sizeof text, "%d", a);
        bench_svg_text(f, MARGIN - 6, MARGIN + (a + 0.5) * cell + 4, "end", text);
        bench_svg_text(f, MARGIN + (a + 0.5) * cell, MARGIN - 6, "middle", text);
    }
    draw_legend(f, most);
    return bench_svg_close(f, path);
}
