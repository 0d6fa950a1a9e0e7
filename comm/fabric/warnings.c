/* comm/fabric/warnings.c - what is there, works, and hurts; what could not be read is said where
 * it is read */
#include "comm/fabric/impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What UCX sends RoCE v2 with, where nobody says otherwise: DSCP 26, ECN on. */
enum { UCX_TRAFFIC_CLASS = 106, DC_ABOVE = 256 };

static const char *users(const struct comm_fabric *f, const char *name)
{
    for (size_t i = 0; i < f->setting_count; i++)
        if (f->settings[i].users && strcmp(f->settings[i].name, name) == 0)
            return f->settings[i].value;
    return "";
}

static bool is_roce(const struct comm_fabric *f)
{
    return f->kind == COMM_FABRIC_ROCE_V1 || f->kind == COMM_FABRIC_ROCE_V2;
}

/* The rails of which test is true, "mlx5_0:1 mlx5_1:1"; false where there is none. */
static bool rails_that(const struct comm_fabric *f, bool (*test)(const struct comm_nic *),
                       char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < f->rail_count; i++) {
        const struct comm_nic *n = &f->nics[f->rails[i]];
        if (!test(n)) continue;
        if (used + sizeof n->device + 24 > size) {
            snprintf(out + used, size - used, " ...");
            break;
        }
        used += (size_t)snprintf(out + used, size - used, "%s%s:%d", used > 0 ? " " : "", n->device,
                                 n->port);
    }
    return out[0] != '\0';
}

static bool small_mtu(const struct comm_nic *n) { return n->mtu_bytes > 0 && n->mtu_bytes <= 1024; }

static bool only_link_local(const struct comm_nic *n) { return n->link_local; }

static bool no_priority(const struct comm_nic *n) { return n->traffic_class == 0; }

/* DSCP's upper three bits are the priority, unless a switch is told otherwise. */
static bool no_ecn(const struct comm_nic *n)
{
    int tclass = n->traffic_class > 0 ? n->traffic_class : UCX_TRAFFIC_CLASS;
    return n->ecn >= 0 && ((n->ecn >> (tclass >> 5)) & 1) == 0;
}

static void judge_ports(struct comm_fabric *f)
{
    bool rail[COMM_FABRIC_NICS] = {false};

    for (size_t i = 0; i < f->rail_count; i++) rail[f->rails[i]] = true;
    for (size_t i = 0; i < f->nic_count; i++) {
        const struct comm_nic *n = &f->nics[i];
        if (n->state == COMM_NIC_DOWN && strncmp(n->reason, "no GID", 6) != 0)
            comm_fabric_warn(f, "port-down", "%s port %d is not up: %s", n->device, n->port,
                             n->reason);
        if (n->state == COMM_NIC_UP && n->kind == f->kind && !rail[i] && f->rail_count > 0 &&
            n->rate_gbit_per_s < f->nics[f->rails[0]].rate_gbit_per_s)
            comm_fabric_warn(f, "slow-rail",
                             "%s port %d runs at %g Gb/s, others at %g: it is left out; look at "
                             "its cable if it should not be slower",
                             n->device, n->port, n->rate_gbit_per_s,
                             f->nics[f->rails[0]].rate_gbit_per_s);
    }
    if (f->mixed)
        comm_fabric_warn(f, "mixed-fabrics",
                         "several kinds of RDMA are up here; ranks use %s alone, at %g Gb/s; "
                         "RECUA_NIC chooses otherwise",
                         comm_fabric_kind_name(f->kind),
                         f->rail_count > 0 ? f->nics[f->rails[0]].rate_gbit_per_s : 0);
}

static void judge_roce(struct comm_fabric *f)
{
    char list[160];

    if (f->kind == COMM_FABRIC_ROCE_V1)
        comm_fabric_warn(f, "roce-v1",
                         "RoCE v1 has no IP header: it crosses no router, and switches cannot mark "
                         "it for congestion; give the interfaces IP addresses for v2");
    if (f->kind == COMM_FABRIC_ROCE_V2 && rails_that(f, only_link_local, list, sizeof list))
        comm_fabric_warn(f, "link-local-gid",
                         "%s: only link-local GIDs, which no router passes on; give the interfaces "
                         "IP addresses",
                         list);
    if (rails_that(f, small_mtu, list, sizeof list))
        comm_fabric_warn(f, "small-mtu",
                         "%s: the interface's MTU makes RoCE send at most 1024 bytes a packet; MTU "
                         "9000 (at least 4192) on NICs and switches makes it 4096",
                         list);
    if (rails_that(f, no_ecn, list, sizeof list))
        comm_fabric_warn(f, "no-ecn",
                         "%s: ECN is off for the priority that RDMA takes, so congestion is "
                         "answered by pauses or loss alone",
                         list);
    if (rails_that(f, no_priority, list, sizeof list))
        comm_fabric_warn(f, "no-priority",
                         "%s: traffic class 0 is forced, so RDMA shares the priority of all other "
                         "traffic and is not lossless",
                         list);
}

