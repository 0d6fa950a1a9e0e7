#!/usr/bin/env python3
"""shard.mode: hybrid - the losses of full sharding, the same checkpoints, the same bits again."""
import json
import pathlib
import shutil

from harness import (STEPS, check, checkpoint, losses, metrics, pretrain, recua, run_cases,
                     same_bytes, settings)

TOLERANCE = 2e-6


def train(output, ranks, per_node, mode="hybrid", code=0, **keys):
    result = pretrain(output, ranks=ranks, shard__mode=mode, shard__ranks_per_node=per_node, **keys)
    check(result.code == code, f"{output}: exit {result.code}, must be {code}: {result.err}")
    return result


def column(output, key):
    """step -> value, the newest attempt's."""
    return {m["step"]: m[key] for m in metrics(output) if m[key] is not None}


def check_near(a, b, what, steps=STEPS):
    for key, least in (("loss", 1), ("grad_norm", 1), ("val_loss", 0)):
        x, y = column(a, key), column(b, key)
        check(sorted(x) == sorted(y) and min(x) == least and max(x) == steps, f"{what}: {key} stands")
        far = max(abs(x[s] - y[s]) / abs(x[s]) for s in x)
        # A norm is no mean over tokens: its rounding does not average out.
        limit = TOLERANCE * (10 if key == "grad_norm" else 1)
        check(far <= limit, f"{what}: {key} is {far} apart")


def hybrid_equals_full_on_nodes_of_2_and_3_ranks():
    for ranks, per_node in ((4, 2), (6, 3), (6, 2)):
        for micro, prefetch in ((2, 1), (1, 0), (1, 3)):  # of 6 ranks some are idle at times
            keys = {"batch__micro_sequences": micro, "shard__prefetch": prefetch}
            train("full", ranks, per_node, "full", **keys)
            train("hybrid", ranks, per_node, **keys)
            check_near("full", "hybrid", f"{ranks} ranks, {per_node} a node, {keys}")
            for output in ("full", "hybrid"):
                shutil.rmtree(output, ignore_errors=True)


def many_micro_steps_clipping_and_every_algorithm():
    keys = {"batch__global_sequences": 24, "batch__micro_sequences": 1, "optimizer__clip": 0.5,
            "recompute": "full"}
    train("full", 4, 2, "full", **keys)
    for algorithm in ("direct", "ring"):
        train(algorithm, 4, 1, shard__algorithm=algorithm, **keys)
        check_near("full", algorithm, f"four nodes of a rank, {algorithm}")
    check(max(column("full", "grad_norm").values()) > 0.5, "some gradient is clipped")


def a_run_may_change_its_mode_where_it_resumes():
    train("whole", 2, 2, "full")
    for output, saved, resumed in (("to-full", (4, 2, "hybrid"), (3, 3, "full")),
                                   ("to-hybrid", (3, 2, "full"), (6, 3, "hybrid")),
                                   ("to-other", (6, 3, "hybrid"), (4, 2, "hybrid")),
                                   ("to-grads", (4, 1, "hybrid"), (2, 1, "grads"))):
        train(output, *saved, code=75, stop_after=9)
        result = recua("checkpoint", "verify", output)
        check(result.code == 0, f"{output}: what {saved} saved verifies: {result.out} {result.err}")
        result = train(output, *resumed)
        check(f"resumed from step 9 (saved by {saved[0]} ranks" in result.out, result.out)
        check_near("whole", output, f"{saved}, then {resumed}")
    result = recua("generate", "--checkpoint", "to-other", "--prompt", "a", "--tokens", "3")
    check(result.code == 0, f"{result.err}")


def the_same_command_gives_the_same_bits():
    for wire, compute in (("fp32", "fp32"), ("bf16", "bf16")):
        a, b = f"a-{wire}", f"b-{wire}"
        for output in (a, b):
            train(output, 4, 2, wire=wire, compute=compute, batch__micro_sequences=1)
        check(losses(a) == losses(b), f"losses, wire {wire}")
        for step in (10, STEPS):
            check(same_bytes(checkpoint(a, step) / "state.h5", checkpoint(b, step) / "state.h5"),
                  f"checkpoint {step}, wire {wire}, byte by byte")


def a_stop_and_a_resume_leave_no_trace():
    train("whole", 4, 2)
    train("parts", 4, 2, code=75, stop_after=7)
    resolved = pathlib.Path("parts/run.yaml").read_text(encoding="utf-8")
    check("on 4 ranks of 2 nodes, replicas" in resolved, resolved)
    train("parts", 4, 2)
    check(resolved.split("chosen:")[1].split("\n")[0] in
          pathlib.Path("parts/run.yaml").read_text(encoding="utf-8"), "what was chosen is kept")
    check(losses("whole") == losses("parts"), "the same losses")
    check(same_bytes(checkpoint("whole", STEPS) / "state.h5",
                     checkpoint("parts", STEPS) / "state.h5"), "the same bytes")


def what_was_chosen_yields_to_another_kind_of_sums():
    """Little data goes whole, which is no tree; a ring of four nodes would round in bf16."""
    train("exact", 4, 2, code=75, stop_after=2)
    train("exact", 4, 2, code=75, stop_after=4, reduce="exact")
    train("wire", 4, 1, code=75, stop_after=2, shard__algorithm="ring")
    train("wire", 4, 1, code=75, stop_after=4, wire="bf16")
    for output, had, has in (("exact", "whole", "direct"), ("wire", "ring", None)):
        text = pathlib.Path(output, "run.yaml").read_text(encoding="utf-8")
        chosen = text.split("chosen:")[1].split("\n")[0]
        check(f"reduce {had} " not in chosen and (has is None or f"reduce {has} " in chosen), chosen)


def metrics_and_the_schedule_are_whole():
    train("run", 4, 2, steps=3)
    unknown = {"val_loss", "mfu", "peak_flops_per_s", "peak_source", "gpu_energy_step_j",
               "host_energy_step_j"}
    for m in metrics("run")[1:]:
        null = {key for key in m if m[key] is None}
        check(null <= unknown, f"{null} of step {m['step']} are null")
        check(m["gather_s"] > 0 and m["reduce_s"] > 0 and m["peak_memory_bytes"] > 0, f"{m}")
    result = recua("pretrain", "run.yaml", "--explain", *settings(
        output="none", shard__mode="hybrid", shard__ranks_per_node=2), ranks=4)
    check("2 replicas, each sharded over 2 ranks" in result.out, result.out)
    check("last micro-step: allreduce_own of" in result.out, result.out)


def the_plan_grows_with_the_replicas():
    def plan(mode):
        result = recua("plan", "run.yaml", "--ranks", 6, "--per-node", 2, "--json",
                       "--set", f"shard.mode={mode}")
        check(result.code == 0, result.err)
        return {b["name"]: b["bytes"] for b in json.loads(result.out)["buffers"]}

    full, hybrid = plan("full"), plan("hybrid")
    for name in ("shard/master", "shard/gradients", "optim/exp_avg", "optim/exp_avg_sq"):
        check(hybrid[name] == 3 * full[name], f"{name}: {hybrid[name]}, {full[name]} in full")


run_cases(hybrid_equals_full_on_nodes_of_2_and_3_ranks,
          many_micro_steps_clipping_and_every_algorithm,
          a_run_may_change_its_mode_where_it_resumes, the_same_command_gives_the_same_bits,
          a_stop_and_a_resume_leave_no_trace, what_was_chosen_yields_to_another_kind_of_sums,
          metrics_and_the_schedule_are_whole,
          the_plan_grows_with_the_replicas)
