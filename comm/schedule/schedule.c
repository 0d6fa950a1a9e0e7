/* comm/schedule/schedule.c - building, asking and printing schedules */
#include "comm/schedule/schedule.h"

#include <stdlib.h>

int comm_layout_node(const struct comm_layout *l, int rank)
{
    int low = 0, high = l->nodes - 1; /* the node is in low..high */

    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (l->first[middle] <= rank)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

int comm_layout_local_size(const struct comm_layout *l, int node)
{
    return l->first[node + 1] - l->first[node];
}

bool comm_layout_even(const struct comm_layout *l)
{
    for (int n = 1; n < l->nodes; n++)
        if (comm_layout_local_size(l, n) != comm_layout_local_size(l, 0)) return false;
    return true;
}

/* Room for one more of `bytes` each, or NULL and broken. */
static void *grow(struct comm_schedule *s, void *array, size_t count, size_t *capacity,
                  size_t bytes)
{
    if (s->broken) return NULL;
    if (count < *capacity) return array;
    size_t more = *capacity == 0 ? 16 : 2 * *capacity;
    void *bigger = realloc(array, more * bytes);
    if (bigger == NULL)
        s->broken = true;
    else
        *capacity = more;
    return bigger;
}

void comm_schedule_round(struct comm_schedule *s)
{
    if (s->rounds_count > 0 && s->rounds[s->rounds_count - 1] == s->steps_count) return;
    size_t *rounds = grow(s, s->rounds, s->rounds_count, &s->rounds_capacity, sizeof *rounds);
    if (rounds == NULL) return;
    s->rounds = rounds;
    s->rounds[s->rounds_count++] = s->steps_count;
}

static void use(struct comm_schedule *s, struct comm_place p, size_t count)
{
    size_t *used = p.space == COMM_SPACE_STAGE  ? &s->stage_blocks
                   : p.space == COMM_SPACE_WIRE ? &s->wire_blocks
                                                : NULL;
    const size_t end = p.offset + (count - 1) * p.stride + 1;

    if (used != NULL && *used < end) *used = end;
}

static void add(struct comm_schedule *s, comm_step_kind kind, int peer, struct comm_place at,
                size_t count)
{
    struct comm_step *steps = grow(s, s->steps, s->steps_count, &s->steps_capacity, sizeof *steps);

    if (steps == NULL) return;
    s->steps = steps;
    s->steps[s->steps_count++] = (struct comm_step){
        .kind = kind, .peer = peer, .at = at, .count = count, .source = s->sources_count};
    use(s, at, count);
}

void comm_schedule_send(struct comm_schedule *s, int peer, struct comm_place from, size_t count)
{
    add(s, COMM_STEP_SEND, peer, from, count);
}

void comm_schedule_recv(struct comm_schedule *s, int peer, struct comm_place to, size_t count)
{
    add(s, COMM_STEP_RECV, peer, to, count);
}

void comm_schedule_copy(struct comm_schedule *s, struct comm_place to, struct comm_place from,
                        size_t count)
{
    add(s, COMM_STEP_COPY, -1, to, count);
    comm_schedule_source(s, from);
}

void comm_schedule_reduce(struct comm_schedule *s, struct comm_place to, size_t count)
{
    add(s, COMM_STEP_REDUCE, -1, to, count);
}

void comm_schedule_source(struct comm_schedule *s, struct comm_place from)
{
    struct comm_place *sources =
        grow(s, s->sources, s->sources_count, &s->sources_capacity, sizeof *sources);

    if (sources == NULL) return;
    s->sources = sources;
    s->sources[s->sources_count++] = from;
    struct comm_step *step = &s->steps[s->steps_count - 1];
    step->sources++;
    use(s, from, step->count);
}

rt_status comm_schedule_check(const struct comm_schedule *s)
{
    if (s->broken) return RT_FAIL(RT_ENOMEM, "a schedule of %zu steps", s->steps_count);
    return RT_OK;
}

size_t comm_schedule_round_end(const struct comm_schedule *s, size_t round)
{
    return round + 1 < s->rounds_count ? s->rounds[round + 1] : s->steps_count;
}

size_t comm_schedule_transfers(const struct comm_schedule *s)
{
    size_t most = 0;

    for (size_t r = 0; r < s->rounds_count; r++) {
        size_t n = 0;
        for (size_t i = s->rounds[r]; i < comm_schedule_round_end(s, r); i++)
            n += s->steps[i].peer >= 0;
        if (n > most) most = n;
    }
    return most;
}

size_t comm_schedule_most_sources(const struct comm_schedule *s)
{
    size_t most = 0;

    for (size_t i = 0; i < s->steps_count; i++)
        if ((size_t)s->steps[i].sources > most) most = (size_t)s->steps[i].sources;
    return most;
}

size_t comm_schedule_most_count(const struct comm_schedule *s)
{
    size_t most = 0;

    for (size_t i = 0; i < s->steps_count; i++)
        if (s->steps[i].count > most) most = s->steps[i].count;
    return most;
}

/* "wire[3]", of several blocks "unit[1+8k, k<4]". */
static void print_place(struct comm_place p, size_t count, FILE *out)
{
    static const char *const names[COMM_SPACES] = {"unit", "local", "own", "stage", "wire"};

    fprintf(out, " %s", names[p.space]);
    if (p.space == COMM_SPACE_LOCAL) fprintf(out, " %d", p.buffer);
    if (count == 1)
        fprintf(out, "[%zu]", p.offset);
    else
        fprintf(out, "[%zu+%zuk, k<%zu]", p.offset, p.stride, count);
}

void comm_schedule_print(const struct comm_schedule *s, FILE *out)
{
    static const char *const names[] = {"send", "recv", "copy", "reduce"};

    for (size_t r = 0; r < s->rounds_count; r++) {
        fprintf(out, "round %zu\n", r);
        for (size_t i = s->rounds[r]; i < comm_schedule_round_end(s, r); i++) {
            const struct comm_step *step = &s->steps[i];
            fprintf(out, "  %s", names[step->kind]);
            print_place(step->at, step->count, out);
            if (step->kind == COMM_STEP_SEND) fprintf(out, " to %d", step->peer);
            if (step->kind == COMM_STEP_RECV) fprintf(out, " from %d", step->peer);
            if (step->sources > 0) fprintf(out, " =");
            for (int k = 0; k < step->sources; k++) {
                if (k > 0) fprintf(out, " +");
                print_place(s->sources[step->source + (size_t)k], step->count, out);
            }
            fprintf(out, "\n");
        }
    }
}

void comm_schedule_clear(struct comm_schedule *s)
{
    free(s->steps);
    free(s->sources);
    free(s->rounds);
    *s = (struct comm_schedule){0};
}
