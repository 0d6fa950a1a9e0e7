/* bench/simulate/smpi_main.c - what smpirun starts on every simulated GPU
 *
 *     collectives FABRIC SEED PER_NODE WIRE CHUNK DEPTH OP:ALGORITHM:ELEMENTS...
 *     step        FABRIC SEED PER_NODE WIRE CHUNK DEPTH GATHER REDUCE FILE...
 *
 * FABRIC is a name for the rows printed. CHUNK, bytes, and DEPTH are 0 for the engine's own. Rows
 * of collectives are as in rows.h; a step prints "step FILE SECONDS". Started by
 * bench/simulate/run.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/simulate/smpi_impl.h"

enum { FIRST = 8 }; /* argument behind the common ones */

static rt_status make_nodes(struct simulate_world *w)
{
    const int P = comm_size(w->comm);

    if (w->per_node < 1 || P % w->per_node != 0)
        return RT_FAIL(RT_EINVAL, "%d ranks a node, must divide the %d ranks", w->per_node, P);
    w->nodes = (struct comm_nodes){.world = w->comm,
                                   .node = comm_rank(w->comm) / w->per_node,
                                   .nodes = P / w->per_node,
                                   .local_rank = comm_rank(w->comm) % w->per_node,
                                   .local_size = w->per_node};
    w->nodes.first = calloc((size_t)w->nodes.nodes + 1, sizeof *w->nodes.first);
    if (w->nodes.first == NULL) return RT_FAIL(RT_ENOMEM, "a table of %d nodes", w->nodes.nodes);
    for (int n = 0; n <= w->nodes.nodes; n++) w->nodes.first[n] = n * w->per_node;
    return RT_OK;
}

static rt_status run_collective(struct simulate_world *w, const char *spec)
{
    struct simulate_row r = {
        .ranks = comm_size(w->comm), .per_node = w->per_node, .seed = w->seed, .solver = "smpi"};

    if (sscanf(spec, "%7[^:]:%47[^:]:%lf", r.op, r.algorithm, &r.elements) != 3 ||
        !(r.elements >= 1))
        return RT_FAIL(RT_EINVAL, "'%s' must be OP:ALGORITHM:ELEMENTS", spec);
    snprintf(r.fabric, sizeof r.fabric, "%s", w->fabric);
    snprintf(r.wire, sizeof r.wire, "%s", rt_dtype_name(w->wire));
    RT_TRY(simulate_time_collective(w, r.op, r.algorithm, (size_t)r.elements, &r.seconds));
    if (comm_rank(w->comm) == 0) simulate_row_write(&r, stdout);
    fflush(stdout);
    return RT_OK;
}

static rt_status run_step(struct simulate_world *w, const char *gather, const char *reduce,
                          const char *path)
{
    struct simulate_step s;
    double seconds = 0;

    RT_TRY(simulate_step_read(path, &s));
    const rt_status st = simulate_time_step(w, &s, gather, reduce, &seconds);
    if (st == RT_OK && comm_rank(w->comm) == 0) printf("step %s %.9g\n", path, seconds);
    simulate_step_clear(&s);
    return st;
}

static rt_status run(struct simulate_world *w, int argc, char **argv)
{
    const bool step = strcmp(argv[1], "step") == 0;

    if (!step && strcmp(argv[1], "collectives") != 0)
        return RT_FAIL(RT_EINVAL, "'%s' must be collectives or step", argv[1]);
    if (argc < FIRST + (step ? 3 : 1)) return RT_FAIL(RT_EINVAL, "nothing to simulate");
    RT_TRY(make_nodes(w));
    for (int i = FIRST + (step ? 2 : 0); i < argc; i++)
        RT_TRY(step ? run_step(w, argv[FIRST], argv[FIRST + 1], argv[i])
                    : run_collective(w, argv[i]));
    return RT_OK;
}

int main(int argc, char **argv)
{
    const struct comm_start_options start = {.thread = false, .blocking = true};
    struct simulate_world w = {0};

    if (argc < FIRST) return rt_status_exit(RT_FAIL(RT_EINVAL, "see bench/simulate/smpi_main.c"));
    w.fabric = argv[2];
    w.seed = (unsigned)strtoul(argv[3], NULL, 10);
    w.per_node = atoi(argv[4]);
    w.wire = strcmp(argv[5], "bf16") == 0 ? RT_BF16 : RT_F32;
    w.chunk_bytes = strtoull(argv[6], NULL, 10);
    w.depth = atoi(argv[7]);
    rt_status st = comm_start(&start, &argc, &argv, &w.comm);
    if (st != RT_OK) return rt_status_exit(st);
    st = run(&w, argc, argv);
    if (st != RT_OK) comm_abort(w.comm, rt_status_exit(st));
    free(w.nodes.first);
    comm_finish(&w.comm);
    return 0;
}
