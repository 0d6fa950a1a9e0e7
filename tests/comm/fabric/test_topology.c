/* tests/comm/fabric/test_topology.c - comm/fabric/topology.h: leaves from a file and from Slurm,
 * the order of ranks */
#include "comm/fabric/topology.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/check.h"

struct world {
    const char *file, *address, *pattern; /* NULL: there is none */
    size_t bytes;                         /* of file; 0: its strlen */
};

static int read_file(void *context, const char *path, char *text, size_t size)
{
    const struct world *w = context;

    if (w->file == NULL || strcmp(path, "/shared/leaves") != 0) return -ENOENT;
    size_t n = w->bytes > 0 ? w->bytes : strlen(w->file);
    if (n > size - 1) n = size - 1;
    memcpy(text, w->file, n);
    text[n] = '\0';
    return (int)n;
}

static int list_none(void *context, const char *path, comm_reader_name *names, int most)
{
    (void)context;
    (void)path;
    (void)names;
    (void)most;
    return -ENOENT;
}

static const char *env(void *context, const char *name)
{
    const struct world *w = context;

    if (strcmp(name, "RECUA_TOPOLOGY") == 0) return w->file != NULL ? "/shared/leaves" : NULL;
    if (strcmp(name, "SLURM_TOPOLOGY_ADDR") == 0) return w->address;
    return strcmp(name, "SLURM_TOPOLOGY_ADDR_PATTERN") == 0 ? w->pattern : NULL;
}

/* Lent until the next call. */
static const char *leaf(struct world w, const char *host, int rail)
{
    static char out[COMM_READER_NAME];
    const struct comm_reader r = {.read = read_file, .list = list_none, .env = env, .context = &w};

    comm_topology_leaf(&r, host, rail, out, sizeof out);
    return out;
}

#define LEAF(wanted, host, rail, ...)                                                              \
    CHECK(strcmp(leaf((struct world){__VA_ARGS__}, host, rail), wanted) == 0)

static void slurm_names_the_leaf_before_the_node(void)
{
    LEAF("s4", "n17", 0, .address = "root.s4.n17", .pattern = "switch.switch.node");
    LEAF("s4", "n17", 3, .address = "s4.n17", .pattern = "switch.node");
    LEAF("b2", "n17", 0, .address = "b2.n17", .pattern = "block.node");
    LEAF("s4", "n17.a.b", 0, .address = "s4.n17.a.b", .pattern = "switch.node");
    LEAF("s[0-1]", "n17", 0, .address = "s[0-1].n17", .pattern = "switch.node");
    /* No topology plug-in, half a pair, pairs that do not fit. */
    LEAF("", "n17", 0, .address = "n17", .pattern = "node");
    LEAF("", "n17", 0, .address = "s4.n17");
    LEAF("", "n17", 0, .pattern = "switch.node");
    LEAF("", "n17", 0, .address = "n17", .pattern = "switch.node");
    LEAF("", "n17", 0, .address = "s4.n17", .pattern = "switch.switch.node");
    LEAF("", "n17", 0, .address = "s4.n17", .pattern = "switch.");
    LEAF("", "n17", 0, .address = "..n17", .pattern = "switch.switch.node");
    LEAF("", "n17", 0, .address = "s\x01.n17", .pattern = "switch.node");
}

static void a_file_names_leaves_by_rail(void)
{
    static const char text[] = "# racks of the north hall\n"
                               "\n"
                               "n17  leaf3 leaf4\t leaf5   # spare\r\n"
                               "  n2 leaf1\n"
                               "n170 leaf9\n"
                               "n30.cluster.example leaf7";

    LEAF("leaf3", "n17", 0, .file = text);
    LEAF("leaf4", "n17", 1, .file = text);
    LEAF("leaf5", "n17", 7, .file = text);
    LEAF("leaf3", "n17.cluster.example", 0, .file = text);
    LEAF("leaf1", "n2", 2, .file = text);
    LEAF("leaf9", "n170", 0, .file = text);
    LEAF("leaf7", "n30", 0, .file = text);
    LEAF("leaf7", "n30.cluster.example", 0, .file = text);
    LEAF("", "n30.other.example", 0, .file = text);
    LEAF("", "n1", 0, .file = text);
    /* The file goes before Slurm; a host that it lacks is Slurm's. */
    LEAF("leaf1", "n2", 0, .file = text, .address = "s4.n2", .pattern = "switch.node");
    LEAF("s4", "n1", 0, .file = text, .address = "s4.n1", .pattern = "switch.node");
}

/* What a damaged file makes the log say. */
static void damaged(const char *text, size_t bytes, const char *wanted)
{
    char path[] = "/tmp/recua-topology-XXXXXX", said[2048] = "";
    int to = mkstemp(path), screen = dup(STDERR_FILENO);

    if (!CHECK(to >= 0 && screen >= 0)) return;
    dup2(to, STDERR_FILENO);
    LEAF("s4", "n2", 0, .file = text, .bytes = bytes, .address = "s4.n2", .pattern = "switch.node");
    dup2(screen, STDERR_FILENO);
    CHECK(pread(to, said, sizeof said - 1, 0) > 0);
    if (!CHECK(strstr(said, "/shared/leaves") != NULL && strstr(said, wanted) != NULL))
        printf("wanted '%s' in: %s", wanted, said);
    unlink(path);
    close(to);
    close(screen);
}

