/* tests/shard/test_order.c - the static schedule, replayed symbolically: every use finds its unit,
 * no slot is refilled while it is needed, and no unit is gathered more often than must be
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/status.h"
#include "shard/order.h"
#include "tests/check.h"

enum { UNITS_MOST = 15, DEPTH_MOST = 8 };

static void uses_are_as_the_header_says(const struct shard_order *o, shard_pass pass, int units)
{
    const int forward = pass == SHARD_PASS_TRAIN ? units - 1 : units;
    const int count = pass == SHARD_PASS_TRAIN ? 2 * units - 1 : units;

    if (!CHECK(o->uses_count == count)) return;
    for (int i = 0; i < count; i++) {
        const struct shard_use *u = &o->uses[i];
        CHECK(u->backward == (i >= forward));
        CHECK(u->unit == (i < forward ? i : units - 1 - (i - forward)));
        if (u->backward) CHECK(u->back == i - forward);
    }
    CHECK(o->backs_count == count - forward);
}

/* A fill begins as early as it may: after the release of `from` and of `after`. */
static void slots_hold_what_is_lent(const struct shard_order *o, int depth, bool keep, bool fresh)
{
    int held[UNITS_MOST + 1], slots = keep ? UNITS_MOST : depth + 1, fill = 0;

    for (int i = 0; i < slots; i++) held[i] = fresh ? i : -1;
    for (int use = 0; use < o->uses_count; use++) {
        for (; fill < o->fills_count && o->fills[fill].from < use; fill++) {
            const struct shard_fill *f = &o->fills[fill];
            CHECK(f->slot >= 0 && f->slot < slots);
            CHECK(f->from < f->use && f->after <= f->from);
            CHECK(f->use - f->from - 1 <= depth || f->from == -1);
            for (int i = f->after + 1; i < f->use; i++) CHECK(o->uses[i].slot != f->slot);
            held[f->slot] = f->unit;
        }
        const struct shard_use *u = &o->uses[use];
        CHECK(held[u->slot] == u->unit);
        if (u->fill < 0) CHECK(fresh);
        if (u->fill >= 0) CHECK(o->fills[u->fill].slot == u->slot && o->fills[u->fill].use <= use);
    }
    CHECK(fill == o->fills_count);
}

static void check(shard_pass pass, int units, int depth, bool keep, bool stale)
{
    struct shard_order o;

    if (!CHECK_OK(shard_order_create(pass, units, depth, keep, stale, &o))) return;
    uses_are_as_the_header_says(&o, pass, units);
    slots_hold_what_is_lent(&o, depth, keep, keep && !stale);
    if (keep) {
        CHECK(o.fills_count == (stale ? units : 0));
    } else if (pass == SHARD_PASS_FORWARD) {
        CHECK(o.fills_count == units);
    } else if (units > depth + 1) { /* backward finds the slots' units and gathers the rest */
        CHECK(o.fills_count == units + (units - 1 - depth));
    }
    shard_order_clear(&o);
}

static void it_prints(void)
{
    struct shard_order o;
    char text[1024] = "";
    FILE *f = fmemopen(text, sizeof text, "w");

    if (!CHECK(f != NULL)) return;
    if (CHECK_OK(shard_order_create(SHARD_PASS_TRAIN, 3, 1, false, true, &o)))
        shard_order_print(&o, f);
    fclose(f);
    CHECK(strcmp(text, "  gather  unit 0 -> slot 0\n"
                       "  gather  unit 1 -> slot 1\n"
                       "  acquire unit 0 forward, slot 0\n"
                       "  release unit 0 forward\n"
                       "  gather  unit 2 -> slot 0\n"
                       "  acquire unit 1 forward, slot 1\n"
                       "  release unit 1 forward\n"
                       "  acquire unit 2 backward, slot 0\n"
                       "  release unit 2 backward\n"
                       "  gather  unit 0 -> slot 0\n"
                       "  acquire unit 1 backward, slot 1\n"
                       "  release unit 1 backward\n"
                       "  reduce  unit 2\n"
                       "  acquire unit 0 backward, slot 0\n"
                       "  release unit 0 backward\n"
                       "  reduce  unit 1\n"
                       "  reduce  unit 0\n") == 0);
    if (check_failures > 0) printf("%s", text);
    shard_order_clear(&o);
}

int main(void)
{
    for (int units = 1; units <= UNITS_MOST; units++)
        for (int depth = 0; depth <= DEPTH_MOST && depth < units; depth++)
            for (int pass = 0; pass < 2; pass++) {
                check((shard_pass)pass, units, depth, false, true);
                check((shard_pass)pass, units, depth, true, true);
                check((shard_pass)pass, units, depth, true, false);
            }
    it_prints();
    return check_failures > 0;
}
