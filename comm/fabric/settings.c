/* comm/fabric/settings.c - what is put into the environment for a fabric, and why
 *
 * Transports and components are left out by name ("^dc", "^cm"), never demanded, so a library that
 * lacks one goes on without it.
 */
#include "comm/fabric/impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PATHS = 4 }; /* flows a pair of NICs on Ethernet; UCX 1.13 has room for no more */

static void __attribute__((format(printf, 5, 6)))
set(struct comm_fabric *f, const struct comm_reader *r, const char *name, const char *reason,
    const char *fmt, ...)
{
    const char *users = comm_reader_env(r, name);
    va_list ap;

    if (f->setting_count == COMM_FABRIC_SETTINGS) return; /* the table is made for all there are */
    struct comm_setting *s = &f->settings[f->setting_count++];
    snprintf(s->name, sizeof s->name, "%s", name);
    snprintf(s->reason, sizeof s->reason, "%s", users != NULL ? "the user's" : reason);
    s->users = users != NULL;
    if (users != NULL) {
        snprintf(s->value, sizeof s->value, "%.*s", (int)sizeof s->value - 1, users);
        for (char *c = s->value; *c != '\0'; c++)
            if (*c < ' ' || *c > '~') *c = '?';
        return;
    }
    va_start(ap, fmt);
    vsnprintf(s->value, sizeof s->value, fmt, ap);
    va_end(ap);
}

/* "pml = ^ucx" in the text of one of Open MPI's files: 1 keeps ucx out, 0 lets it in, -1 says
 * nothing. The last line counts. */
static int file_disables(const char *text)
{
    int answer = -1;

    for (const char *at = text; *at != '\0'; at += strcspn(at, "\n"), at += *at == '\n') {
        const char *line = at + strspn(at, " \t");
        if (strncmp(line, "pml", 3) != 0) continue;
        line += 3;
        line += strspn(line, " \t");
        if (*line++ != '=') continue;
        size_t n = strcspn(line, "\n");
        const char *ucx = strstr(line, "ucx");
        bool named = ucx != NULL && ucx < line + n;
        bool out = memchr(line, '^', n) != NULL;
        answer = out ? named : !named;
    }
    return answer;
}

bool comm_fabric_ucx_disabled(const struct comm_reader *r)
{
    const char *home = comm_reader_env(r, "HOME"), *ours = comm_reader_env(r, "OMPI_MCA_pml");
    char text[16384], path[COMM_READER_PATH];
    int answer = -1;

    if (ours != NULL) {
        snprintf(text, sizeof text, "pml=%.200s", ours);
        return file_disables(text) == 1;
    }
    if (home != NULL && strlen(home) < 200) {
        snprintf(path, sizeof path, "%s/.openmpi/mca-params.conf", home);
        if (r->read(r->context, path, text, sizeof text) > 0) answer = file_disables(text);
    }
    if (answer < 0 &&
        r->read(r->context, "/etc/openmpi/openmpi-mca-params.conf", text, sizeof text) > 0)
        answer = file_disables(text);
    return answer == 1;
}

static int paths_of(const struct comm_fabric *f, const struct comm_nic *n)
{
    if (f->kind != COMM_FABRIC_INFINIBAND) return PATHS / (int)f->mine_count;
    int paths = n->lmc > 0 ? 1 << n->lmc : 1;
    if (n->rate_gbit_per_s >= 400 && paths < 2) paths = 2; /* as newer UCX does by itself */
    return paths;
}

static void pin(struct comm_fabric *f, const struct comm_reader *r)
{
    char list[160] = "";
    size_t used = 0;

    for (size_t i = 0; i < f->mine_count && used < sizeof list; i++) {
        const struct comm_nic *n = &f->nics[f->mine[i]];
        int more = snprintf(list + used, sizeof list - used, "%s%s:%d", i > 0 ? "," : "", n->device,
                            n->port);
        if (used + (size_t)more >= sizeof list) { /* a cut name would be nobody's */
            list[used] = '\0';
            break;
        }
        used += (size_t)more;
    }
    set(f, r, "UCX_NET_DEVICES", "each local rank has NICs of its own, the nearest by NUMA", "%s",
        list);
}

static void set_paths(struct comm_fabric *f, const struct comm_reader *r, const struct comm_nic *n)
{
    const bool roce = f->kind != COMM_FABRIC_INFINIBAND;
    int paths = paths_of(f, n), lanes = paths * (int)f->mine_count;

    if (roce)
        set(f, r, "UCX_IB_NUM_PATHS",
            "Ethernet switches place a flow by its UDP port, and UCX has one port a path", "%d",
            paths);
    if (!f->pinned && !roce) return; /* UCX spreads over the NICs by itself */
    set(f, r, "UCX_MAX_RNDV_RAILS",
        lanes > 1 ? "one lane for each path of the rank's NICs"
                  : "the rank keeps to its NIC, others are other ranks'",
        "%d", lanes > COMM_FABRIC_SHARE ? COMM_FABRIC_SHARE : lanes);
}

