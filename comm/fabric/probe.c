/* comm/fabric/probe.c - the probe as a whole, and its small helpers */
#include "comm/fabric/impl.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void comm_fabric_warn(struct comm_fabric *f, const char *code, const char *fmt, ...)
{
    const bool full = f->warning_count == COMM_FABRIC_WARNINGS;
    struct comm_warning *w = &f->warnings[full ? COMM_FABRIC_WARNINGS - 1 : f->warning_count];
    va_list ap;

    if (full) {
        snprintf(w->code, sizeof w->code, "too-many");
        snprintf(w->text, sizeof w->text, "more than %d warnings: the rest is left out",
                 COMM_FABRIC_WARNINGS);
        return;
    }
    snprintf(w->code, sizeof w->code, "%s", code);
    va_start(ap, fmt);
    vsnprintf(w->text, sizeof w->text, fmt, ap);
    va_end(ap);
    for (char *c = w->text; *c != '\0'; c++) /* names in the tree may be anything */
        if (*c < ' ' || *c > '~') *c = '?';
    f->warning_count++;
}

bool comm_fabric_integer(struct comm_fabric *f, const struct comm_reader *r, const char *path,
                         long long least, long long most, int *out)
{
    char text[COMM_READER_LINE];
    long long v = 0;
    comm_read got = comm_reader_integer(r, path, least, most, &v, text);

    if (got == COMM_READ_UNREADABLE) comm_fabric_warn(f, "unreadable", "%s cannot be read", path);
    if (got == COMM_READ_NONSENSE)
        comm_fabric_warn(f, "nonsense", "%s is '%.80s', must be a whole number from %lld to %lld",
                         path, text, least, most);
    if (got == COMM_READ_OK) *out = (int)v;
    return got == COMM_READ_OK;
}

bool comm_fabric_line(struct comm_fabric *f, const struct comm_reader *r, const char *path,
                      char *out, size_t size)
{
    comm_read got = comm_reader_line(r, path, out, size);

    if (got == COMM_READ_UNREADABLE) comm_fabric_warn(f, "unreadable", "%s cannot be read", path);
    return got == COMM_READ_OK;
}

bool comm_fabric_name_is_odd(const char *name)
{
    static const char good[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:@";
    size_t n = strspn(name, good);

    return n == 0 || name[n] != '\0' || n + 1 >= COMM_READER_NAME || name[0] == '.';
}

/* Where the rank is: the launcher's word, unless the caller knows better. */
static void place(struct comm_fabric *f, const struct comm_reader *r,
                  const struct comm_fabric_options *o)
{
    comm_location_read(r, &f->place);
    if (o->ranks > 0) f->place.ranks = o->ranks;
    if (o->local_ranks > 0) {
        f->place.local_ranks = o->local_ranks;
        f->place.local_rank = o->local_rank;
    }
    if (o->ranks > 0 && f->place.local_ranks > 0)
        f->place.nodes = (o->ranks + f->place.local_ranks - 1) / f->place.local_ranks;
}

rt_status comm_fabric_probe(const char *root, const struct comm_fabric_options *options,
                            struct comm_fabric **out)
{
    const struct comm_fabric_options none = {0}, *o = options != NULL ? options : &none;
    const struct comm_reader machine = comm_reader_at(root);
    const struct comm_reader *r = o->reader != NULL ? o->reader : &machine;
    struct comm_fabric *f = calloc(1, sizeof *f);
    bool allowed[COMM_FABRIC_NICS] = {false};
    rt_status st = RT_OK;

    *out = NULL;
    if (f == NULL) return RT_FAIL(RT_ENOMEM, "%zu bytes for the network's probe", sizeof *f);
    (void)comm_reader_line(r, "/proc/sys/kernel/hostname", f->node, sizeof f->node);
    place(f, r, o);
    comm_fabric_read_nets(f, r);
    comm_fabric_read_numa(f, r);
    comm_fabric_read_nics(f, r);
    RT_TRY_OUT(comm_fabric_wish(f, r, allowed));
    comm_fabric_decide(f, allowed);
    /* One rank of one, where nothing is known of the others. */
    f->mine_count = f->place.local_ranks > 0
                        ? comm_fabric_choose(f, f->place.local_rank, f->place.local_ranks, f->mine)
                        : comm_fabric_choose(f, 0, 1, f->mine);
    comm_fabric_settle(f, r);
    comm_fabric_judge(f, r);
    *out = f;
    f = NULL; /* the caller's now */
out:
    comm_fabric_destroy(&f);
    return st;
}

void comm_fabric_destroy(struct comm_fabric **f)
{
    free(*f);
    *f = NULL;
}
