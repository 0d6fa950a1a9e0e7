/* comm/fabric/place.c - see place.h */
#include "comm/fabric/place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1 << 24 };

/* A variable's whole number, or `unknown`. */
static int number(const struct comm_reader *r, const char *name, int least, int unknown)
{
    const char *text = name != NULL ? comm_reader_env(r, name) : NULL;
    char *end;

    if (text == NULL) return unknown;
    errno = 0;
    long v = strtol(text, &end, 10);
    return errno != 0 || end == text || *end != '\0' || v < least || v > MOST ? unknown : (int)v;
}

/* The node-th entry of Slurm's "8(x3),4": 8 8 8 4; 0 where there is none or it is no list. */
static int entry(const char *list, long node)
{
    while (*list >= '0' && *list <= '9') {
        char *end;
        long tasks = strtol(list, &end, 10), times = 1;
        if (strncmp(end, "(x", 2) == 0) times = strtol(end + 2, &end, 10);
        if (*end == ')') end++;
        if (tasks < 1 || tasks > MOST || times < 1 || times > MOST) return 0;
        if (node < times) return (int)tasks;
        node -= times;
        if (*end != ',') return 0;
        list = end + 1;
    }
    return 0;
}

/* One launcher's variables; NULL: it has none for this. The nearest launcher comes first: an
 * mpirun inside a Slurm job leaves Slurm's variables of its own daemon in sight. */
static const struct launcher {
    const char *sign, *rank, *ranks, *local_rank, *local_ranks, *nodes;
} launchers[] = {
    {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE",
     "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE", NULL},
    {"MPI_LOCALNRANKS", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS", NULL},
    {"SLURM_PROCID", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", NULL,
     "SLURM_STEP_NUM_NODES"},
};

void comm_location_read(const struct comm_reader *r, struct comm_location *out)
{
    *out = (struct comm_location){.rank = -1, .local_rank = -1, .nodes = 1};
    for (size_t i = 0; i < sizeof launchers / sizeof launchers[0]; i++) {
        const struct launcher *l = &launchers[i];
        const char *list = comm_reader_env(r, "SLURM_STEP_TASKS_PER_NODE");
        if (comm_reader_env(r, l->sign) == NULL) continue;
        out->rank = number(r, l->rank, 0, -1);
        out->ranks = number(r, l->ranks, 1, 0);
        out->local_rank = number(r, l->local_rank, 0, -1);
        out->local_ranks = number(r, l->local_ranks, 1, 0);
        if (l->local_ranks == NULL && list != NULL)
            out->local_ranks = entry(list, number(r, "SLURM_NODEID", 0, 0));
        out->nodes = number(r, l->nodes, 1, 1);
        if (out->local_ranks > 0 && out->ranks > out->local_ranks && out->nodes < 2)
            out->nodes = (out->ranks + out->local_ranks - 1) / out->local_ranks;
        /* Where they do not fit together, there are at least so many here. */
        if (out->local_ranks > 0 && out->local_rank >= out->local_ranks)
            out->local_ranks = out->local_rank + 1;
        return;
    }
}
