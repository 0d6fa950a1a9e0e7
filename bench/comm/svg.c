/* bench/comm/svg.c - two pictures: bandwidth over size, and all pairs as a heat map
 *
 * Self-contained SVG without scripts or fonts of its own; values stand in titles, which browsers
 * show under the pointer.
 */
#include "bench/comm/svg.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/comm/report.h"

enum {
    WIDTH = 760,
    PANEL = 300,
    LEFT = 70,
    RIGHT = 210,
    TOP = 40,
    BOTTOM = 50,
    LINE = 15,
    COLORS = 10
};

static const char *const colors[COLORS] = {"#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd",
                                           "#8c564b", "#e377c2", "#17becf", "#bcbd22", "#7f7f7f"};

FILE *bench_svg_open(const char *path, int width, int height)
{
    FILE *f = fopen(path, "w");

    if (f == NULL) return NULL;
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n"
            "<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n",
            width, height, width, height, width, height);
    return f;
}

rt_status bench_svg_close(FILE *f, const char *path)
{
    bool good = f != NULL;

    if (good) good = fputs("</svg>\n", f) >= 0 && ferror(f) == 0;
    if (f != NULL) good = fclose(f) == 0 && good;
    return good ? RT_OK : RT_FAIL(RT_EIO, "%s: cannot be written: %s", path, strerror(errno));
}

void bench_svg_text(FILE *f, double x, double y, const char *anchor, const char *text)
{
    fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    for (; *text != '\0'; text++) {
        if (*text == '<')
            fputs("&lt;", f);
        else if (*text == '&')
            fputs("&amp;", f);
        else
            fputc(*text, f);
    }
    fputs("</text>\n", f);
}

/* One panel: an operation's curves, both axes logarithmic. */
struct panel {
    bench_op op;
    int curves;
    double top;            /* of its frame */
    double x0, x1, y0, y1; /* log10 of the axes' ends */
};

static bool is_drawn(const struct bench_cell *c, bench_op op)
{
    return c->op == op && c->side[0].count > 0 && bench_busbw(c, c->side[0].time.median) > 0;
}

/* A long legend makes a high panel. */
static int height_of(const struct panel *p)
{
    const int legend = TOP + 20 + LINE * p->curves;
    return legend > PANEL ? legend : PANEL;
}

static double x_of(const struct panel *p, double bytes)
{
    const double span = p->x1 > p->x0 ? p->x1 - p->x0 : 1;
    return LEFT + (log10(bytes) - p->x0) / span * (WIDTH - LEFT - RIGHT);
}

static double y_of(const struct panel *p, double value)
{
    const double span = p->y1 > p->y0 ? p->y1 - p->y0 : 1;
    return p->top + (1 - (log10(value) - p->y0) / span) * (height_of(p) - TOP - BOTTOM);
}

/* false: nothing of this operation is drawn. */
static bool fit_axes(const struct bench_run *r, struct panel *p)
{
    bool any = false;

    p->x0 = p->y0 = INFINITY;
    p->x1 = p->y1 = -INFINITY;
    for (size_t i = 0; i < r->cells_count; i++) {
        const struct bench_cell *c = &r->cells[i];
        if (!is_drawn(c, p->op)) continue;
        const double x = log10((double)c->bytes);
        const double y = log10(bench_busbw(c, c->side[0].time.median));
        p->x0 = fmin(p->x0, x);
        p->x1 = fmax(p->x1, x);
        p->y0 = fmin(p->y0, floor(y));
        p->y1 = fmax(p->y1, ceil(y));
        any = true;
    }
    return any;
}

static void size_text(double bytes, char *out, size_t size)
{
    static const char units[] = " KMGT";
    int unit = 0;

    for (; bytes >= 1024 && unit < 4; unit++) bytes /= 1024;
    snprintf(out, size, "%.4g%c", bytes, units[unit]);
}

static void draw_frame(FILE *f, const struct bench_run *r, const struct panel *p)
{
    const double bottom = p->top + height_of(p) - TOP - BOTTOM;
    size_t last = 0;
    char text[64];

    snprintf(text, sizeof text, "%s: bus bandwidth, GB/s", bench_op_name(p->op));
    bench_svg_text(f, LEFT, p->top - 10, "start", text);
    fprintf(f,
            "<rect x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%d\" fill=\"none\" "
            "stroke=\"#444\"/>\n",
            LEFT, p->top, WIDTH - LEFT - RIGHT, height_of(p) - TOP - BOTTOM);
    for (double y = p->y0; y <= p->y1; y++) {
        snprintf(text, sizeof text, "%g", pow(10, y));
        bench_svg_text(f, LEFT - 6, y_of(p, pow(10, y)) + 4, "end", text);
        fprintf(f, "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>\n", LEFT,
                WIDTH - RIGHT, y_of(p, pow(10, y)), y_of(p, pow(10, y)));
    }
    double free_from = 0; /* labels do not run into each other */
    for (size_t i = 0; i < r->cells_count; i++) {
        const struct bench_cell *c = &r->cells[i];
        if (!is_drawn(c, p->op) || c->bytes == last) continue;
        last = c->bytes;
        const double x = x_of(p, (double)last);
        if (x < free_from) continue;
        free_from = x + 45;
        size_text((double)last, text, sizeof text);
        bench_svg_text(f, x, bottom + 16, "middle", text);
    }
    bench_svg_text(f, (LEFT + WIDTH - RIGHT) / 2.0, bottom + 34, "middle",
                   p->op <= BENCH_ALLREDUCE ? "bytes in all" : "bytes of a message");
}

