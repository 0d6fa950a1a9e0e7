/* comm/network.c - see network.h */
#include "comm/network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/fabric/fabric.h"

/* Gb/s of all NICs that jobs use, or of the fastest likely interface; 0 unknown. */
static double rate_of(const struct comm_fabric *f)
{
    double sum = 0, fastest = 0;

    for (size_t i = 0; i < f->rail_count; i++) sum += f->nics[f->rails[i]].rate_gbit_per_s;
    if (f->rail_count > 0) return isnan(sum) ? 0 : sum;
    for (size_t i = 0; i < f->net_count; i++) {
        const struct comm_net *n = &f->nets[i];
        const bool named = f->interface[0] != '\0' && strcmp(f->interface, n->name) == 0;
        const bool likely =
            f->interface[0] == '\0' && (n->type == COMM_NET_PHYSICAL || n->type == COMM_NET_BOND);
        if (n->up && (named || likely) && n->rate_gbit_per_s > fastest)
            fastest = n->rate_gbit_per_s;
    }
    return fastest;
}

static const char *name_of(comm_fabric_kind kind)
{
    if (kind == COMM_FABRIC_INFINIBAND) return "ib";
    return kind == COMM_FABRIC_ROCE_V1 || kind == COMM_FABRIC_ROCE_V2 ? "roce" : "tcp";
}

rt_status comm_network_probe(struct comm_network *out)
{
    struct comm_fabric *f = NULL;

    RT_TRY(comm_fabric_probe("", NULL, &f));
    *out = (struct comm_network){.gbit_per_s = rate_of(f)};
    memcpy(out->kind, name_of(f->kind), strlen(name_of(f->kind)));
    comm_fabric_destroy(&f);
    return RT_OK;
}

rt_status comm_network_share(struct comm *world, struct comm_network *out)
{
    *out = (struct comm_network){.gbit_per_s = 0};
    RT_TRY(comm_agree(world, comm_rank(world) == 0 ? comm_network_probe(out) : RT_OK));
    return comm_bcast(world, 0, out, sizeof *out);
}

rt_status comm_network_tuning(struct comm *world, const struct comm_network *n, const char *path,
                              struct comm_tuning **out)
{
    struct comm_tuning *t = NULL;
    char machine[sizeof t->machine] = "", *text = NULL;
    size_t bytes = 0;
    rt_status st = RT_OK;

    *out = NULL;
    if (path == NULL || path[0] == '\0') return RT_OK;
    comm_tuning_machine(comm_library(world), n->kind, n->gbit_per_s, machine, sizeof machine);
    if (comm_rank(world) == 0) st = comm_tuning_read(path, machine, &t);
    if (st == RT_OK && t != NULL) st = comm_tuning_text(t, &text);
    RT_TRY_OUT(comm_agree(world, st));
    if (text != NULL) bytes = strlen(text);
    RT_TRY_OUT(comm_bcast(world, 0, &bytes, sizeof bytes));
    if (bytes == 0) goto out; /* ignored: the warning has said why */
    if (text == NULL) text = malloc(bytes + 1);
    RT_TRY_OUT(comm_agree(world, text == NULL ? RT_ENOMEM : RT_OK));
    RT_TRY_OUT(comm_bcast(world, 0, text, bytes));
    /* A node of another kind of processor has another name: what rank 0 took is taken by all. */
    RT_TRY_OUT(comm_bcast(world, 0, machine, sizeof machine));
    if (t == NULL) st = comm_tuning_parse(text, bytes, path, machine, &t);
    RT_TRY_OUT(comm_agree(world, st));
    *out = t;
    t = NULL; /* the caller's now */
out:
    comm_tuning_destroy(&t);
    free(text);
    return st;
}
