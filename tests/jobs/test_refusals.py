#!/usr/bin/env python3
"""Bad input: refused before any work, with what is wrong, where, the limit, and the exit code."""
import pathlib
import re
import shutil

from harness import (DATA, RUN_FILE, SEQUENCES, check, checkpoint, pretrain, recua, run_cases,
                     settings)


def refused(result, code, *words):
    check(result.code == code, f"exit {result.code}, must be {code}: {result.err}")
    for word in words:
        check(word in result.err, f"'{word}' is missing in: {result.err}")
    check(not pathlib.Path("run").exists(), "not even the run directory is made")


def with_text(old, new):
    check(old in RUN_FILE, f"the run file has {old}")
    pathlib.Path("bad.yaml").write_text(RUN_FILE.replace(old, new), encoding="utf-8")
    return recua("pretrain", "bad.yaml", "--no-peak")


def at(text):
    """bad.yaml and the line of the run file on which this text begins."""
    return f"bad.yaml:{RUN_FILE[:RUN_FILE.index(text)].count(chr(10)) + 1}: "


def unknown_keys_name_file_line_and_the_nearest():
    refused(with_text("  dim: 32", "  dmi: 32"), 2, at("  dim: 32"), "model.dmi", "'model.dim'")
    refused(with_text("optimizer:", "optimiser:"), 2, at("optimizer:"), "'optimizer'")
    refused(with_text("steps: 20", "learning_rate: 1"), 2, at("steps: 20"),
            "'optimizer.learning_rate'")
    refused(pretrain("run", shard__prefetsh=1), 2, "--set shard.prefetsh=1", "'shard.prefetch'")


def wrong_values_name_the_limit():
    refused(with_text("  dim: 32", "  dim: wide"), 2, at("  dim: 32"), "'wide'", "a whole number from")
    refused(with_text("  dim: 32", "  dim: [1, 2]"), 2, at("  dim: 32"), "a list")
    refused(with_text("steps: 20", "steps: 0"), 2, at("steps: 20"), "from 1 to")
    refused(with_text("compute: fp32", "compute: fp8"), 2, at("compute"), "fp32 or bf16")
    refused(with_text("learning_rate: 3e-3", "learning_rate: -1"), 2, at("  learning_rate"), "'-1'")
    refused(with_text("  interval: 10\n  seq", "  interval: 1.5\n  seq"), 2, at("  interval: 10\n  seq"),
            "'1.5'")
    refused(with_text("steps: 20", "steps: 20\nsteps: 30"), 2, at("compute"), "stands twice")
    refused(with_text("steps: 20", "steps: {"), 2, "bad.yaml:2")
    refused(with_text("steps: 20\n", ""), 2, "steps is missing")
    refused(pretrain("run", checkpoint__keep=1), 2, "checkpoint.keep", "from 2")


def dimensions_that_do_not_fit_together():
    refused(pretrain("run", model__heads=5), 2, "model.heads is 5", "model.dim 32", "run.yaml:2")
    refused(pretrain("run", model__kv_heads=3), 2, "model.kv_heads is 3")
    refused(pretrain("run", model__heads=32), 2, "model.heads 32", "must be even")
    refused(pretrain("run", batch__micro_sequences=9), 2, "batch.micro_sequences is 9", "which is 8")


def token_files():
    tokens = DATA / "tokens.h5"
    pathlib.Path("empty.h5").write_bytes(b"")
    pathlib.Path("short.h5").write_bytes(tokens.read_bytes()[:5000])
    pathlib.Path("foreign.h5").write_text("not a token file\n" * 500, encoding="utf-8")
    refused(pretrain("run", data__file="none.h5"), 3, "none.h5", "jobs/quickstart")
    for name in ("empty.h5", "short.h5", "foreign.h5"):
        refused(pretrain("run", data__file=name), 4, name)
    refused(pretrain("run", data__tokenizer="none.model"), 3, "none.model")
    refused(pretrain("run", data__tokenizer=DATA / "other.model"), 4, "do not belong together")
    refused(pretrain("run", model__vocabulary=300), 4, "vocabulary of 320", "model.vocabulary is 300")
    refused(pretrain("run", model__context=1 << 20), 4, "tokens.h5")


