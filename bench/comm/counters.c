/* bench/comm/counters.c - see counters.h */
#include "bench/comm/counters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/fabric/counters.h"

/* A port of some host on which something moved. */
struct moved {
    char host[64];
    struct comm_counters_port port;
};

struct bench_counters {
    const struct comm_nodes *hosts; /* lent */
    struct comm_counters before, after;
    struct moved *moved; /* owned; rank 0 */
    size_t count;
};

rt_status bench_counters_begin(const struct comm_nodes *hosts, struct bench_counters **out)
{
    const struct comm_reader reader = comm_reader_at("");
    struct bench_counters *c = calloc(1, sizeof *c);

    *out = c;
    RT_TRY(comm_agree(hosts->world,
                      c == NULL ? RT_FAIL(RT_ENOMEM, "no memory for NIC counters") : RT_OK));
    c->hosts = hosts;
    if (hosts->local_rank == 0) comm_counters_read(&reader, &c->before);
    return comm_barrier(hosts->world);
}

static bool has_moved(const struct comm_counters_port *p)
{
    for (int i = 0; i < COMM_COUNTS; i++)
        if (p->known[i] && p->value[i] > 0) return true;
    return false;
}

/* This host's part of the list: malloc'ed, count in *count; NULL is none. */
static rt_status take_moved(struct bench_counters *c, struct moved **out, size_t *count)
{
    const struct comm_reader reader = comm_reader_at("");

    comm_counters_read(&reader, &c->after);
    comm_counters_difference(&c->before, &c->after, &c->after);
    *out = calloc(c->after.count + 1, sizeof **out);
    if (*out == NULL)
        return RT_FAIL(RT_ENOMEM, "no memory for the counters of %zu ports", c->after.count);
    for (size_t i = 0; i < c->after.count; i++) {
        if (!has_moved(&c->after.port[i])) continue;
        struct moved *m = &(*out)[(*count)++];
        m->port = c->after.port[i];
        if (gethostname(m->host, sizeof m->host - 1) != 0) m->host[0] = '?';
    }
    return RT_OK;
}

rt_status bench_counters_end(struct bench_counters *c)
{
    struct comm *world = c->hosts->world;
    struct moved *mine = NULL;
    size_t count = 0, bytes = 0;
    void *all = NULL;
    rt_status st = RT_OK;

    RT_TRY_OUT(comm_barrier(world)); /* the last message has arrived */
    if (c->hosts->local_rank == 0) st = take_moved(c, &mine, &count);
    RT_TRY_OUT(comm_agree(world, st));
    RT_TRY_OUT(comm_gather_bytes(world, 0, mine, count * sizeof *mine, &all, &bytes));
    c->moved = all;
    c->count = bytes / sizeof *mine;
out:
    free(mine);
    return st;
}

void bench_counters_destroy(struct bench_counters **c)
{
    if (*c == NULL) return;
    free((*c)->moved);
    free(*c);
    *c = NULL;
}

void bench_counters_print(const struct bench_counters *c, bool all)
{
    int shown = 0;

    for (size_t i = 0; i < c->count; i++) {
        const struct moved *m = &c->moved[i];
        for (int k = 0; k < COMM_COUNTS; k++) {
            const comm_count count = (comm_count)k;
            if (!m->port.known[k] || m->port.value[k] == 0) continue;
            if (!all && !comm_count_is_trouble(count)) continue;
            if (shown++ == 0) printf("\n# NIC counters that moved meanwhile\n");
            printf("%s %s: %s +%llu%s%s\n", m->host, m->port.name, comm_count_name(count),
                   (unsigned long long)m->port.value[k], comm_count_is_trouble(count) ? ": " : "",
                   comm_count_is_trouble(count) ? comm_count_meaning(count) : "");
        }
    }
    if (shown == 0 && all) printf("\n# no NIC counter is known here, or none has moved\n");
}

json_t *bench_counters_json(const struct bench_counters *c)
{
    json_t *array = json_array();

    for (size_t i = 0; i < c->count; i++) {
        const struct moved *m = &c->moved[i];
        json_t *port = json_pack("{s:s, s:s}", "host", m->host, "port", m->port.name);
        for (int k = 0; k < COMM_COUNTS; k++)
            if (m->port.known[k] && m->port.value[k] > 0)
                json_object_set_new(port, comm_count_name((comm_count)k),
                                    json_integer((json_int_t)m->port.value[k]));
        json_array_append_new(array, port);
    }
    return array;
}
