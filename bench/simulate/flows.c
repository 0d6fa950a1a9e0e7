/* bench/simulate/flows.c - max-min fair rates of one round's messages; see flows.h */
#include "bench/simulate/flows.h"

#include <math.h>
#include <stdlib.h>

/* Rates and ends that differ by less are the same: all of them are settled in one go. */
static const double SAME = 1e-9;
/* Flows that end within this share of the time passed no longer slow the others: rates are set
 * some hundred times a round at most, however many flows there are. */
static const double SOON = 0.005;

struct flow {
    int links[SIMULATE_HOPS];
    int hops;
    bool fixed; /* its rate of this filling is known */
    double left, rate, latency_s;
};

struct link {
    double free; /* not yet given to flows, bytes a second */
    int open;    /* flows over it whose rate is not known */
};

struct solver {
    const struct simulate_fabric *fabric;
    struct flow *flows; /* owned; the first `active` have bytes left */
    size_t count, active;
    struct link *links; /* owned */
    int links_count;
};

static void add_flows(struct solver *s, const struct simulate_message *m)
{
    const int paths =
        m->from / s->fabric->per_node == m->to / s->fabric->per_node ? 1 : s->fabric->paths;

    for (int p = 0; p < paths; p++) {
        struct flow *f = &s->flows[s->count++];
        *f = (struct flow){.left = m->bytes / paths};
        int hops = simulate_route(s->fabric, m->from, m->to, p, f->links);
        f->latency_s = hops * s->fabric->link_s;
        for (int i = 0; i < hops; i++)
            if (simulate_link_shared(s->fabric, f->links[i])) f->links[f->hops++] = f->links[i];
    }
}

static double least_share(const struct solver *s)
{
    double least = INFINITY;

    for (int l = 0; l < s->links_count; l++)
        if (s->links[l].open > 0) least = fmin(least, s->links[l].free / s->links[l].open);
    return least;
}

/* Does one of its links give no more than `share`? Asked before any link of this level changes. */
static bool is_bound(const struct solver *s, const struct flow *f, double share)
{
    for (int i = 0; i < f->hops; i++) {
        const struct link *l = &s->links[f->links[i]];
        if (l->free / l->open <= share * (1 + SAME)) return true;
    }
    return false;
}

/* Progressive filling: the links that give least settle their flows, the rest share what is left. */
static void set_rates(struct solver *s)
{
    size_t open = s->active;

    for (int l = 0; l < s->links_count; l++)
        s->links[l] = (struct link){.free = simulate_link_bytes_per_s(s->fabric, l)};
    for (size_t i = 0; i < s->active; i++) {
        s->flows[i].fixed = false;
        for (int h = 0; h < s->flows[i].hops; h++) s->links[s->flows[i].links[h]].open++;
    }
    while (open > 0) {
        const double share = least_share(s);
        for (size_t i = 0; i < s->active; i++) {
            struct flow *f = &s->flows[i];
            if (f->fixed || !is_bound(s, f, share)) continue;
            f->fixed = true;
            f->rate = share;
            open--;
            /* What remains on a bound link is shared by fewer: its share stays the least. */
            for (int h = 0; h < f->hops; h++) {
                s->links[f->links[h]].free -= share;
                s->links[f->links[h]].open--;
            }
        }
    }
}

/* Until the next flow ends; it is taken out, with those that end very soon after. */
static double advance(struct solver *s, double now_s, double *last_s)
{
    double step = INFINITY;

    for (size_t i = 0; i < s->active; i++) step = fmin(step, s->flows[i].left / s->flows[i].rate);
    const double soon = step * (1 + SAME) + SOON * now_s;
    for (size_t i = 0; i < s->active;) {
        struct flow *f = &s->flows[i];
        const double more = f->left / f->rate;
        if (more > soon) {
            f->left -= f->rate * step;
            i++;
            continue;
        }
        *last_s = fmax(*last_s, now_s + more + f->latency_s);
        *f = s->flows[--s->active];
    }
    return now_s + step;
}

rt_status simulate_messages_s(const struct simulate_fabric *f,
                              const struct simulate_message *messages, size_t count,
                              double *seconds)
{
    struct solver s = {.fabric = f, .links_count = simulate_links(f)};
    double now_s = 0, last_s = 0;
    rt_status st = RT_OK;

    s.flows = calloc(count * (size_t)f->paths + 1, sizeof *s.flows);
    s.links = calloc((size_t)s.links_count, sizeof *s.links);
    if (s.flows == NULL || s.links == NULL) {
        st = RT_FAIL(RT_ENOMEM, "%zu messages over %d paths each", count, f->paths);
        goto out;
    }
    for (size_t i = 0; i < count; i++)
        if (messages[i].bytes > 0) add_flows(&s, &messages[i]);
    s.active = s.count;
    while (s.active > 0) {
        set_rates(&s);
        now_s = advance(&s, now_s, &last_s);
    }
    *seconds = last_s;
out:
    free(s.flows);
    free(s.links);
    return st;
}
