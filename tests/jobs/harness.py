#!/usr/bin/env python3
"""What the tests of the program share: small data, a small run file, ways to run and to check.

    harness.py SOURCE BUILD DATA    make the data
    test_X.py SOURCE BUILD DATA     run the cases of a file
"""
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

SOURCE, BUILD, DATA = (pathlib.Path(a).resolve() for a in sys.argv[1:4])
RECUA = BUILD / "bin/recua"
MPIRUN = SOURCE / "tests/mpirun"
CONTEXT, SEQUENCES, STEPS = 32, 8, 20
RUN_FILE = f"""# a run of the tests
model:
  layers: 2
  dim: 32
  heads: 4
  kv_heads: 2
  ffn_dim: 48
  vocabulary: 320
  context: {CONTEXT}
data:
  file: {DATA}/tokens.h5
  tokenizer: {DATA}/tokenizer.model
batch:
  global_sequences: {SEQUENCES}
  micro_sequences: 2
optimizer:
  learning_rate: 3e-3
schedule:
  warmup: 5
steps: {STEPS}
compute: fp32
output: run
checkpoint:
  interval: 10
evaluate:
  interval: 10
  sequences: 8
"""
failures = 0


def check(truth, what):
    """Count and print what is not true, and go on."""
    global failures
    if not truth:
        failures += 1
        print(f"not true: {what}", flush=True)
    return bool(truth)


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


def command(arguments, ranks=0):
    start = [str(MPIRUN), str(ranks)] if ranks > 0 else []
    return start + [str(RECUA)] + [str(a) for a in arguments]


def recua(*arguments, ranks=0, env=None, before=None):
    """Run to its end. ranks 0: without a launcher."""
    done = subprocess.run(command(arguments, ranks), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**os.environ, **(env or {})}, preexec_fn=before, errors="replace")
    return Result(done.returncode, done.stdout, done.stderr)


def start(*arguments, ranks=0):
    return subprocess.Popen(command(arguments, ranks), stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def settings(**keys):
    """output="x", batch__micro_sequences=1 -> --set output=x --set batch.micro_sequences=1"""
    out = []
    for key, value in keys.items():
        out += ["--set", f"{key.replace('__', '.')}={value}"]
    return out


def pretrain(output, ranks=0, **keys):
    """The run file of the tests, without the seconds that measuring the peak takes."""
    return recua("pretrain", "run.yaml", "--no-peak", *settings(output=output, **keys), ranks=ranks)


def metrics(output):
    with open(f"{output}/metrics.jsonl", encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def losses(output):
    """step -> loss, the newest attempt's."""
    return {m["step"]: m["loss"] for m in metrics(output) if m["loss"] is not None}


def checkpoint(output, step):
    return pathlib.Path(output) / "checkpoints" / f"step-{step:08d}"


def same_bytes(a, b):
    return pathlib.Path(a).read_bytes() == pathlib.Path(b).read_bytes()


def wait_for_steps(process, output, steps):
    """Until so many steps are in the metrics. False: the job ended or a minute went by."""
    path = pathlib.Path(output) / "metrics.jsonl"
    for _ in range(1200):
        if path.exists() and path.read_bytes().count(b'"loss": ') > steps:
            return True
        if process.poll() is not None:
            return False
        time.sleep(0.05)
    return False


def run_cases(*cases):
    """Each in a fresh directory with the run file; exit 1 if a check failed."""
    global failures
    bad = 0
    here = pathlib.Path.cwd()
    for case in cases:
        failures = 0
        directory = tempfile.mkdtemp(prefix="recua-test-")
        os.chdir(directory)
        pathlib.Path("run.yaml").write_text(RUN_FILE, encoding="utf-8")
        case()
        os.chdir(here)
        shutil.rmtree(directory)
        print(("FAIL" if failures else "ok  ") + "  " + case.__name__.replace("_", " "), flush=True)
        bad += failures
    sys.exit(bad > 0)


def make_data():
    """Sentences of made-up words that follow each other with some sense; the same every time."""
    rng = random.Random(1)
    letters = "aeioustrnlmdp"
    words = ["".join(rng.choice(letters) for _ in range(rng.randint(2, 7))) for _ in range(200)]
    shutil.rmtree(DATA, ignore_errors=True)
    DATA.mkdir(parents=True)
    for name, seed in (("text", 2), ("other", 3)):
        rng = random.Random(seed)
        with open(DATA / f"{name}.jsonl", "w", encoding="utf-8") as f:
            for _ in range(300):
                at, text = rng.randrange(200), []
                for _ in range(60):
                    at = (at * 7 + rng.randrange(4)) % 200
                    text.append(words[at])
                f.write(json.dumps({"text": " ".join(text)}) + "\n")
    plain = DATA / "plain.txt"
    plain.write_text("\n".join(json.loads(line)["text"] for line in open(DATA / "text.jsonl")),
                     encoding="utf-8")
    done = []
    for name, source in (("tokenizer", plain), ("other", DATA / "other.jsonl")):
        done.append(recua("tokenizer", "train", "--input", source, "--vocab-size", 320,
                          "--output", DATA / f"{name}.model"))
    for name, text, tokenizer in (("tokens", "text", "tokenizer"), ("copy", "text", "tokenizer"),
                                  ("other", "other", "tokenizer"), ("foreign", "text", "other")):
        done.append(recua("data", "prepare", "--tokenizer", DATA / f"{tokenizer}.model", "--input",
                          DATA / f"{text}.jsonl", "--output", DATA / f"{name}.h5"))
    for result in done:
        if not check(result.code == 0, "the data are made"):
            print(result.out, result.err)
    sys.exit(failures > 0)


if __name__ == "__main__":
    make_data()
