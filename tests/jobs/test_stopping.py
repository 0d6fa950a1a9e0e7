#!/usr/bin/env python3
"""Signals, locks, full disks, numbers that are not finite: what a run leaves, and its exit code."""
import os
import resource
import signal
import time

from harness import (STEPS, check, checkpoint, losses, pretrain, recua, run_cases, settings, start,
                     wait_for_steps)

MANY = 1000000  # steps: ends only when asked to


def verified(output):
    result = recua("checkpoint", "verify", output)
    return check(result.code == 0, f"{output} verifies: {result.out}{result.err}")


def long_run(output, ranks):
    return start("pretrain", "run.yaml", "--no-peak",
                 *settings(output=output, steps=MANY, checkpoint__interval=0,
                           evaluate__interval=0), ranks=ranks)


def usr1_finishes_the_step_saves_and_leaves_with_75():
    for ranks in (0, 2):
        output = f"run-{ranks}"
        job = long_run(output, ranks)
        check(wait_for_steps(job, output, 3), "the job steps")
        job.send_signal(signal.SIGUSR1)
        check(job.wait(60) == 75, f"exit {job.returncode}, must be 75")
        last = max(losses(output))
        check(checkpoint(output, last).is_dir(), f"the checkpoint is of the last step, {last}")
        verified(output)


def term_is_honoured_where_it_reaches_the_rank():
    job = long_run("run", 0)
    check(wait_for_steps(job, "run", 3), "the job steps")
    job.send_signal(signal.SIGTERM)
    check(job.wait(60) == 75, f"exit {job.returncode}, must be 75")
    verified("run")


def two_jobs_on_one_run_directory_are_one_too_many():
    job = long_run("run", 0)
    check(wait_for_steps(job, "run", 1), "the first steps")
    second = pretrain("run")
    check(second.code == 73, f"exit {second.code}, must be 73")
    check("another job owns this run" in second.err and str(job.pid) in second.err, second.err)
    job.send_signal(signal.SIGKILL)
    job.wait(60)
    check(pretrain("run", steps=3).code == 0, "the kernel let go of the lock")


def what_is_not_finite_stops_all_ranks_and_keeps_the_checkpoint():
    check(pretrain("run", ranks=2, stop_after=4).code == 75, "a good beginning")
    result = pretrain("run", ranks=2, optimizer__learning_rate=1e30, schedule__warmup=0)
    check(result.code == 71, f"exit {result.code}, must be 71")
    check("the checkpoint of step 4 stands" in result.err, result.err)
    check(checkpoint("run", 4).is_dir(), "it does")
    check([n for n in os.listdir("run/checkpoints") if n.startswith("step-")]
          == ["step-00000004"], "and there is no other")
    verified("run")


def a_save_that_fails_keeps_the_old_checkpoint_and_training_goes_on():
    check(pretrain("run", stop_after=10).code == 75, "a good beginning")

    def full():  # writes beyond 300 kB of a file fail, as on a full disk
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300000, 300000))

    result = recua("pretrain", "run.yaml", "--no-peak",
                   *settings(output="run", checkpoint__interval=5), before=full)
    check(result.code == 1, f"exit {result.code}, must be 1: the last checkpoint is wanted")
    check("training goes on" in result.err, result.err)
    check("that of step 10 stands" in result.err, result.err)
    check(max(losses("run")) == STEPS, f"all steps were taken: {max(losses('run'))}")
    verified("run")
    check(pretrain("run").code == 0, "with room again it resumes and ends well")
    check(checkpoint("run", STEPS).is_dir(), "with its last checkpoint")


def a_killed_run_resumes_from_its_last_checkpoint():
    job = start("pretrain", "run.yaml", "--no-peak",
                *settings(output="run", steps=MANY, checkpoint__interval=5,
                          evaluate__interval=0), ranks=2)
    check(wait_for_steps(job, "run", 12), "the job steps")
    job.send_signal(signal.SIGKILL)
    job.wait(60)
    for _ in range(60):  # the ranks need a moment to find their launcher dead
        result = pretrain("run", ranks=2, steps=MANY, stop_after=40)
        if result.code != 73:
            break
        time.sleep(0.5)
    check(result.code == 75, f"exit {result.code}: {result.err}")
    check("resumed from step" in result.out, result.out)
    verified("run")


run_cases(usr1_finishes_the_step_saves_and_leaves_with_75,
          term_is_honoured_where_it_reaches_the_rank,
          two_jobs_on_one_run_directory_are_one_too_many,
          what_is_not_finite_stops_all_ranks_and_keeps_the_checkpoint,
          a_save_that_fails_keeps_the_old_checkpoint_and_training_goes_on,
          a_killed_run_resumes_from_its_last_checkpoint)
