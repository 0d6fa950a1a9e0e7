#!/usr/bin/env python3
"""kill -9 of a rank at twenty moments of a run's second and later saves: it resumes, to the same bits.

tests/checkpoint/faultfs.c counts a rank's file operations in the run directory and kills it instead
of the n-th. The moments are spread over all of them, half of them rank 0's, half of them rank 1's.
"""
import os
import pathlib
import re
import shutil

from harness import (BUILD, check, checkpoint, losses, recua, run_cases, same_bytes, settings)

MOMENTS, RANKS, INTERVAL, LAST = 20, 2, 2, 8
SHIM = BUILD / "tests/faultfs.so"


def run(output, steps=LAST, **fault):
    """From its beginning or its newest checkpoint, on two ranks, with a save every two steps."""
    env = {"OMPI_MCA_odls_base_sigkill_timeout": "0"}  # the other rank need not be asked politely
    if fault:
        env |= {"LD_PRELOAD": str(SHIM), "FAULT_DIR": output, "FAULT_KIND": "kill",
                **{f"FAULT_{name.upper()}": str(value) for name, value in fault.items()}}
    return recua("pretrain", "run.yaml", "--no-peak",
                 *settings(output=output, steps=steps, checkpoint__interval=INTERVAL,
                           evaluate__interval=0), ranks=RANKS, env=env)


def operations(rank, steps):
    """How many a rank does in the run directory in a run of so many steps."""
    output = f"{os.getcwd()}/counted"
    result = run(output, steps, rank=rank, at=0, count=f"{os.getcwd()}/count")
    check(result.code == 0, f"a run that is counted: {result.err}")
    shutil.rmtree(output)
    return int(pathlib.Path("count").read_text(encoding="utf-8"))


def committed(output):
    return sorted(int(p.name[5:]) for p in pathlib.Path(output, "checkpoints").glob("step-*"))


def dies_and_resumes(rank, at, whole):
    output, moment = f"{os.getcwd()}/killed", f"rank {rank}, killed at operation {at}"
    shutil.rmtree(output, ignore_errors=True)
    check(run(output, rank=rank, at=at).code != 0, f"{moment}: dies")
    steps = committed(output)
    check(steps and steps[0] >= INTERVAL, f"{moment}: a checkpoint stands: {steps}")
    for step in steps:
        result = recua("checkpoint", "verify", checkpoint(output, step))
        check(result.code == 0, f"{moment}: step {step} verifies: {result.out}{result.err}")
    result = run(output)
    check(result.code == 0, f"{moment}: goes on, not exit {result.code}: {result.err}")
    resumed = re.search(r"resumed from step (\d+) ", result.out)
    check(resumed and int(resumed[1]) == steps[-1], f"{moment}: from step {steps}: {result.out}")
    check(losses(output) == losses(whole), f"{moment}: the same losses")
    check(same_bytes(checkpoint(output, LAST) / "state.h5", checkpoint(whole, LAST) / "state.h5"),
          f"{moment}: the same bytes")
    return steps[-1]


def a_rank_killed_in_a_save_costs_no_more_than_the_steps_since():
    whole = f"{os.getcwd()}/whole"
    check(run(whole).code == 0, "the whole run")
    check(committed(whole)[-1] == LAST, "with its last checkpoint")
    resumed = set()
    for rank in range(RANKS):
        first, last = operations(rank, INTERVAL), operations(rank, LAST)
        each = MOMENTS // RANKS
        check(last - first >= each, f"rank {rank}: {last - first} operations to die at")
        resumed |= {dies_and_resumes(rank, first + 1 + i * (last - first - 1) // (each - 1), whole)
                    for i in range(each)}
    check(len(resumed) > 2, f"from early and late saves: {sorted(resumed)}")


run_cases(a_rank_killed_in_a_save_costs_no_more_than_the_steps_since)