/* The GID index of all of the rank's NICs, or -1 where they differ or have none. */
static int common_gid(const struct comm_fabric *f)
{
    int index = f->nics[f->mine[0]].gid_index;

    for (size_t i = 1; i < f->mine_count; i++)
        if (f->nics[f->mine[i]].gid_index != index) return -1;
    return index;
}

static void set_transports(struct comm_fabric *f, const struct comm_reader *r,
                           const struct comm_nic *n)
{
    const bool roce = f->kind != COMM_FABRIC_INFINIBAND;

    if (roce && n->driver == COMM_DRIVER_MLX5)
        set(f, r, "UCX_TLS", "dc sends all flows from one UDP port", "^dc");
    if (f->place.ranks == 0 || f->place.ranks > 256)
        set(f, r,
            n->driver == COMM_DRIVER_MLX5 ? "UCX_RC_MLX5_MAX_NUM_EPS" : "UCX_RC_VERBS_MAX_NUM_EPS",
            "above 256 ranks UCX leaves rc, though each rank has few neighbours here", "inf");
    if (!roce) return;
    if (f->pinned && common_gid(f) >= 0)
        set(f, r, "UCX_IB_GID_INDEX",
            f->kind == COMM_FABRIC_ROCE_V1 ? "the GID of RoCE v1, there is none of v2"
            : n->link_local                ? "the GID of RoCE v2, link-local, there is no other"
                                           : "the routable GID of RoCE v2",
            "%d", common_gid(f));
    if (f->kind == COMM_FABRIC_ROCE_V2 && n->traffic_class > 0)
        set(f, r, "UCX_IB_TRAFFIC_CLASS",
            "the administrator's, in sysfs; UCX before 1.21 takes 106 instead", "%d",
            n->traffic_class);
}

/* The user names a device: then it shall be used, whatever its make. */
static bool is_named(const struct comm_reader *r)
{
    const char *ours = comm_reader_env(r, "RECUA_NIC");
    return ours != NULL && strcmp(ours, "all") != 0;
}

/* A large message waits for a handshake that queues behind bulk data the other way; our chunks are
 * small enough to go without one (measured: 75 % of a shared 1 Gbit/s line with it, 97 % without). */
static void set_btl_tcp(struct comm_fabric *f, const struct comm_reader *r, const char *when)
{
    char why[sizeof f->settings[0].reason];

    snprintf(why, sizeof why, "%sone connection is half duplex for large messages", when);
    set(f, r, "OMPI_MCA_btl_tcp_links", why, "2");
    snprintf(why, sizeof why, "%schunks go without a handshake, which waits behind bulk data",
             when);
    set(f, r, "OMPI_MCA_btl_tcp_eager_limit", why, "1048576");
}

static void set_rdma(struct comm_fabric *f, const struct comm_reader *r, const struct comm_nic *n)
{
    const bool ucx = comm_nic_is_mlx(n) || is_named(r);

    if (f->pinned) pin(f, r);
    set_paths(f, r, n);
    set_transports(f, r, n);
    if (ucx && comm_fabric_ucx_disabled(r))
        set(f, r, "OMPI_MCA_pml", "Open MPI's own parameter file keeps UCX out", "^cm");
    if (ucx && !comm_nic_is_picked(n))
        set(f, r, "OMPI_MCA_opal_common_ucx_devices",
            "Open MPI takes UCX by itself only for devices called mlx*", "any");
    if (!ucx) set_btl_tcp(f, r, "as long as MPI is on TCP: ");
}

static void set_tcp(struct comm_fabric *f, const struct comm_reader *r)
{
    set_btl_tcp(f, r, "");
    if (f->interface[0] == '\0') return;
    set(f, r, "OMPI_MCA_btl_tcp_if_include", "RECUA_NIC names it", "%s", f->interface);
    set(f, r, "UCX_NET_DEVICES", "RECUA_NIC names it", "%s", f->interface);
}

void comm_fabric_settle(struct comm_fabric *f, const struct comm_reader *r)
{
    const struct comm_nic *n = f->mine_count > 0 ? &f->nics[f->mine[0]] : NULL;

    if (f->off || f->kind == COMM_FABRIC_NONE) return;
    if (f->kind <= COMM_FABRIC_IWARP)
        set_tcp(f, r);
    else if (n != NULL && n->driver != COMM_DRIVER_OTHER)
        set_rdma(f, r, n);
}
