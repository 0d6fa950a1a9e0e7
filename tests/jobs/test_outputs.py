#!/usr/bin/env python3
"""What the commands print and write when all is well: plan, metrics, trace, samples, help."""
import json
import math
import pathlib
import subprocess

from harness import (BUILD, CONTEXT, SEQUENCES, SOURCE, check, losses, metrics, pretrain,
                     recua, run_cases, settings)

KEYS = """step tokens_total loss val_loss grad_norm lr step_s tokens_per_s tokens_per_s_per_rank
model_flops_per_s mfu peak_flops_per_s peak_source gather_s reduce_s comm_exposed_s
gather_gbyte_per_s peak_memory_bytes gpu_energy_step_j host_energy_step_j ranks attempt
time_utc""".split()


def metrics_have_their_keys_and_null_for_unknown():
    result = recua("pretrain", "run.yaml", *settings(output="run", steps=3), ranks=2)
    check(result.code == 0, result.err)
    check("mfu = tokens/s" in result.out and "peak measured" in result.out, result.out)
    lines = metrics("run")
    check([list(m) for m in lines] == [KEYS] * 4, "every line has every key, in order")
    check([m["step"] for m in lines] == [0, 1, 2, 3], "step 0 is the untrained model")
    check(lines[0]["loss"] is None and 5 < lines[0]["val_loss"] < 6.5, f"{lines[0]}")
    check(lines[1]["val_loss"] is None and lines[3]["val_loss"] is not None, "evaluated at the end")
    for m in lines[1:]:
        known = [m[k] for k in KEYS if k not in ("val_loss", "gpu_energy_step_j",
                                                 "host_energy_step_j")]
        check(None not in known, f"{m}")
        check(m["gpu_energy_step_j"] is None and m["host_energy_step_j"] is None, f"{m}")
        check(abs(m["mfu"] * m["peak_flops_per_s"] / m["model_flops_per_s"] - 1) < 1e-9, f"{m}")
        check(m["tokens_total"] == m["step"] * SEQUENCES * CONTEXT, f"{m}")
        check(m["peak_source"] == "measured" and m["ranks"] == 2 and m["attempt"] == 1, f"{m}")
    check(pretrain("quiet", steps=1).code == 0, "a run that measures no peak")
    last = metrics("quiet")[-1]
    check(last["mfu"] is None and last["peak_source"] is None, "mfu is unknown then, not 0")


def the_run_file_in_the_directory_is_resolved_and_runs():
    check(pretrain("run", stop_after=3).code == 75, "a run")
    text = pathlib.Path("run/run.yaml").read_text(encoding="utf-8")
    check("beta2: 0.95" in text and "history:" in text, "defaults are spelled out")
    result = recua("pretrain", "run/run.yaml", "--no-peak", "--set", "stop_after=5")
    check(result.code == 75 and max(losses("run")) == 5, f"it goes on from there: {result.err}")


def weights_of_another_run_are_a_beginning():
    check(pretrain("first").code == 0, "a run")
    check(pretrain("second", init="first", steps=1).code == 0, "begun from it")
    before, after = metrics("first")[-1]["val_loss"], metrics("second")[0]["val_loss"]
    check(abs(before - after) < 1e-6 * before, f"held-out loss {after}, was {before}")
    check(metrics("second")[-1]["step"] == 1, "at step 0, with a schedule of its own")


def a_trace_is_written_when_asked_for():
    check(pretrain("run", steps=2, trace="true").code == 0, "a run")
    events = json.loads(pathlib.Path("run/trace.json").read_text(encoding="utf-8"))
    events = events["traceEvents"] if isinstance(events, dict) else events
    check(len(events) > 10, "with events")


def explain_prints_the_schedule_and_does_nothing():
    result = recua("pretrain", "run.yaml", "--explain", *settings(output="run"), ranks=2)
    check(result.code == 0 and "micro-steps" in result.out, result.out + result.err)
    check(not pathlib.Path("run").exists(), "nothing is made")


