#!/usr/bin/env python3
"""A rank that stops, dies or is slow: named by all others, ended with 72, or only named."""
import os
import pathlib
import shutil
import signal
import subprocess
import time

from harness import check, command, run_cases, settings, wait_for_steps

RANKS, LIMIT_S = 4, 60
LIMITS = {"RECUA_WATCH_SILENT": "2"}
LONG = {"steps": 1000000, "checkpoint__interval": 0, "evaluate__interval": 0, "output": "run"}


def begin(**env):
    """A run that does not end by itself, past its first steps."""
    shutil.rmtree("run", ignore_errors=True)
    out = open("out.txt", "wb")
    process = subprocess.Popen(command(["pretrain", "run.yaml", "--no-peak", *settings(**LONG)],
                                       ranks=RANKS), stdout=out, stderr=subprocess.STDOUT,
                               env={**os.environ, **LIMITS, **env})
    out.close()
    check(wait_for_steps(process, "run", 3), "it trains")
    return process


def descends(pid, ancestor):
    """A rank of the case before may still be ending: its launcher is another."""
    while pid > 1 and pid != ancestor:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        pid = int(stat.rsplit(")", 1)[1].split()[1])
    return pid == ancestor


def children(process):
    """The pids of the ranks, by rank."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "comm").read_text().strip() == "recua":
                environment = (entry / "environ").read_bytes().split(b"\0")
                mine = descends(int(entry.name), process.pid)
                rank = [e for e in environment if e.startswith(b"OMPI_COMM_WORLD_RANK=") or
                        e.startswith(b"PMI_RANK=")]
                if mine and rank:
                    found[int(rank[0].split(b"=")[1])] = int(entry.name)
        except OSError:
            continue  # it has gone meanwhile
    return found


def end(process):
    """Its exit code, or None after the limit, and what it said."""
    try:
        code = process.wait(LIMIT_S)
    except subprocess.TimeoutExpired:
        code = None
        for pid in children(process).values():
            os.kill(pid, signal.SIGKILL)
        process.kill()
    return code, pathlib.Path("out.txt").read_text(encoding="utf-8", errors="replace")


def a_stopped_rank_is_named_by_all_others():
    for victim in (2, 0):
        process = begin()
        pids = children(process)
        if not check(len(pids) == RANKS, f"{RANKS} ranks run: {pids}"):
            process.kill()
            continue
        os.kill(pids[victim], signal.SIGSTOP)
        code, text = end(process)
        check(code == 72, f"the job ends with 72, not {code}")
        for rank in set(range(RANKS)) - {victim}:
            said = [line for line in text.splitlines()
                    if line.startswith(f"[rank {rank}/{RANKS}]") and f"rank {victim} (" in line
                    and "has not been heard" in line]
            check(said, f"rank {rank} names rank {victim}: {text[-3000:]}")
            check(all("of unit" in line or "flags of the node" in line or "step" in line
                      for line in said), f"with what it is missed in: {said}")
        check(not children(process), "nobody is left")


def a_killed_rank_ends_the_job():
    process = begin()
    pids = children(process)
    killed = time.monotonic()
    os.kill(pids[1], signal.SIGKILL)
    code, _ = end(process)
    left = children(process)
    while left and time.monotonic() < killed + 5:  # the limit is the promise, not a figure
        time.sleep(0.1)
        left = children(process)
    check(code not in (0, None), f"it ends, and not with 0: {code}")
    check(not left, f"all ranks are gone within 5 s: {left}")


def a_slow_rank_is_named_and_lives():
    """Runs a tenth of the time: 10 times slower than the rest."""
    process = begin(RECUA_WATCH_SILENT="20")
    slow = children(process)[3]
    text = ""
    for _ in range(6):
        os.kill(slow, signal.SIGSTOP)
        time.sleep(4.5)
        os.kill(slow, signal.SIGCONT)
        time.sleep(0.5)
        text = pathlib.Path("out.txt").read_text(encoding="utf-8", errors="replace")
        if "behind" in text:
            break
    check(any("warning" in line and "rank 3 (" in line and "behind" in line
              for line in text.splitlines()), f"rank 3 is named: {text[-2000:]}")
    check(process.poll() is None, "and the job goes on")
    pathlib.Path("out.txt").write_text("", encoding="utf-8")
    for pid in children(process).values():
        os.kill(pid, signal.SIGUSR1)
    code, text = end(process)
    check(code == 75, f"until it is asked to stop: {code} {text[-2000:]}")


def off_means_off():
    process = begin(RECUA_WATCHDOG="off")
    os.kill(children(process)[2], signal.SIGSTOP)
    time.sleep(6)
    check(process.poll() is None, "nobody ends it")
    for pid in children(process).values():
        os.kill(pid, signal.SIGKILL)
    code, text = end(process)
    check("has not been heard" not in text, text[-1000:])
    check(code not in (0, 72, None), f"{code}")


run_cases(a_stopped_rank_is_named_by_all_others, a_killed_rank_ends_the_job,
          a_slow_rank_is_named_and_lives, off_means_off)