static bool dc_alone(const char *transports)
{
    return transports[0] != '^' && strstr(transports, "dc") != NULL &&
           strstr(transports, "rc") == NULL;
}

static void judge_users(struct comm_fabric *f)
{
    const bool dc = dc_alone(users(f, "UCX_TLS"));
    const char *most = users(f, "UCX_RC_MLX5_MAX_NUM_EPS");

    if (is_roce(f) && (dc || strcmp(users(f, "UCX_IB_NUM_PATHS"), "1") == 0 ||
                       (f->mine_count == 1 && strcmp(users(f, "UCX_MAX_RNDV_RAILS"), "1") == 0)))
        comm_fabric_warn(f, "one-path",
                         "with the user's %s all flows of a NIC leave from one UDP port, so "
                         "switches put them on one path",
                         dc                                               ? "UCX_TLS"
                         : strcmp(users(f, "UCX_IB_NUM_PATHS"), "1") == 0 ? "UCX_IB_NUM_PATHS"
                                                                          : "UCX_MAX_RNDV_RAILS");
    if (f->place.ranks > DC_ABOVE &&
        (dc || (most[0] >= '0' && most[0] <= '9' && strtol(most, NULL, 10) < f->place.ranks)))
        comm_fabric_warn(f, "dc-above-256",
                         "with the user's %s these %d ranks talk over dc, which is slower for "
                         "rings; UCX_RC_MLX5_MAX_NUM_EPS=inf keeps rc",
                         dc ? "UCX_TLS" : "UCX_RC_MLX5_MAX_NUM_EPS", f->place.ranks);
}

static const char *setting(const struct comm_fabric *f, const char *name)
{
    for (size_t i = 0; i < f->setting_count; i++)
        if (strcmp(f->settings[i].name, name) == 0) return f->settings[i].value;
    return NULL;
}

/* Will Open MPI take UCX on this device? */
static void judge_pml(struct comm_fabric *f, const struct comm_reader *r, const struct comm_nic *n)
{
    const char *devices = comm_reader_env(r, "OMPI_MCA_opal_common_ucx_devices");
    const bool mlx = comm_nic_is_mlx(n);

    if (comm_fabric_ucx_disabled(r))
        comm_fabric_warn(
            f, "pml-ucx-disabled", "%s keeps Open MPI from UCX, so it would run on TCP%s",
            comm_reader_env(r, "OMPI_MCA_pml") != NULL ? "the user's OMPI_MCA_pml"
                                                       : "openmpi-mca-params.conf (pml = ^ucx)",
            setting(f, "OMPI_MCA_pml") != NULL && comm_reader_env(r, "OMPI_MCA_pml") == NULL
                ? ": OMPI_MCA_pml=^cm is set against it"
                : "; OMPI_MCA_pml=ucx lets it in");
    if (comm_nic_is_picked(n) || devices != NULL) return;
    if (mlx || setting(f, "OMPI_MCA_opal_common_ucx_devices") != NULL)
        comm_fabric_warn(f, "ucx-not-picked",
                         "Open MPI takes UCX by itself only for devices called mlx*, not for %s: "
                         "OMPI_MCA_opal_common_ucx_devices=any is set against it",
                         n->device);
    else
        comm_fabric_warn(f, "ucx-not-picked",
                         "Open MPI does not take UCX for %s and runs on TCP; UCX is little tested "
                         "there, so this is left so; RECUA_NIC=%s makes it try",
                         n->device, n->device);
}

/* A container that was not given the device's files: sysfs shows it, nobody can open it. */
static bool no_device_files(const struct comm_reader *r)
{
    comm_reader_name name[1];

    return r->list(r->context, "/dev", name, 1) > 0 &&
           r->list(r->context, "/dev/infiniband", name, 1) <= 0;
}

void comm_fabric_judge(struct comm_fabric *f, const struct comm_reader *r)
{
    const struct comm_nic *n = f->mine_count > 0 ? &f->nics[f->mine[0]] : NULL;

    judge_ports(f);
    judge_roce(f);
    judge_users(f);
    if (f->kind == COMM_FABRIC_NONE)
        comm_fabric_warn(f, "no-network", "no network interface is up: only one node can be used");
    if (f->kind == COMM_FABRIC_IWARP)
        comm_fabric_warn(f, "iwarp-tcp",
                         "UCX does not drive iWARP: MPI runs on TCP over the same cable");
    if (n == NULL || f->kind <= COMM_FABRIC_IWARP) return;
    if (no_device_files(r))
        comm_fabric_warn(f, "no-device-files",
                         "%s is in /sys, but there is no /dev/infiniband to open it by: give it to "
                         "this container, or MPI stays on TCP",
                         n->device);
    if (n->driver == COMM_DRIVER_OTHER)
        comm_fabric_warn(f, "mpi-decides",
                         "the driver of %s (%s) is not known here: nothing is set, MPI chooses",
                         n->device, n->driver_name[0] != '\0' ? n->driver_name : "unnamed");
    else
        judge_pml(f, r, n);
}
