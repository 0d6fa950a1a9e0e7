/* optim/schedule.c - the learning rate: linear warm-up, cosine, floor */
#include <math.h>

#include "optim/optim.h"

double optim_learning_rate(const struct optim_schedule *s, uint64_t step)
{
    static const double pi = 3.14159265358979323846;
    const double floor_rate = s->final_ratio * s->peak;

    if (step < s->warmup) return s->peak * (double)step / (double)s->warmup;
    if (step >= s->steps) return step == s->warmup ? s->peak : floor_rate;
    const double share = (double)(step - s->warmup) / (double)(s->steps - s->warmup);
    return floor_rate + (s->peak - floor_rate) * 0.5 * (1 + cos(pi * share));
}
