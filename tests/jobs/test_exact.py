#!/usr/bin/env python3
"""reduce: exact - the same bits on 1, 2, 4 and 8 ranks, on one node and on two, for 50 steps."""
import shutil

from harness import check, checkpoint, metrics, pretrain, run_cases

STEPS = 50
# Three layers, grouped queries; nothing divides by a vector or by the ranks.
SETTINGS = {"model__layers": 3, "model__dim": 60, "model__heads": 6, "model__kv_heads": 2,
            "model__ffn_dim": 53, "model__vocabulary": 331, "model__context": 33,
            "batch__micro_sequences": 1, "checkpoint__interval": 0, "evaluate__interval": 25,
            "evaluate__sequences": 5, "steps": STEPS}


def train(output, ranks, code=0, **keys):
    result = pretrain(output, ranks=ranks, **{**SETTINGS, **keys})
    return check(result.code == code, f"{output}: exit {result.code}, must be {code}: {result.err}")


def bits(number):
    return None if number is None else float(number).hex()


def curve(output):
    """(step, loss, gradient norm, held-out loss), every bit of them."""
    return [(m["step"], bits(m["loss"]), bits(m["grad_norm"]), bits(m["val_loss"]))
            for m in metrics(output)]


def digests(output):
    """{(tensor, array): digest} of the last checkpoint."""
    found, tensor = {}, None
    for line in (checkpoint(output, STEPS) / "MANIFEST").read_text().splitlines():
        words = line.split()
        if words[0] == "tensor":
            tensor = words[1]
        if words[0] == "array":
            found[tensor, words[1]] = words[3]
    return found


def check_same(a, b):
    x, y = curve(a), curve(b)
    check([m[0] for m in x if m[1]] == list(range(1, STEPS + 1)), f"{a} has a loss for every step")
    for one, other in zip(x, y):
        if not check(one == other, f"{b} is {other}, {a} is {one}"):
            break
    check(len(x) == len(y), f"{b} has {len(y)} lines, {a} has {len(x)}")
    x, y = digests(a), digests(b)
    check(len(x) == 3 * (3 + 9 * SETTINGS["model__layers"]), f"{a} has {len(x)} digests")
    check(x == y, f"{b} has other digests: {[k for k in x if x[k] != y.get(k)][:3]}")


def the_same_bits_on_1_2_4_8_ranks(compute):
    train("one", 1, reduce="exact", compute=compute)
    for ranks in (1, 2, 4, 8):
        for mode in ("full", "grads", "hybrid"):
            for nodes in (1, 2):
                if ranks < nodes or (ranks == 1 and mode == "full"):
                    continue
                if mode == "hybrid" and nodes == 1:
                    continue  # that is full
                output = f"{mode}-{ranks}-ranks-{nodes}-nodes"
                if train(output, ranks, reduce="exact", compute=compute, shard__mode=mode,
                         shard__ranks_per_node=ranks // nodes):
                    check_same("one", output)
                shutil.rmtree(output, ignore_errors=True)


def the_same_bits_on_1_2_4_8_ranks_in_fp32():
    the_same_bits_on_1_2_4_8_ranks("fp32")


def the_same_bits_on_1_2_4_8_ranks_in_bf16():
    the_same_bits_on_1_2_4_8_ranks("bf16")


def fast_sums_differ_between_numbers_of_ranks():
    """Else the cases above could not fail."""
    for compute in ("fp32", "bf16"):
        for ranks in (1, 4):
            train(f"{compute}-{ranks}", ranks, reduce="fast", compute=compute)
        check(curve(f"{compute}-1") != curve(f"{compute}-4"), f"{compute}: some bit differs")
        check(digests(f"{compute}-1") != digests(f"{compute}-4"), f"{compute}: some digest differs")


def larger_micro_batches_recomputing_and_a_node_a_rank():
    keys = {"reduce": "exact", "compute": "bf16", "batch__micro_sequences": 2,
            "batch__global_sequences": 16}
    train("one", 1, **keys)
    train("four", 4, recompute="full", shard__prefetch=3, shard__ranks_per_node=1, **keys)
    check_same("one", "four")


def a_run_that_changes_its_ranks_leaves_no_trace():
    train("whole", 1, reduce="exact")
    train("parts", 8, reduce="exact", code=75, stop_after=13)
    train("parts", 2, reduce="exact", code=75, stop_after=29, shard__ranks_per_node=1)
    train("parts", 4, reduce="exact", shard__mode="grads")
    check_same("whole", "parts")


run_cases(the_same_bits_on_1_2_4_8_ranks_in_fp32, the_same_bits_on_1_2_4_8_ranks_in_bf16,
          fast_sums_differ_between_numbers_of_ranks,
          larger_micro_batches_recomputing_and_a_node_a_rank,
          a_run_that_changes_its_ranks_leaves_no_trace)
