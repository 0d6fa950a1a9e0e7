/* tests/comm/fabric/test_fabric_mutated.c - comm/fabric/fabric.h on damaged trees
 *
 *     test_fabric_mutated FOLDER TREES    mutates the fixtures (tree.h) in memory, from one seed
 *
 * Bytes flip, files end early, grow, change places, hold huge numbers, go missing or cannot be
 * read; names change too, and so does what the user says. Whatever comes of it, the probe gives a
 * well-formed answer, or refuses where the user's word is what is wrong.
 */
#include "comm/fabric/fabric.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/check.h"
#include "tests/comm/fabric/tree.h"

enum { FIXTURES = 64, SCRATCH = 1 << 16, LONG = 6000, JSON_EVERY = 8 };

struct state {
    struct tree *trees[FIXTURES], *now; /* now: the one that is damaged */
    size_t count;
    uint64_t random;
    char scratch[SCRATCH]; /* what the mutations write */
    size_t used;
    bool users; /* the user's word was changed */
    size_t refused, warned;
};

/* splitmix64 */
static uint64_t next(struct state *s)
{
    uint64_t z = (s->random += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t below(struct state *s, size_t n) { return (size_t)(next(s) % n); }

/* A copy that may be written; at most room bytes and a NUL. NULL: no scratch is left. */
static char *copy(struct state *s, const char *text, size_t length)
{
    if (s->used + length + 1 > SCRATCH) return NULL;
    char *to = s->scratch + s->used;
    memcpy(to, text, length);
    to[length] = '\0';
    s->used += length + 1;
    return to;
}

static void set_text(struct state *s, struct tree_entry *e, const char *text)
{
    char *to = copy(s, text, strlen(text));

    if (to == NULL) return;
    e->text = to;
    e->length = strlen(text);
}

static void flip_text(struct state *s, struct tree_entry *e)
{
    char *to = e->length > 0 ? copy(s, e->text, e->length) : NULL;

    if (to == NULL) return;
    to[below(s, e->length)] = (char)next(s);
    e->text = to;
}

static void flip_path(struct state *s, struct tree_entry *e)
{
    char *to = copy(s, e->path, strlen(e->path));
    char byte = (char)next(s);

    if (to == NULL || byte == '\0') return;
    to[1 + below(s, strlen(to) - 1)] = byte;
    e->path = to;
}

static void grow(struct state *s, struct tree_entry *e)
{
    static const char fills[] = "9A\xff -0x,:";
    char *to = s->used + LONG + 1 <= SCRATCH ? s->scratch + s->used : NULL;

    if (to == NULL) return;
    memset(to, fills[below(s, sizeof fills)], LONG); /* the NUL is one of them */
    s->used += LONG;
    e->text = to;
    e->length = 1 + below(s, LONG);
}

static void replace(struct state *s, struct tree_entry *e)
{
    static const char *const texts[] = {"18446744073709551615",
                                        "-9223372036854775808",
                                        "99999999999999999999999",
                                        "0x",
                                        "-",
                                        "",
                                        "0xffffffffffffffffffff",
                                        "4: ACTIVE",
                                        "1: DOWN",
                                        "5: ",
                                        "Ethernet",
                                        "InfiniBand",
                                        "RoCE v2",
                                        "IB/RoCE v1",
                                        "4: RNIC",
                                        "0.0 Gb/sec",
                                        "999999 Gb/sec (4X XDR)",
                                        "1e308 Gb/sec",
                                        "nan",
                                        "0-4095",
                                        "0-999999",
                                        "4095-0",
                                        "10 10 10",
                                        "255",
                                        "0",
                                        "DRIVER=",
                                        "DRIVER=mlx5_core",
                                        "fe80:0000:0000:0000:0000:0000:0000:0001",
                                        "pml=^ucx",
                                        "Global tclass=255",
                                        "772"};

    set_text(s, e, texts[below(s, sizeof texts / sizeof texts[0])]);
}

static void swap(struct state *s, struct tree_entry *e)
{
    struct tree_entry *other = &s->now->entries[below(s, s->now->count)], kept = *other;

    other->text = e->text;
    other->length = e->length;
    e->text = kept.text;
    e->length = kept.length;
}

static void drop(struct state *s, struct tree_entry *e) { *e = s->now->entries[--s->now->count]; }

static void fail(struct state *s, struct tree_entry *e)
{
    static const int errors[] = {EIO, EACCES, EINVAL, ENODEV, ENOTDIR, ENOMEM};
    e->error = errors[below(s, sizeof errors / sizeof errors[0])];
}

static void cut(struct state *s, struct tree_entry *e) { e->length = below(s, e->length + 1); }

static void change_user(struct state *s)
{
    static const char *const words[] = {"RECUA_NIC=all",
                                        "RECUA_NIC=none",
                                        "RECUA_NIC=mlx5_0",
                                        "RECUA_NIC=eth0",
                                        "RECUA_NIC=,,:",
                                        "RECUA_NIC=mlx5_1:1,mlx5_0:1",
                                        "UCX_NET_DEVICES=mlx5_0:1",
                                        "UCX_NET_DEVICES=all",
                                        "UCX_TLS=dc",
                                        "UCX_IB_NUM_PATHS=1",
                                        "UCX_RC_MLX5_MAX_NUM_EPS=7",
                                        "OMPI_MCA_pml=ob1",
                                        "UCX_TLS=\x01\xff",
                                        "OMPI_COMM_WORLD_SIZE=99999999999",
                                        "SLURM_PROCID=x"};
    struct tree *t = s->now;
    const char *word = words[below(s, sizeof words / sizeof words[0])];
    char *to = t->env_count < TREE_ENV ? copy(s, word, strlen(word)) : NULL;

    if (to == NULL) return;
    if (below(s, 4) == 0) to[strcspn(to, "=") + below(s, strlen(to) - strcspn(to, "="))] ^= 1;
    t->env[t->env_count++] = to;
    s->users = true;
}

static void mutate(struct state *s)
{
    static void (*const ways[])(struct state *, struct tree_entry *) = {
        flip_text, flip_text, flip_path, grow, replace, replace, swap, drop, fail, cut};
    size_t times = 1 + below(s, 12);

    for (size_t i = 0; i < times && s->now->count > 1; i++)
        ways[below(s, sizeof ways / sizeof ways[0])](s, &s->now->entries[below(s, s->now->count)]);
    if (below(s, 4) == 0) change_user(s);
    if (below(s, 8) == 0) s->now->per_node = (int)below(s, 300);
    if (s->now->local >= s->now->per_node) s->now->local = 0;
    tree_sort(s->now);
}

/* Ends, and has nothing in it that a terminal or JSON would choke on. */
static bool plain(const char *text, size_t size)
{
    size_t n = strnlen(text, size);

    for (size_t i = 0; i < n; i++)
        if (text[i] < ' ' || text[i] > '~') return false;
    return n < size;
}

#define PLAIN(array) plain((array), sizeof(array))

static bool is_rate(double v) { return isnan(v) || (v > 0 && v <= 1e6); }

static bool good_nic(const struct comm_fabric *f, const struct comm_nic *n)
{
    return PLAIN(n->device) && n->device[0] != '\0' && n->port >= 1 && n->port < 1000 &&
           PLAIN(n->driver_name) && PLAIN(n->reason) && PLAIN(n->netdev) && PLAIN(n->gid) &&
           PLAIN(n->firmware) && n->kind <= COMM_FABRIC_INFINIBAND &&
           n->state <= COMM_NIC_NONSENSE && (n->state == COMM_NIC_UP) == (n->reason[0] == '\0') &&
           is_rate(n->rate_gbit_per_s) && n->mtu_bytes >= -1 && n->mtu_bytes <= 4096 &&
           n->net >= -1 && n->net < (int)f->net_count && n->gid_index >= -1 && n->gid_index < 256 &&
           n->lid >= -1 && n->lid <= 0xffff && n->lmc >= -1 && n->lmc <= 7 && n->numa >= -1 &&
           n->traffic_class >= -1 && n->traffic_class <= 255 && n->ecn >= -1 && n->ecn <= 255;
}

/* A rank's NICs are rails, without one twice. */
static bool good_choice(const struct comm_fabric *f, const int *at, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool rail = false;
        for (size_t k = 0; k < f->rail_count; k++) rail |= f->rails[k] == at[i];
        for (size_t k = 0; k < i; k++) rail &= at[k] != at[i];
        if (!rail) return false;
    }
    return count <= COMM_FABRIC_SHARE && (count > 0) == (f->rail_count > 0);
}

static bool good_rails(const struct comm_fabric *f)
{
    for (size_t i = 0; i < f->rail_count; i++) {
        const struct comm_nic *n = &f->nics[f->rails[i]];
        if (f->rails[i] < 0 || f->rails[i] >= (int)f->nic_count || n->state != COMM_NIC_UP ||
            n->kind != f->kind)
            return false;
    }
    return f->rail_count <= f->nic_count;
}

static void check_answer(struct state *s, const struct comm_fabric *f)
{
    bool good = PLAIN(f->node) && f->nic_count <= COMM_FABRIC_NICS &&
                f->net_count <= COMM_FABRIC_NETS && f->kind <= COMM_FABRIC_INFINIBAND &&
                f->setting_count <= COMM_FABRIC_SETTINGS &&
                f->warning_count <= COMM_FABRIC_WARNINGS && good_rails(f) && f->numa.mine >= -1 &&
                f->numa.mine < COMM_FABRIC_NUMA && good_choice(f, f->mine, f->mine_count);

    for (size_t i = 0; i < f->nic_count; i++) good &= good_nic(f, &f->nics[i]);
    for (size_t i = 0; i < f->net_count; i++)
        good &= PLAIN(f->nets[i].name) && f->nets[i].mtu_bytes >= -1 &&
                f->nets[i].type <= COMM_NET_LOOPBACK && is_rate(f->nets[i].rate_gbit_per_s);
    for (size_t i = 0; i < f->setting_count; i++)
        good &= PLAIN(f->settings[i].name) && PLAIN(f->settings[i].value) &&
                f->settings[i].value[0] != '\0' && PLAIN(f->settings[i].reason);
    for (size_t i = 0; i < f->warning_count; i++)
        good &= PLAIN(f->warnings[i].code) && PLAIN(f->warnings[i].text) &&
                f->warnings[i].text[0] != '\0';
    for (int l = 0; l < f->place.local_ranks && l < 300; l += 7) {
        int at[COMM_FABRIC_SHARE];
        good &= good_choice(f, at, comm_fabric_choose(f, l, f->place.local_ranks, at));
    }
    CHECK(good);
    s->warned += f->warning_count > 0;
}

static void check_pages(const struct comm_fabric *f)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    CHECK_OK(comm_fabric_print_json(out, f));
    fflush(out);
    json_t *page = json_loadb(text, size, 0, NULL);
    CHECK(page != NULL && json_array_size(json_object_get(page, "rdma_ports")) == f->nic_count);
    json_decref(page);
    comm_fabric_print(out, f);
    fclose(out);
    free(text);
}