/* Ours are whole lines; of MPI's, curves of one colour differ in their dashes. */
static const char *dash_of(bool ours, int number)
{
    static const char *const dashes[] = {" stroke-dasharray=\"4 3\"", " stroke-dasharray=\"9 3\"",
                                         " stroke-dasharray=\"1 3\""};
    return ours ? "" : dashes[number / COLORS % 3];
}

static void draw_curve(FILE *f, const struct bench_run *r, const struct panel *p, const char *name,
                       int number)
{
    const char *color = colors[number % COLORS];
    const bool ours = strncmp(name, "mpi", 3) != 0 && strcmp(name, "bound") != 0;
    const double y = p->top + 10 + LINE * number;

    fprintf(f, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"%s\"%s points=\"", color,
            ours ? "2.5" : "1.2", dash_of(ours, number));
    for (size_t i = 0; i < r->cells_count; i++) {
        const struct bench_cell *c = &r->cells[i];
        if (is_drawn(c, p->op) && strcmp(c->algorithm, name) == 0)
            fprintf(f, "%.1f,%.1f ", x_of(p, (double)c->bytes),
                    y_of(p, bench_busbw(c, c->side[0].time.median)));
    }
    fprintf(f, "\"><title>");
    fprintf(f, "%s</title></polyline>\n", name);
    for (size_t i = 0; i < r->cells_count; i++) {
        const struct bench_cell *c = &r->cells[i];
        if (!is_drawn(c, p->op) || strcmp(c->algorithm, name) != 0) continue;
        const double v = bench_busbw(c, c->side[0].time.median);
        fprintf(f,
                "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\" fill=\"%s\"><title>%s, %zu bytes: "
                "%.4g GB/s</title></circle>\n",
                x_of(p, (double)c->bytes), y_of(p, v), color, name, c->bytes, v);
    }
    fprintf(f, "<rect x=\"%d\" y=\"%.1f\" width=\"12\" height=\"3\" fill=\"%s\"/>\n",
            WIDTH - RIGHT + 10, y - 5, color);
    bench_svg_text(f, WIDTH - RIGHT + 28, y, "start", name);
}

/* Is cell i the first of its algorithm? */
static bool is_first(const struct bench_run *r, const struct panel *p, size_t i)
{
    if (!is_drawn(&r->cells[i], p->op)) return false;
    for (size_t k = 0; k < i; k++)
        if (is_drawn(&r->cells[k], p->op) &&
            strcmp(r->cells[k].algorithm, r->cells[i].algorithm) == 0)
            return false;
    return true;
}

static void draw_curves(FILE *f, const struct bench_run *r, const struct panel *p)
{
    int number = 0;

    for (size_t i = 0; i < r->cells_count; i++)
        if (is_first(r, p, i)) draw_curve(f, r, p, r->cells[i].algorithm, number++);
}

static rt_status draw_bandwidth(const struct bench_run *r, const char *path)
{
    struct panel panels[BENCH_OPS];
    int count = 0, height = 0;

    for (int op = 0; op < BENCH_OVERLAP; op++) {
        struct panel *p = &panels[count];
        *p = (struct panel){.op = (bench_op)op, .top = TOP + (double)height};
        if (!fit_axes(r, p)) continue;
        for (size_t i = 0; i < r->cells_count; i++) p->curves += is_first(r, p, i);
        height += height_of(p);
        count++;
    }
    if (count == 0) return RT_OK; /* nothing has a bandwidth */
    FILE *f = bench_svg_open(path, WIDTH, height);
    for (int i = 0; f != NULL && i < count; i++) {
        draw_frame(f, r, &panels[i]);
        draw_curves(f, r, &panels[i]);
    }
    return bench_svg_close(f, path);
}

rt_status bench_write_svg(const struct bench_run *r, const struct bench_report *p)
{
    char path[4096];

    if ((size_t)snprintf(path, sizeof path, "%s-bandwidth.svg", r->o->svg) >= sizeof path)
        return RT_FAIL(RT_EINVAL, "--svg: the prefix is longer than %zu characters", sizeof path);
    RT_TRY(draw_bandwidth(r, path));
    if (p->pairs.cell == NULL) return RT_OK;
    snprintf(path, sizeof path, "%s-pairs.svg", r->o->svg);
    return bench_svg_pairs(r, &p->pairs, path);
}
