/* bench/simulate/table_svg.c - efficiency over GPUs: a panel a model, a line a fabric
 *
 * Full lines are our chosen algorithms, dashed ones Open MPI's selection. GPUs stand at equal
 * distances; efficiency goes from 0 at the bottom to 1.
 */
#include "bench/simulate/table.h"

enum { PANEL_W = 340, PANEL_H = 260, MARGIN = 50, LEGEND_LINE = 18 };

static const char *const colours[] = {"#1b6ca8", "#2e8b57", "#c0392b", "#d98e04",
                                      "#7d3c98", "#5d6d7e", "#0e9aa7", "#a04000"};
enum { COLOURS = sizeof colours / sizeof colours[0] };

struct panel {
    const struct simulate_table *table;
    const struct simulate_wish *wish;
    int model;
    double x, y; /* its upper left corner */
};

static double at_x(const struct panel *p, int k)
{
    const int n = p->wish->ranks_count;
    return p->x + MARGIN + (PANEL_W - 2.0 * MARGIN) * (n > 1 ? (double)k / (n - 1) : 0.5);
}

static double at_y(const struct panel *p, double efficiency)
{
    return p->y + PANEL_H - MARGIN - (PANEL_H - 2.0 * MARGIN) * efficiency;
}

static void draw_axes(const struct panel *p, FILE *out)
{
    fprintf(out, "<text x='%.1f' y='%.1f' font-weight='bold'>%s</text>\n", p->x + MARGIN,
            p->y + MARGIN - 14, p->wish->models[p->model].name);
    for (int i = 0; i <= 4; i++) {
        const double y = at_y(p, i / 4.0);
        fprintf(out, "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='#ddd'/>\n",
                p->x + MARGIN, y, p->x + PANEL_W - MARGIN, y);
        fprintf(out, "<text x='%.1f' y='%.1f' text-anchor='end'>%d%%</text>\n", p->x + MARGIN - 6,
                y + 4, 25 * i);
    }
    for (int k = 0; k < p->wish->ranks_count; k++)
        fprintf(out, "<text x='%.1f' y='%.1f' text-anchor='middle'>%d</text>\n", at_x(p, k),
                p->y + PANEL_H - MARGIN + 18, p->wish->ranks[k]);
}

static void draw_line(const struct panel *p, int fabric, const char *set, const char *dashes,
                      FILE *out)
{
    const char *model = p->wish->models[p->model].name, *name = p->wish->fabrics[fabric].name;

    fprintf(out, "<polyline fill='none' stroke='%s' stroke-width='2'%s points='",
            colours[fabric % COLOURS], dashes);
    for (int k = 0; k < p->wish->ranks_count; k++) {
        const struct simulate_cell *c =
            simulate_table_find(p->table, model, name, p->wish->ranks[k], set);
        if (c != NULL)
            fprintf(out, "%.1f,%.1f ", at_x(p, k), at_y(p, c->result.compute_s / c->result.step_s));
    }
    fprintf(out, "'/>\n");
}

static void draw_legend(const struct simulate_wish *w, double y, FILE *out)
{
    for (int f = 0; f < w->fabrics_count; f++) {
        const double line = y + LEGEND_LINE * f;
        fprintf(out, "<line x1='%d' y1='%.1f' x2='%d' y2='%.1f' stroke='%s' stroke-width='2'/>\n",
                MARGIN, line - 4, MARGIN + 30, line - 4, colours[f % COLOURS]);
        fprintf(out, "<text x='%d' y='%.1f'>%s (%s)</text>\n", MARGIN + 38, line,
                w->fabrics[f].name, w->fabrics[f].spec);
    }
    fprintf(out,
            "<text x='%d' y='%.1f'>full: our chosen algorithms, dashed: Open MPI's selection; "
            "computing / step over GPUs</text>\n",
            MARGIN, y + LEGEND_LINE * w->fabrics_count);
}

void simulate_table_svg(const struct simulate_table *t, const struct simulate_wish *w, FILE *out)
{
    const int columns = w->models_count > 1 ? 2 : 1;
    const int lines = (w->models_count + columns - 1) / columns;
    const int height = lines * PANEL_H + LEGEND_LINE * (w->fabrics_count + 2);

    fprintf(out,
            "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' "
            "font-family='sans-serif' font-size='12'>\n<rect width='100%%' height='100%%' "
            "fill='white'/>\n",
            2 * PANEL_W, height);
    for (int m = 0; m < w->models_count; m++) {
        const struct panel p = {t, w, m, (double)(m % columns) * PANEL_W,
                                (double)(m / columns) * PANEL_H};
        draw_axes(&p, out);
        for (int f = 0; f < w->fabrics_count; f++) {
            draw_line(&p, f, SIMULATE_MPI, " stroke-dasharray='5 4'", out);
            draw_line(&p, f, SIMULATE_CHOSEN, "", out);
        }
    }
    draw_legend(w, lines * PANEL_H + LEGEND_LINE, out);
    fprintf(out, "</svg>\n");
}
