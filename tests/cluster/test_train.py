#!/usr/bin/env python3
"""Training over hosts with links between them: the same losses, a pulled cable, overlap on and off.

    test_train.py SOURCE BUILD DATA    77: this machine cannot make such hosts
"""
import os
import pathlib
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(sys.argv[1]) / "tests/jobs"))
from harness import (BUILD, RECUA, SOURCE, STEPS, check, losses, metrics, pretrain,  # noqa: E402
                     run_cases, settings)

HOSTS = SOURCE / "tests/cluster/hosts"
TOLERANCE = 2e-6


def hosts(*arguments, **options):
    return subprocess.run([str(HOSTS), *map(str, arguments)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, errors="replace",
                          env={**os.environ, "RECUA_BUILD": str(BUILD)}, **options)


class Cluster:
    def __init__(self, count, rate=1000, latency=200):
        done = hosts("up", count, "--rate", rate, "--latency", latency, "--watch", os.getpid())
        if done.returncode == 77:
            print(done.stderr)
            sys.exit(77)
        self.dir = done.stdout.strip()
        check(done.returncode == 0, f"the hosts are up: {done.stderr}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        hosts("--dir", self.dir, "down")

    def start(self, ranks, output, mode, out, **keys):
        command = [str(HOSTS), "--dir", self.dir, "run", str(ranks), "-x", "RECUA_COMM",
                   "-x", "OMP_NUM_THREADS", str(RECUA), "pretrain", "run.yaml", "--no-peak",
                   *settings(output=output, **keys)]
        return subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT,
                                env={**os.environ, "RECUA_COMM": mode,
                                     "RECUA_BUILD": str(BUILD)})

    def train(self, ranks, output, mode="thread", **keys):
        with open("out.txt", "wb") as out:
            code = self.start(ranks, output, mode, out, **keys).wait(180)
        return code, pathlib.Path("out.txt").read_text(encoding="utf-8", errors="replace")


def losses_do_not_depend_on_hosts():
    """Uneven hosts too; with the communication thread and without; full, grads and hybrid."""
    check(pretrain("one").code == 0, "one rank trains")
    one = losses("one")
    with Cluster(3) as cluster:
        for ranks, mode, keys in (
                (6, "thread", {}), (6, "poll", {"shard__prefetch": 3}),
                (3, "thread", {"shard__mode": "grads", "shard__algorithm": "doubling"}),
                (5, "thread", {"wire": "fp32", "shard__algorithm": "bruck"}),
                (6, "thread", {"shard__mode": "hybrid"}),
                (6, "poll", {"shard__algorithm": "ring"})):
            code, text = cluster.train(ranks, "many", mode, **keys)
            if check(code == 0, f"{ranks} ranks, {mode}, {keys}: {code} {text[-2000:]}"):
                many = losses("many")
                d = max(abs(one[s] - many[s]) / one[s] for s in range(1, STEPS + 1))
                check(d <= TOLERANCE, f"{ranks} ranks, {mode}, {keys}: {d} from one rank")
                check(all(m["comm_exposed_s"] > 0 for m in metrics("many") if m["loss"]),
                      "what is not hidden is measured")
            shutil.rmtree("many", ignore_errors=True)


def what_was_chosen_is_kept():
    with Cluster(2) as cluster:
        code, text = cluster.train(4, "run", stop_after=3)
        check(code == 75, f"stopped: {code} {text[-1000:]}")
        first = pathlib.Path("run/run.yaml").read_text(encoding="utf-8")
        line = next(s for s in first.splitlines() if "chosen:" in s)
        check("on 4 ranks of 2 nodes" in line, line)
        again = first.replace(line, line.replace("gather direct", "gather ring")
                              if "gather direct" in line
                              else line.replace("gather ring", "gather direct"))
        pathlib.Path("run/run.yaml").write_text(again, encoding="utf-8")
        code, text = cluster.train(4, "run", stop_after=5)
        check(code == 75, f"goes on: {code} {text[-1000:]}")
        check(next(s for s in again.splitlines() if "chosen:" in s) in
              pathlib.Path("run/run.yaml").read_text(encoding="utf-8"), "the choice was taken over")


def a_pulled_cable_is_noticed():
    with Cluster(3) as cluster:
        with open("out.txt", "wb") as out:
            job = cluster.start(3, "run", "thread", out, steps=1000000, checkpoint__interval=0,
                                evaluate__interval=0)
        path = pathlib.Path("run/metrics.jsonl")
        for _ in range(600):
            if path.exists() and path.read_bytes().count(b"\n") > 3:
                break
            time.sleep(0.1)
        hosts("--dir", cluster.dir, "link", 3, "down")
        pulled = time.monotonic()
        seen = None
        while time.monotonic() < pulled + 60 and seen is None:
            text = pathlib.Path("out.txt").read_text(encoding="utf-8", errors="replace")
            if "rank 2 (n3) has not been heard" in text:
                seen = time.monotonic() - pulled
            time.sleep(0.1)
        check(seen is not None, f"rank 2 is named: {text[-2000:]}")
        if seen is not None:
            print(f"      noticed {seen:.1f} s after the cable was pulled")
            check(seen < 10, f"within 10 s, not {seen:.1f}")
        try:
            code = job.wait(30)
            check(code != 0, "the job does not end well")
        except subprocess.TimeoutExpired:
            job.kill()  # the launcher may wait for the lost host for ever
            job.wait()


run_cases(losses_do_not_depend_on_hosts, what_was_chosen_is_kept, a_pulled_cable_is_noticed)