def tokens_beyond_the_vocabulary():
    """A damaged byte is found before the first step, wherever it lies."""
    good = (DATA / "tokens.h5").read_bytes()
    # BOS and then what is no control token, as bytes of uint16. The held-out split lies first.
    token = rb"(?:[\x03-\xff]\0|[\0-\x3f]\x01)"
    begins = [m.start() for m in re.finditer(rb"\x01\0(?=" + token + rb"{20})", good)]
    check(len(begins) > 20, f"{len(begins)} documents are found")
    splits = set()
    for name, place in (("first", begins[0]), ("middle", begins[len(begins) // 2]),
                        ("last", begins[-1])):
        bad = bytearray(good)
        bad[place:place + 2] = b"\x40\x01"  # 320
        pathlib.Path(f"{name}.h5").write_bytes(bad)
        for ranks in (0, 2):
            result = pretrain("run", data__file=f"{name}.h5", ranks=ranks)
            refused(result, 4, f"{name}.h5", "token 320 at place", "beyond the vocabulary of 320")
            splits |= set(re.findall(r"at place \d+ of (\w+) is beyond", result.err))
    check(splits == {"train", "heldout"}, f"in both splits: {splits}")


def weights_are_part_of_the_data():
    two = "[{{file: {0}/tokens.h5, weight: {1}}}, {{file: {0}/other.h5, weight: 1}}]"
    text = "\n".join(line for line in RUN_FILE.split("\n") if "  file:" not in line)
    pathlib.Path("run.yaml").write_text(text, encoding="utf-8")

    def mixed(weight, **keys):
        return pretrain("r", data__sources=two.format(DATA, weight), **keys)

    check(mixed(1, stop_after=2).code == 75, "a run")
    refused(mixed(2), 2, "weight of source", "is 2, was 1")
    pathlib.Path("r/run.yaml").unlink()  # then only the checkpoint knows
    refused(mixed(2), 2, "data", "digest")
    result = mixed(1, stop_after=3)
    check(result.code == 75 and "resumed from step 2" in result.out, result.err)


def more_ranks_than_samples():
    refused(pretrain("run", ranks=9), 2, f"9 ranks, but batch.global_sequences is {SEQUENCES}")


def replicas_want_nodes_of_one_size():
    uneven = pretrain("run", ranks=3, shard__mode="hybrid", shard__ranks_per_node=2)
    refused(uneven, 2, "shard.mode is hybrid", "node 0 has 2, node 1 has 1", "shard.mode to full")
    check(uneven.err.count("shard.mode is hybrid") == 1, f"one rank says it: {uneven.err}")
    refused(recua("plan", "run.yaml", "--ranks", 7, "--per-node", 4, "--set", "shard.mode=hybrid"), 2,
            "shard.mode is hybrid", "node 0 has 4, node 1 has 3")


def exact_sums_want_powers_of_two():
    def exact(ranks=1, **keys):
        return pretrain("run", ranks=ranks, reduce="exact", **keys)

    refused(exact(3), 2, "here are 3", "start 2")
    refused(exact(2, batch__global_sequences=12), 2, "batch.global_sequences 12 is not 2 ranks times "
            "batch.micro_sequences 2", "to 8 or 16")
    refused(exact(2, batch__global_sequences=9), 2, "batch.global_sequences 9")
    refused(exact(2, batch__micro_sequences=8), 2, "batch.micro_sequences 8", "to 16 or 32")
    refused(exact(batch__global_sequences=6), 2, "1 rank times")
    refused(exact(wire="bf16"), 2, "wire is bf16", "set wire to fp32")
    refused(exact(shard__algorithm="ring"), 2, "'ring'", "direct or auto")
    uneven = exact(4, shard__ranks_per_node=3)
    refused(uneven, 2, "node 0 has 3, node 1 has 1", "start 2 a node")
    check(uneven.err.count("node 0 has 3") == 1, f"one rank says it: {uneven.err}")
    for arguments in (["--ranks", 3], ["--ranks", 8, "--per-node", 3],
                      ["--ranks", 2, "--set", "wire=bf16"]):
        refused(recua("plan", "run.yaml", *settings(reduce="exact"), *arguments), 2, "exact",
                "reduce to fast")


def what_is_not_built_yet_says_so_with_3():
    refused(pretrain("run", device="cuda"), 3, "cuda", "not built yet")
    refused(pretrain("run", checkpoint__files="node"), 3, "not built yet")
    for name in ("sft", "reward", "reject", "ppo", "evaluate", "import", "export",
                 "energy", "report"):
        refused(recua(name, "x"), 3, name, "not built yet")


def the_command_line():
    refused(recua(), 2, "command")
    refused(recua("trian"), 2, "'trian'")
    refused(recua("pretrain"), 2, "run file")
    refused(recua("pretrain", "none.yaml"), 3, "none.yaml")
    refused(recua("pretrain", "run.yaml", "--set", "steps"), 2, "--set steps", "key.path=value")
    refused(recua("plan", "run.yaml"), 2, "--ranks")
    refused(recua("plan", "run.yaml", "--ranks", "many"), 2, "'many'")
    refused(recua("generate"), 2, "--checkpoint")
    refused(recua("generate", "--checkpoint", "none"), 3, "none")


def a_launcher_that_mpi_does_not_see():
    result = recua("pretrain", "run.yaml", "--no-peak", env={"SLURM_NTASKS": "2"})
    refused(result, 2, "srun --mpi=pmix", "mpirun")


def output_that_cannot_be_written():
    pathlib.Path("file").write_text("", encoding="utf-8")
    refused(pretrain("file/run"), 1, "file", "choose another output")
    refused(pretrain(""), 2, "output")


def a_run_is_resumed_only_as_the_same_run():
    check(pretrain("r", stop_after=2).code == 75, "a run")
    refused(pretrain("r", seed=7), 2, "seed is 7", "begun with 1")
    refused(pretrain("r", model__layers=3), 2, "model.layers is 3", "begun with 2")
    refused(pretrain("r", data__file=DATA / "other.h5"), 2, "data", "digest", "other.h5")
    refused(pretrain("r", data__file=DATA / "foreign.h5", data__tokenizer=DATA / "other.model"), 2,
            "digest")
    refused(recua("pretrain", "run.yaml", "--new", *settings(output="r")), 2, "--new", "fresh")
    same = pretrain("r", data__file=DATA / "copy.h5", stop_after=3)
    check(same.code == 75, f"the same data under another name: {same.err}")
    check("data.sources" in same.out and "stop_after 3 (was 2)" in same.out, same.out)
    check("stop_after 3 (was 2)" in pathlib.Path("r/run.yaml").read_text(encoding="utf-8"),
          "history keeps it")


def damaged_checkpoints():
    check(pretrain("r", stop_after=2).code == 75, "a run")
    shutil.copytree("r", "flipped")
    state = checkpoint("flipped", 2) / "state.h5"
    raw = bytearray(state.read_bytes())
    raw[raw.index(re.search(rb"[^\0]{64}", raw[len(raw) // 3:])[0])] ^= 1  # within a tensor
    state.write_bytes(raw)
    refused(pretrain("flipped"), 4, "state.h5")
    shutil.copytree("r", "short")
    state = checkpoint("short", 2) / "state.h5"
    state.write_bytes(state.read_bytes()[:-4000])
    refused(pretrain("short"), 4, "state.h5")
    other = pretrain("other", init="r", model__ffn_dim=64)
    refused(other, 4, "another model")


run_cases(unknown_keys_name_file_line_and_the_nearest, wrong_values_name_the_limit,
          dimensions_that_do_not_fit_together, token_files,
          tokens_beyond_the_vocabulary, weights_are_part_of_the_data, more_ranks_than_samples,
          replicas_want_nodes_of_one_size, exact_sums_want_powers_of_two,
          what_is_not_built_yet_says_so_with_3, the_command_line,
          a_launcher_that_mpi_does_not_see,
          output_that_cannot_be_written, a_run_is_resumed_only_as_the_same_run,
          damaged_checkpoints)
