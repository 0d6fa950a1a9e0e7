/* bench/comm/svg.h - pieces of a picture */
#ifndef BENCH_COMM_SVG_H
#define BENCH_COMM_SVG_H

#include <stdio.h>

#include "runtime/status.h"

struct bench_run;
struct bench_pairs;

/* NULL: it cannot be written, which bench_svg_close then says. */
FILE *bench_svg_open(const char *path, int width, int height);
RT_NODISCARD rt_status bench_svg_close(FILE *f, const char *path);
void bench_svg_text(FILE *f, double x, double y, const char *anchor, const char *text);

/* The heat map of all pairs. */
RT_NODISCARD rt_status bench_svg_pairs(const struct bench_run *r, const struct bench_pairs *p,
                                       const char *path);

#endif
