/* comm/fabric/kind.c - what the node's network is as a whole: the fastest kind that is up, and
 * the rails, the equally fast ports of it */
#include "comm/fabric/impl.h"

#include <math.h>

const char *comm_fabric_kind_name(comm_fabric_kind kind)
{
    switch (kind) {
    case COMM_FABRIC_TCP: return "TCP";
    case COMM_FABRIC_IWARP: return "iWARP";
    case COMM_FABRIC_ROCE_V1: return "RoCE v1";
    case COMM_FABRIC_ROCE_V2: return "RoCE v2";
    case COMM_FABRIC_INFINIBAND: return "InfiniBand";
    default: return "none";
    }
}

bool comm_fabric_is_rdma(const struct comm_fabric *f) { return f->kind > COMM_FABRIC_TCP; }

/* An unknown rate is the slowest. */
static double rate(const struct comm_nic *n)
{
    return isnan(n->rate_gbit_per_s) ? 0 : n->rate_gbit_per_s;
}

static bool usable(const struct comm_nic *n)
{
    return n->state == COMM_NIC_UP && n->kind > COMM_FABRIC_TCP;
}

static const struct comm_nic *fastest(const struct comm_fabric *f, const bool *allowed)
{
    const struct comm_nic *best = NULL;

    for (size_t i = 0; i < f->nic_count; i++) {
        const struct comm_nic *n = &f->nics[i];
        if (!usable(n) || !allowed[i]) continue;
        if (best == NULL || rate(n) > rate(best) || (rate(n) == rate(best) && n->kind > best->kind))
            best = n;
    }
    return best;
}

static bool tcp_is_up(const struct comm_fabric *f)
{
    for (size_t i = 0; i < f->net_count; i++)
        if (f->nets[i].up && f->nets[i].type != COMM_NET_LOOPBACK) return true;
    return false;
}

void comm_fabric_decide(struct comm_fabric *f, const bool *allowed)
{
    const struct comm_nic *best = f->interface[0] == '\0' ? fastest(f, allowed) : NULL;

    if (best == NULL) {
        f->kind = tcp_is_up(f) ? COMM_FABRIC_TCP : COMM_FABRIC_NONE;
        return;
    }
    f->kind = best->kind;
    for (size_t i = 0; i < f->nic_count; i++) {
        const struct comm_nic *n = &f->nics[i];
        if (!usable(n)) continue;
        if (n->kind != best->kind) f->mixed = true;
        if (!allowed[i] || n->kind != best->kind) continue;
        if (rate(n) == rate(best)) f->rails[f->rail_count++] = (int)i;
    }
}