static void a_damaged_file_is_named_and_not_used(void)
{
    char word[200];

    damaged("n1 leaf1\nn2\n", 0, "/shared/leaves:2: a host without a leaf");
    damaged("n2 leaf1\n\nn2 leaf2\n", 0, ":3: a host that stands on line 1 already");
    damaged("n2 leaf1\nn3 leaf\xff\n", 0, ":2: a word is longer than 63 bytes or has odd ones");
    damaged("n2 leaf1\0n3 leaf2\n", 18, "it has NUL bytes in it");
    memset(word, 'x', sizeof word);
    memcpy(word, "n2 ", 3);
    word[sizeof word - 1] = '\0';
    damaged(word, 0, ":1: a word is longer than 63 bytes");
    size_t many = (16 << 20) + 1;
    char *large = malloc(many);
    if (!CHECK(large != NULL)) return;
    memset(large, '\n', many);
    damaged(large, many, "it is larger than 16777216 bytes");
    free(large);
}

/* The order as text: "2 0 1". */
static void ordered(const char *wanted, const struct comm_topology_place *places, size_t count)
{
    int order[32] = {0};
    char got[256] = "";
    size_t used = 0;

    CHECK_OK(comm_topology_order(places, count, order));
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(got + used, sizeof got - used, "%s%d", i > 0 ? " " : "", order[i]);
    if (!CHECK(strcmp(got, wanted) == 0)) printf("got %s, wanted %s\n", got, wanted);
}

static void ranks_go_by_leaf_then_host_then_local_rank(void)
{
    ordered("", NULL, 0);
    ordered("0", (struct comm_topology_place[]){{"a", "", 0}}, 1);
    /* Leaves in natural order, hosts of a leaf as they come. */
    ordered("4 1 0 3 2",
            (struct comm_topology_place[]){{"d", "leaf2", 0},
                                           {"z", "leaf1", 0},
                                           {"a", "leaf10", 0},
                                           {"b", "leaf2", 0},
                                           {"c", "leaf0", 0}},
            5);
    /* Ranks dealt in turn come together on their hosts; unknown leaves are last. */
    ordered("1 4 2 5 0 3",
            (struct comm_topology_place[]){{"a", "", 0},
                                           {"b", "s1", 0},
                                           {"c", "s1", 0},
                                           {"a", "", 1},
                                           {"b", "s1", 1},
                                           {"c", "s1", 1}},
            6);
    /* Local ranks, not ranks, count within a host. */
    ordered("2 1 0", (struct comm_topology_place[]){{"a", "s", 2}, {"a", "s", 1}, {"a", "s", 0}},
            3);
    /* Ranks of a host on leaves of several rails stay together. */
    ordered("0 2 1 3",
            (struct comm_topology_place[]){
                {"a", "s1", 0}, {"b", "s1", 0}, {"a", "s2", 1}, {"b", "s2", 1}},
            4);
    /* Nothing is known: as they were, but for hosts that come together. */
    ordered("0 1 2 3",
            (struct comm_topology_place[]){{"b", "", 0}, {"b", "", 1}, {"a", "", 0}, {"a", "", 1}},
            4);
}

/* splitmix64 */
static uint64_t next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Any bytes are a file or none, never a crash; and a leaf prints. */
static void mutated_files_crash_nothing(void)
{
    static const char text[] = "n17 leaf3 leaf4\n# note\nn2 leaf1\nn3.cluster leaf2\n";
    uint64_t state = 3;
    int null = dup(STDERR_FILENO), used = 0;

    if (!CHECK(null >= 0 && freopen("/dev/null", "w", stderr) != NULL)) return;
    for (int i = 0; i < 20000; i++) {
        char copy[sizeof text];
        size_t bytes = sizeof text - 1 - next(&state) % 8;
        memcpy(copy, text, sizeof text);
        for (size_t k = next(&state) % 4; k > 0; k--)
            copy[next(&state) % (sizeof text - 1)] = (char)next(&state);
        const char *got = leaf((struct world){.file = copy, .bytes = bytes}, "n2", 0);
        for (const char *c = got; *c != '\0'; c++) CHECK(*c > ' ' && *c <= '~');
        used += strcmp(got, "leaf1") == 0;
    }
    dup2(null, STDERR_FILENO);
    CHECK(used > 5000 && used < 20000);
}

int main(void)
{
    slurm_names_the_leaf_before_the_node();
    a_file_names_leaves_by_rail();
    a_damaged_file_is_named_and_not_used();
    ranks_go_by_leaf_then_host_then_local_rank();
    mutated_files_crash_nothing();
    return check_failures > 0;
}
