/* bench/simulate/smpi_vector.c - arithmetic that takes no time and does nothing */
#include "bench/simulate/smpi_impl.h"

static rt_status cast(struct rt_queue *q, void *y, rt_dtype yt, const void *x, rt_dtype xt,
                      size_t n)
{
    (void)q, (void)y, (void)yt, (void)x, (void)xt, (void)n;
    return RT_OK;
}

static rt_status reduce(struct rt_queue *q, void *y, rt_dtype yt, const void *const *x,
                        const rt_dtype *xt, int count, size_t n, bool tree, bool add)
{
    (void)q, (void)y, (void)yt, (void)x, (void)xt, (void)count, (void)n, (void)tree, (void)add;
    return RT_OK;
}

static rt_status scale(struct rt_queue *q, float *y, float a, size_t n)
{
    (void)q, (void)y, (void)a, (void)n;
    return RT_OK;
}

static rt_status squares(struct rt_queue *q, struct rt_exact *a, const float *x, size_t n)
{
    (void)q, (void)a, (void)x, (void)n;
    return RT_OK;
}

static rt_status finite(struct rt_queue *q, bool *yes, const float *x, size_t n)
{
    (void)q, (void)x, (void)n;
    *yes = true;
    return RT_OK;
}

const struct rt_vector simulate_vector = {.name = "none",
                                          .cast = cast,
                                          .reduce = reduce,
                                          .scale = scale,
                                          .squares = squares,
                                          .finite = finite};
