#!/usr/bin/env python3
"""Losses and bits: of any number of ranks, of the same command twice, of a run that was stopped."""
import shutil

from harness import (CONTEXT, SEQUENCES, STEPS, check, checkpoint, losses, metrics, pretrain,
                     run_cases, same_bytes)

TOLERANCE = 2e-6


def apart(a, b):
    """Largest relative distance of two curves over the same steps."""
    if not check(sorted(a) == sorted(b) == list(range(1, STEPS + 1)), "every step has a loss"):
        return 1.0
    return max(abs(a[s] - b[s]) / abs(a[s]) for s in a)


def losses_do_not_depend_on_ranks_nodes_or_modes():
    check(pretrain("one").code == 0, "one rank trains")
    one = losses("one")
    check(one[STEPS] < 0.95 * one[1], f"it learns: {one[1]} to {one[STEPS]}")
    variants = [(ranks, {"shard__mode": mode, "shard__ranks_per_node": per_node})
                for ranks in (2, 3, 4, 7) for mode in ("full", "grads")
                for per_node in (ranks, (ranks + 1) // 2)]  # one pretended node, and two
    variants += [
        (3, {"shard__ranks_per_node": 1, "shard__prefetch": 0}),
        (4, {"shard__ranks_per_node": 1, "shard__algorithm": "ring"}),
        (2, {"recompute": "full", "shard__prefetch": 3}),
        (1, {"batch__micro_sequences": 8}), (1, {"batch__micro_sequences": 1}),
        (1, {"batch__micro_sequences": 4}),
        (2, {"batch__micro_sequences": 1}), (8, {"batch__micro_sequences": 1}),
    ]
    for ranks, keys in variants:
        result = pretrain("many", ranks=ranks, **keys)
        if check(result.code == 0, f"{ranks} ranks {keys} train: {result.err}"):
            d = apart(one, losses("many"))
            check(d <= TOLERANCE, f"{ranks} ranks {keys} are {d} from one rank")
            a, b = metrics("one")[0]["val_loss"], metrics("many")[0]["val_loss"]
            check(abs(a - b) <= TOLERANCE * a, f"held-out loss {b} of {ranks} ranks, {a} of one")
        shutil.rmtree("many", ignore_errors=True)


def the_same_command_gives_the_same_bits():
    for compute in ("fp32", "bf16"):
        a, b = f"a-{compute}", f"b-{compute}"
        for output in (a, b):
            check(pretrain(output, ranks=2, compute=compute).code == 0, f"{output} trains")
        check(losses(a) == losses(b), f"losses in {compute} are the same")
        for step in (10, STEPS):
            check(same_bytes(checkpoint(a, step) / "state.h5", checkpoint(b, step) / "state.h5"),
                  f"checkpoint {step} in {compute} is the same, byte by byte")


def a_stop_and_a_resume_leave_no_trace():
    for ranks in (1, 2):
        whole, parts = f"whole-{ranks}", f"parts-{ranks}"
        check(pretrain(whole, ranks=ranks).code == 0, "the whole run")
        check(pretrain(parts, ranks=ranks, stop_after=7).code == 75, "stopped with 75")
        check(checkpoint(parts, 7).is_dir(), "with a checkpoint of that step")
        result = pretrain(parts, ranks=ranks)
        check(result.code == 0, "the rest")
        check("resumed from step 7" in result.out, result.out)
        check(losses(whole) == losses(parts), "the same losses")
        check(same_bytes(checkpoint(whole, STEPS) / "state.h5",
                         checkpoint(parts, STEPS) / "state.h5"), "the same bytes")


def a_resume_on_other_ranks_sees_the_same_samples():
    check(pretrain("whole", ranks=2).code == 0, "the whole run")
    check(pretrain("parts", ranks=2, stop_after=9).code == 75, "stopped with 75")
    result = pretrain("parts", ranks=3)
    check(result.code == 0, "the rest on three ranks")
    check("resumed from step 9 (saved by 2 ranks, now 3)" in result.out, result.out)
    d = apart(losses("whole"), losses("parts"))
    check(d <= TOLERANCE, f"{d} from the run that was not stopped")
    last = metrics("parts")[-1]
    check(last["ranks"] == 3 and last["attempt"] == 2, f"{last}")
    check(last["tokens_total"] == STEPS * SEQUENCES * CONTEXT, f"{last}")


run_cases(losses_do_not_depend_on_ranks_nodes_or_modes, the_same_command_gives_the_same_bits,
          a_stop_and_a_resume_leave_no_trace, a_resume_on_other_ranks_sees_the_same_samples)
