/* shard/order.c - the static schedule of one pass
 *
 * Without keep, a use finds its unit still in a slot, or takes a slot that the last `depth` uses
 * do not have; of several, the one whose unit is needed last (Belady), so that backward finds the
 * last units of forward.
 */
#include "shard/order.h"

#include <limits.h>
#include <stdlib.h>

static void list_uses(shard_pass pass, int units, struct shard_order *o)
{
    const int forward = pass == SHARD_PASS_TRAIN ? units - 1 : units;

    for (int u = 0; u < forward; u++)
        o->uses[o->uses_count++] = (struct shard_use){.unit = u, .fill = -1};
    if (pass == SHARD_PASS_FORWARD) return;
    for (int u = units - 1; u >= 0; u--)
        o->uses[o->uses_count++] =
            (struct shard_use){.unit = u, .backward = true, .fill = -1, .back = o->backs_count++};
}

/* What a slot holds while the pass is thought through. */
struct slot {
    int unit; /* -1 empty */
    int last; /* the last use that has it, -1 none */
    int fill;
};

/* The next use of the slot's unit from `use` on; INT_MAX: never. */
static int next_use(const struct shard_order *o, const struct slot *s, int use)
{
    for (int i = use; i < o->uses_count; i++)
        if (o->uses[i].unit == s->unit) return i;
    return INT_MAX;
}

static int choose(const struct shard_order *o, const struct slot *slots, int count, int use,
                  int depth)
{
    int best = -1, farthest = -1;

    for (int i = 0; i < count; i++)
        if (slots[i].unit == o->uses[use].unit) return i;
    for (int i = 0; i < count; i++) {
        if (slots[i].last >= 0 && slots[i].last >= use - depth) continue;
        int next = next_use(o, &slots[i], use);
        if (next <= farthest) continue;
        best = i;
        farthest = next;
    }
    return best; /* depth uses hold at most depth of depth+1 slots */
}

static void fill_slot(struct shard_order *o, struct slot *s, int index, int use, int depth)
{
    const int from = use - depth - 1;

    o->fills[o->fills_count] = (struct shard_fill){
        .unit = o->uses[use].unit,
        .slot = index,
        .use = use,
        .from = from < -1 ? -1 : from,
        .after = s->last,
    };
    *s = (struct slot){.unit = o->uses[use].unit, .fill = o->fills_count};
    o->fills_count++;
}

rt_status shard_order_create(shard_pass pass, int units, int depth, bool keep, bool stale,
                             struct shard_order *out)
{
    const int count = keep ? units : depth + 1;
    const size_t most = 2 * (size_t)units;
    struct shard_order o = {0};
    struct slot *slots = calloc((size_t)count, sizeof *slots);

    *out = o;
    o.uses = calloc(most, sizeof *o.uses);
    o.fills = calloc(most, sizeof *o.fills);
    if (slots == NULL || o.uses == NULL || o.fills == NULL) {
        free(slots);
        shard_order_clear(&o);
        return RT_FAIL(RT_ENOMEM, "the order of %zu uses", most);
    }
    for (int i = 0; i < count; i++)
        slots[i] = (struct slot){.unit = keep && !stale ? i : -1, .last = -1, .fill = -1};
    list_uses(pass, units, &o);
    for (int use = 0; use < o.uses_count; use++) {
        const int unit = o.uses[use].unit;
        int i = keep ? unit : choose(&o, slots, count, use, depth);
        if (slots[i].unit != unit) fill_slot(&o, &slots[i], i, use, depth);
        slots[i].last = use;
        o.uses[use].slot = i;
        o.uses[use].fill = slots[i].fill;
    }
    free(slots);
    *out = o;
    return RT_OK;
}

void shard_order_clear(struct shard_order *o)
{
    free(o->uses);
    free(o->fills);
    *o = (struct shard_order){0};
}

static const char *direction(const struct shard_use *u)
{
    return u->backward ? "backward" : "forward";
}

void shard_order_print(const struct shard_order *o, FILE *out)
{
    int fill = 0, last = -1; /* last: the backward use not reduced yet */

    for (int use = 0; use < o->uses_count; use++) {
        const struct shard_use *u = &o->uses[use];
        for (; fill < o->fills_count && o->fills[fill].from < use; fill++)
            fprintf(out, "  gather  unit %d -> slot %d\n", o->fills[fill].unit,
                    o->fills[fill].slot);
        fprintf(out, "  acquire unit %d %s, slot %d\n", u->unit, direction(u), u->slot);
        fprintf(out, "  release unit %d %s\n", u->unit, direction(u));
        if (last >= 0) fprintf(out, "  reduce  unit %d\n", o->uses[last].unit);
        if (u->backward) last = use;
    }
    if (last >= 0) fprintf(out, "  reduce  unit %d\n", o->uses[last].unit);
}
