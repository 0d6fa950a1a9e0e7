/* tests/comm/fabric/test_fabric.c - comm/fabric/fabric.h: every recorded machine, asserted whole
 *
 *     test_fabric FOLDER    each *.txt in it is a fixture (tree.h); from memory, then as real files
 *
 * What is compared is the whole answer in a short form: describe() below.
 */
#include "comm/fabric/fabric.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/check.h"
#include "tests/comm/fabric/tree.h"

static const char *dash(const char *text) { return text[0] == '\0' ? "-" : text; }

static void whole(FILE *out, const char *name, int v)
{
    if (v < 0)
        fprintf(out, " %s=-", name);
    else
        fprintf(out, " %s=%d", name, v);
}

static void describe_nic(FILE *out, const struct comm_nic *n)
{
    static const char *const states[] = {"up", "down", "nonsense"};

    fprintf(out, "nic %s:%d %s %s %g", n->device, n->port,
            n->kind == COMM_FABRIC_NONE ? "-" : comm_fabric_kind_name(n->kind), states[n->state],
            n->rate_gbit_per_s);
    whole(out, "mtu", n->mtu_bytes);
    fprintf(out, " net=%s gid=", dash(n->netdev));
    if (n->gid_index >= 0)
        fprintf(out, "%d/%s", n->gid_index, n->gid);
    else
        fprintf(out, "%s", dash(n->gid));
    whole(out, "lid", n->lid);
    whole(out, "lmc", n->lmc);
    whole(out, "numa", n->numa);
    whole(out, "tc", n->traffic_class);
    whole(out, "ecn", n->ecn);
    fprintf(out, " driver=%s/%d fw=%s%s%s\n", dash(n->driver_name), (int)n->driver,
            dash(n->firmware), n->reason[0] != '\0' ? " reason=" : "", n->reason);
}

static void describe(FILE *out, const struct comm_fabric *f)
{
    static const char *const types[] = {"physical", "bond", "virtual", "loopback"};

    fprintf(out, "kind %s%s\n", comm_fabric_kind_name(f->kind), f->mixed ? ", mixed" : "");
    for (size_t i = 0; i < f->nic_count; i++) describe_nic(out, &f->nics[i]);
    for (size_t i = 0; i < f->net_count; i++)
        fprintf(out, "net %s %s %s %g mtu=%d\n", f->nets[i].name, types[f->nets[i].type],
                f->nets[i].up ? "up" : "down", f->nets[i].rate_gbit_per_s, f->nets[i].mtu_bytes);
    for (int l = 0; l < f->place.local_ranks; l++) {
        int at[COMM_FABRIC_SHARE];
        size_t n = comm_fabric_choose(f, l, f->place.local_ranks, at);
        if (n > 0) fprintf(out, "rank %d", l);
        for (size_t i = 0; i < n; i++)
            fprintf(out, " %s:%d", f->nics[at[i]].device, f->nics[at[i]].port);
        if (n > 0) fputc('\n', out);
    }
    for (size_t i = 0; i < f->setting_count; i++)
        fprintf(out, "%s %s=%s\n", f->settings[i].users ? "keep" : "set", f->settings[i].name,
                f->settings[i].value);
    for (size_t i = 0; i < f->warning_count; i++)
        fprintf(out, "warn %s: %s\n", f->warnings[i].code, f->warnings[i].text);
}

/* The answer to a tree, malloc'ed. "refused" is RT_EINVAL. */
static char *answer(const struct tree *t, const struct comm_reader *r)
{
    const struct comm_fabric_options options = {
        .reader = r, .ranks = t->ranks, .local_ranks = t->per_node, .local_rank = t->local};
    struct comm_fabric *f = NULL;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    rt_status st = comm_fabric_probe("", &options, &f);
    if (st == RT_OK)
        describe(out, f);
    else
        fprintf(out, "refused %s\n", rt_status_str(st));
    CHECK((f == NULL) == (st != RT_OK));
    fclose(out);
    comm_fabric_destroy(&f);
    return text;
}

/* The first line in which they differ, so that a failure can be read. */
static bool same(const char *name, const char *got, const char *wanted)
{
    if (strcmp(got, wanted) == 0) return true;
    while (*got != '\0' && *got == *wanted) {
        const char *g = strchr(got, '\n'), *w = strchr(wanted, '\n');
        size_t n = g != NULL ? (size_t)(g - got) + 1 : strlen(got);
        if (g == NULL || w == NULL || strncmp(got, wanted, n) != 0) break;
        got += n;
        wanted += n;
    }
    printf("%s\n   got: %.*s\nwanted: %.*s\n", name, (int)strcspn(got, "\n"), got,
           (int)strcspn(wanted, "\n"), wanted);
    return false;
}

/* The files of a folder, the environment of a tree. */
struct both {
    struct comm_reader files, memory;
};

static int read_both(void *context, const char *path, char *text, size_t size)
{
    const struct both *b = context;
    return b->files.read(b->files.context, path, text, size);
}

static int list_both(void *context, const char *path, comm_reader_name *names, int most)
{
    const struct both *b = context;
    return b->files.list(b->files.context, path, names, most);
}

static const char *env_both(void *context, const char *name)
{
    const struct both *b = context;
    return b->memory.env(b->memory.context, name);
}

static void remove_folder(const char *folder)
{
    char command[256];

    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    CHECK(system(command) == 0);
}

static void check_fixture(const char *path)
{
    char folder[] = "/tmp/recua-fabric-XXXXXX";
    struct tree *t = tree_load(path);

    if (!CHECK(t != NULL)) return;
    struct comm_reader memory = tree_reader(t);
    char *text = answer(t, &memory);
    CHECK(same(path, text, t->expect));
    free(text);
    if (CHECK(mkdtemp(folder) != NULL) && tree_unpack(t, folder)) {
        struct both b = {.files = comm_reader_at(folder), .memory = memory};
        const struct comm_reader r = {
            .read = read_both, .list = list_both, .env = env_both, .context = &b};
        text = answer(t, &r);
        CHECK(same(folder, text, t->expect));
        free(text);
    }
    remove_folder(folder);
    tree_destroy(&t);
}

int main(int argc, char **argv)
{
    DIR *d = argc == 2 ? opendir(argv[1]) : NULL;
    int count = 0;

    if (d == NULL) return 2;
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        char path[1024];
        size_t n = strlen(e->d_name);
        if (n < 4 || strcmp(e->d_name + n - 4, ".txt") != 0) continue;
        snprintf(path, sizeof path, "%s/%s", argv[1], e->d_name);
        check_fixture(path);
        count++;
    }
    closedir(d);
    printf("%d fixtures, %d failures\n", count, check_failures);
    CHECK(count >= 20);
    return check_failures > 0;
}
