/* jobs/train/plan_print.c - see plan_print.h */
#include "jobs/train/plan_print.h"

#include "jobs/format.h"
#include "model/model.h"

void plan_add_up(const struct rt_plan *plan, const struct runfile *r,
                 const struct shard_shape *shape, const struct plan_wish *wish,
                 struct plan_sums *out)
{
    const uint64_t local = (uint64_t)shape->local_size;

    *out = (struct plan_sums){0};
    for (size_t i = 0; i < plan->count; i++) {
        const struct rt_plan_entry *e = &plan->entries[i];
        if (e->scope == RT_MEM_PRIVATE)
            out->class_private[e->class_] += e->bytes;
        else
            out->class_node[e->class_] += e->bytes;
    }
    out->rank_bytes = rt_plan_bytes(plan, RT_MEM_PRIVATE);
    out->node_bytes = rt_plan_bytes(plan, RT_MEM_NODE);
    out->share_bytes = out->rank_bytes + (out->node_bytes + local - 1) / local;
    out->job_bytes =
        out->rank_bytes * (uint64_t)shape->size + out->node_bytes * (uint64_t)shape->nodes;
    out->tokens_per_step = (uint64_t)r->batch.global_sequences * (uint64_t)r->model.context;
    out->parameters = model_parameters(&r->model);
    out->flops_per_step =
        (double)out->tokens_per_step * model_flops_per_token(&r->model, r->model.context);
    if (wish->mfu > 0 && wish->peak_flops_per_s > 0)
        out->step_s = out->flops_per_step / (wish->mfu * wish->peak_flops_per_s * shape->size);
    out->fits = wish->device_memory_bytes == 0 || out->share_bytes <= wish->device_memory_bytes;
}

static void print_time(FILE *out, const struct plan_sums *s, const struct runfile *r,
                       const struct shard_shape *shape, const struct plan_wish *wish)
{
    char step[32], whole[32], peak[32];

    if (s->step_s <= 0) return;
    fprintf(out, "a step would take %s at mfu %g of %sflop/s a rank on %d ranks; %llu steps %s\n",
            format_seconds(s->step_s, step, sizeof step), wish->mfu,
            format_count(wish->peak_flops_per_s, peak, sizeof peak), shape->size,
            (unsigned long long)r->steps,
            format_seconds(s->step_s * (double)r->steps, whole, sizeof whole));
}

void plan_print(FILE *out, const struct plan_sums *s, const struct runfile *r,
                const struct shard_shape *shape, const struct plan_wish *wish)
{
    char a[32], b[32], c[32];

    fprintf(out, "model: %s parameters, %d layers, dim %d, context %d, vocabulary %d\n",
            format_count((double)s->parameters, a, sizeof a), r->model.layers, r->model.dim,
            r->model.context, r->model.vocabulary);
    fprintf(out, "step: %d sequences, %s tokens, %sflop; %d ranks, %d node%s of %d\n",
            r->batch.global_sequences, format_count((double)s->tokens_per_step, a, sizeof a),
            format_count(s->flops_per_step, b, sizeof b), shape->size, shape->nodes,
            shape->nodes == 1 ? "" : "s", shape->local_size);
    fprintf(out, "%-12s %14s %16s\n", "memory", "a rank", "shared a node");
    for (int k = 0; k < RT_MEM_CLASSES; k++) {
        if (s->class_private[k] == 0 && s->class_node[k] == 0) continue;
        fprintf(out, "%-12s %14s %16s\n", rt_mem_class_name((rt_mem_class)k),
                format_bytes(s->class_private[k], a, sizeof a),
                s->class_node[k] > 0 ? format_bytes(s->class_node[k], b, sizeof b) : "-");
    }
    fprintf(out, "%-12s %14s %16s\n", "total", format_bytes(s->rank_bytes, a, sizeof a),
            format_bytes(s->node_bytes, b, sizeof b));
    fprintf(out, "a rank with its share of the node's: %s; the whole job: %s\n",
            format_bytes(s->share_bytes, a, sizeof a), format_bytes(s->job_bytes, b, sizeof b));
    if (wish->device_memory_bytes > 0)
        fprintf(out, "%s: %s a rank, the device has %s%s\n", s->fits ? "fits" : "DOES NOT FIT",
                format_bytes(s->share_bytes, a, sizeof a),
                format_bytes(wish->device_memory_bytes, c, sizeof c),
                s->fits ? ""
                        : "; more ranks, recompute: full, shard.mode: full or fewer "
                          "micro_sequences take less");
    print_time(out, s, r, shape, wish);
}

void plan_print_json(FILE *out, const struct rt_plan *plan, const struct plan_sums *s,
                     const struct shard_shape *shape, const struct plan_wish *wish)
{
    fprintf(out, "{\"ranks\": %d, \"nodes\": %d, \"ranks_per_node\": %d, \"parameters\": %llu, ",
            shape->size, shape->nodes, shape->local_size, (unsigned long long)s->parameters);
    fprintf(out, "\"tokens_per_step\": %llu, \"flops_per_step\": %.17g,\n",
            (unsigned long long)s->tokens_per_step, s->flops_per_step);
    fprintf(out,
            " \"rank_bytes\": %llu, \"node_bytes\": %llu, \"rank_share_bytes\": %llu, "
            "\"job_bytes\": %llu,\n \"classes\": {",
            (unsigned long long)s->rank_bytes, (unsigned long long)s->node_bytes,
            (unsigned long long)s->share_bytes, (unsigned long long)s->job_bytes);
    for (int k = 0; k < RT_MEM_CLASSES; k++)
        fprintf(out, "%s\"%s\": {\"rank_bytes\": %llu, \"node_bytes\": %llu}", k > 0 ? ", " : "",
                rt_mem_class_name((rt_mem_class)k), (unsigned long long)s->class_private[k],
                (unsigned long long)s->class_node[k]);
    fputs("},\n \"buffers\": [", out);
    for (size_t i = 0; i < plan->count; i++)
        fprintf(out,
                "%s\n  {\"name\": \"%s\", \"class\": \"%s\", \"scope\": \"%s\", \"bytes\": %llu}",
                i > 0 ? "," : "", plan->entries[i].name, rt_mem_class_name(plan->entries[i].class_),
                plan->entries[i].scope == RT_MEM_PRIVATE ? "rank" : "node",
                (unsigned long long)plan->entries[i].bytes);
    fputs("],\n \"device_memory_bytes\": ", out);
    if (wish->device_memory_bytes > 0)
        fprintf(out, "%llu, \"fits\": %s", (unsigned long long)wish->device_memory_bytes,
                s->fits ? "true" : "false");
    else
        fputs("null, \"fits\": null", out);
    if (s->step_s > 0)
        fprintf(out, ", \"step_s\": %.17g}\n", s->step_s);
    else
        fputs(", \"step_s\": null}\n", out);
}