def plan_needs_no_data_and_says_what_does_not_fit():
    result = recua("plan", SOURCE / "jobs/runs/7b.yaml", "--ranks", 64, "--per-node", 8, "--json",
                   "--mfu", 0.4, "--peak", "312e12")
    check(result.code == 0, result.err)
    plan = json.loads(result.out)
    check(plan["parameters"] == 6738415616, f"{plan['parameters']} parameters")
    check(plan["rank_bytes"] == sum(b["bytes"] for b in plan["buffers"] if b["scope"] == "rank"),
          "buffers add up")
    seconds = 4194304 * (6 * 6607077376 + 12 * 32 * 4096 * 4096) / (64 * 0.4 * 312e12)
    check(abs(plan["step_s"] / seconds - 1) < 1e-9, f"{plan['step_s']} s, not {seconds}")
    half = json.loads(recua("plan", SOURCE / "jobs/runs/7b.yaml", "--ranks", 128, "--per-node", 8,
                            "--json").out)
    for part in ("weights", "optimizer"):
        ratio = plan["classes"][part]["rank_bytes"] / half["classes"][part]["rank_bytes"]
        check(abs(ratio - 2) < 0.01, f"{part} fall as 1/P: {ratio}")
    result = recua("plan", SOURCE / "jobs/runs/70b.yaml", "--ranks", 8, "--device-memory", "80G")
    check(result.code == 70 and "DOES NOT FIT" in result.out, result.out)


def every_run_file_can_be_planned():
    for path in sorted((SOURCE / "jobs/runs").glob("*.yaml")):
        result = recua("plan", path, "--ranks", 8)
        check(result.code == 0 and "total" in result.out, f"{path}: {result.err}")


def generation_repeats_and_knows_its_limits():
    check(pretrain("run").code == 0, "a run")
    say = ["generate", "--checkpoint", "run", "--prompt", "an", "--tokens", 12]
    greedy = [recua(*say, "--temperature", 0).out for _ in range(2)]
    check(greedy[0] == greedy[1] and len(greedy[0]) > 2, f"{greedy}")
    check(recua(*say, "--temperature", 0, ranks=2).out == greedy[0], "two ranks say the same, once")
    warm = [recua(*say, "--seed", s, "--temperature", 1.5).out for s in (1, 1, 2)]
    check(warm[0] == warm[1] and warm[0] != warm[2], f"{warm}")
    lines = recua(*say, "--logprobs", "--temperature", 0).out.strip().split("\n")
    check(all(float(line.split()[1]) <= 0 for line in lines), f"{lines}")
    check(all(math.isfinite(float(line.split()[1])) for line in lines), f"{lines}")
    long = recua("generate", "--checkpoint", "run", "--prompt", "an " * 200)
    check(long.code == 2 and f"context is {CONTEXT}" in long.err, long.err)
    check(recua("generate", "--checkpoint", "run/checkpoints/step-00000010").code == 0,
          "a step directory will do")


def the_page_lists_every_key_of_the_run_file():
    table = subprocess.run([BUILD / "tests/test_runfile", "--keys"], stdout=subprocess.PIPE,
                           check=True).stdout.decode()
    page = (SOURCE / "docs/runfile.md").read_text(encoding="utf-8")
    check(table in page, f"docs/runfile.md must hold this table:\n{table}")


def help_is_everywhere():
    check(recua("--version").out.startswith("recua "), "a version")
    for name in ("", "plan", "pretrain", "generate", "checkpoint", "tokenizer", "data"):
        for option in ("--help", "--usage"):
            result = recua(*name.split(), option)
            check(result.code == 0 and "Usage:" in result.out, f"{name} {option}: {result.out}")


run_cases(metrics_have_their_keys_and_null_for_unknown,
          the_run_file_in_the_directory_is_resolved_and_runs,
          weights_of_another_run_are_a_beginning, a_trace_is_written_when_asked_for,
          explain_prints_the_schedule_and_does_nothing,
          plan_needs_no_data_and_says_what_does_not_fit, every_run_file_can_be_planned,
          generation_repeats_and_knows_its_limits,
          the_page_lists_every_key_of_the_run_file, help_is_everywhere)