static void one(struct state *s, size_t number)
{
    struct tree *t = s->now;
    struct comm_fabric *f = NULL;

    memcpy(t, s->trees[below(s, s->count)], sizeof *t);
    s->used = 0;
    s->users = t->env_count > 0;
    mutate(s);
    const struct comm_reader r = tree_reader(t);
    const struct comm_fabric_options options = {
        .reader = &r, .ranks = t->ranks, .local_ranks = t->per_node, .local_rank = t->local};
    rt_status st = comm_fabric_probe("", &options, &f);
    if (st == RT_OK) {
        check_answer(s, f);
        if (number % JSON_EVERY == 0) check_pages(f);
    } else {
        CHECK(st == RT_EINVAL && s->users && f == NULL);
        s->refused++;
    }
    comm_fabric_destroy(&f);
}

static int is_fixture(const struct dirent *e) { return strstr(e->d_name, ".txt") != NULL; }

/* In order of their names: the same mutations everywhere. */
static void load(struct state *s, const char *folder)
{
    struct dirent **found = NULL;
    int count = scandir(folder, &found, is_fixture, alphasort);

    for (int i = 0; i < count; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", folder, found[i]->d_name);
        free(found[i]);
        if (s->count == FIXTURES) continue;
        s->trees[s->count] = tree_load(path);
        if (CHECK(s->trees[s->count] != NULL)) s->count++;
    }
    free(found);
}

int main(int argc, char **argv)
{
    struct state *s = calloc(1, sizeof *s);
    const size_t trees = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    int nowhere = open("/dev/null", O_WRONLY), screen = dup(STDERR_FILENO);

    if (s == NULL || trees == 0 || nowhere < 0 || screen < 0) return 2;
    s->now = calloc(1, sizeof *s->now);
    load(s, argv[1]);
    if (s->now == NULL || s->count < 20) return 2;
    dup2(nowhere, STDERR_FILENO); /* refusals are told there, one each */
    for (size_t i = 0; i < trees; i++) one(s, i);
    dup2(screen, STDERR_FILENO);
    printf("%zu mutated trees of %zu fixtures: %zu refused, %zu with warnings, %d failures\n",
           trees, s->count, s->refused, s->warned, check_failures);
    CHECK(s->refused > 0 && s->refused < trees / 4 && s->warned > trees / 2);
    for (size_t i = 0; i < s->count; i++) tree_destroy(&s->trees[i]);
    free(s->now);
    free(s);
    return check_failures > 0;
}
