#!/usr/bin/env python3
"""jobs/quickstart's own decisions, with stand-ins for the programs that it calls: which parts run,
on how many ranks, what is reused, what is refused. The real thing runs in run_docs.py.

    test_quickstart.py SOURCE
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SOURCE = pathlib.Path(sys.argv.pop(1)).resolve()

# recua: notes its arguments; "training" makes the checkpoint directory of the step it reaches.
RECUA = r"""#!/bin/bash
echo "recua $*" >>"$LOG"
command=$1 line=$*
declare -A set
while [ $# -gt 0 ]; do
    case $1 in
    --set) set[${2%%=*}]=${2#*=}; shift ;;
    --output) out=$2; shift ;;
    esac
    shift
done
case $command in
tokenizer)
    size=$(sed -n 's/.*--vocab-size \([0-9]*\).*/\1/p' <<<"$line")
    if [ "$size" -gt "${MOST:-99999}" ]; then
        echo "recua: error: vocabulary of $size is too large for this text of 9 bytes: at most" \
            "$MOST; ask for less or give more text" >&2
        exit 2
    fi
    echo product >"$out" ;;
data) echo product >"$out" ;;
pretrain)
    goal=${set[steps]:-100} code=0
    if [ "${set[stop_after]}" != 0 ]; then goal=${set[stop_after]} code=75; fi
    if [ -n "$STOP_AT" ] && [ "$STOP_AT" -lt "$goal" ]; then goal=$STOP_AT code=75; fi
    [ -z "$FAIL_WITH" ] || exit "$FAIL_WITH"
    if [ -n "$HANG" ]; then
        trap 'mkdir -p "${set[output]}/checkpoints/step-00000007"; exit 75' USR1
        echo training >>"$LOG"
        while :; do sleep 0.05; done
    fi
    run=${set[output]}
    [ -f "$run/metrics.jsonl" ] || echo '{"step": 0, "val_loss": 8.0}' >"$run/metrics.jsonl"
    echo '{"step": '$goal', "val_loss": 2.5e+00}' >>"$run/metrics.jsonl"
    mkdir -p "$run/checkpoints/$(printf 'step-%08d' "$goal")"
    exit $code ;;
generate) echo "a sample" ;;
esac
"""
MPIRUN = r"""#!/bin/bash
if [ "$1" = --version ]; then echo "some MPI 1.0"; exit; fi
echo "mpirun $2" >>"$LOG"
shift 2
exec "$@"
"""
CMAKE = r"""#!/bin/bash
echo "cmake $*" >>"$LOG"
[ -z "$CMAKE_FAILS" ] || { echo "a compiler error"; exit 1; }
case $1 in -S) touch build/build.ninja ;; esac
"""
RUN_FILE = "model:\n  vocabulary: 512\nbatch:\n  global_sequences: 8\nsteps: 100\n"


class Quickstart(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for name in ("quickstart", "install.sh", "packages.txt"):
            (self.root / "jobs").mkdir(exist_ok=True)
            shutil.copy2(SOURCE / "jobs" / name, self.root / "jobs" / name)
        for model in ("tiny", "small"):
            (self.root / "jobs/runs").mkdir(exist_ok=True)
            (self.root / f"jobs/runs/{model}.yaml").write_text(RUN_FILE)
        self.program("stub/cmake", CMAKE)
        self.program("stub/mpirun", MPIRUN)
        self.program("build/bin/recua", RECUA)
        self.program("build/bin/recua-bench", "#!/bin/bash\necho gemm\n")
        (self.root / "text.txt").write_text("some text\n")

    def program(self, name, text):
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)
        (self.root / name).chmod(0o755)

    def run_it(self, *arguments, **environment):
        (self.root / "log").write_text("")
        env = os.environ | {"PATH": f"{self.root}/stub:{os.environ['PATH']}", "STOP_AT": "",
                            "LOG": f"{self.root}/log", "FAIL_WITH": "", "CMAKE_FAILS": "",
                            "RECUA_NO_INSTALL": "1", "HANG": "", "MOST": ""} | environment
        done = subprocess.run(["jobs/quickstart", *arguments], cwd=self.root, env=env, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True)
        self.log = (self.root / "log").read_text().splitlines()
        return done

    def trainings(self):
        """(ranks, stop_after) of each pretrain in the log."""
        found = []
        for before, line in zip(self.log, self.log[1:]):
            if line.startswith("recua pretrain"):
                found.append((int(before.split()[1]), line.split("stop_after=")[1].split()[0]))
        return found

    def test_all_seven_parts_and_two_trainings_on_different_ranks(self):
        done = self.run_it("--text", "text.txt")
        self.assertEqual(done.returncode, 0, done.stderr)
        for part in range(1, 8):
            self.assertIn(f"== {part}/7 ", done.stdout)
        self.assertEqual(self.trainings(), [(2, "50"), (1, "0")])
        self.assertIn("held-out loss 8.0000 nats before, 2.5000 after", done.stdout)
        self.assertIn("perplexity    2981.0 before, 12.2 after", done.stdout)
        self.assertEqual(sum(line.startswith("recua generate") for line in self.log), 3)

    def test_a_second_run_reuses_what_stands(self):
        self.assertEqual(self.run_it("--text", "text.txt").returncode, 0)
        done = self.run_it()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.trainings(), [])
        self.assertFalse([line for line in self.log if "tokenizer train" in line])
        self.assertFalse([line for line in self.log if "data prepare" in line])

    def test_a_stop_on_request_leaves_with_75_and_goes_on_next_time(self):
        done = self.run_it("--text", "text.txt", STOP_AT="20")
        self.assertEqual(done.returncode, 75)
        self.assertEqual(self.run_it().returncode, 0)
        self.assertEqual(self.trainings(), [(2, "50"), (1, "0")])

    def test_a_run_past_the_middle_goes_on_with_the_second_half(self):
        self.assertEqual(self.run_it("--text", "text.txt", STOP_AT="70").returncode, 75)
        self.assertEqual(self.run_it().returncode, 0)
        self.assertEqual(self.trainings(), [(1, "0")])

    def test_a_failed_training_ends_it_with_its_code(self):
        self.assertEqual(self.run_it("--text", "text.txt", FAIL_WITH="71").returncode, 71)

    def test_options_reach_the_programs(self):
        done = self.run_it("--text", "text.txt", "--ranks", "3", "--steps", "60", "--model",
                           "small", "--output", "here")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.trainings(), [(3, "30"), (2, "0")])
        self.assertTrue(all("jobs/runs/small.yaml" in line and "--set steps=60 " in line and
                            f"--set output={self.root}/here" in line
                            for line in self.log if "pretrain" in line))

    def test_other_text_than_the_run_was_made_from_is_refused(self):
        self.assertEqual(self.run_it("--text", "text.txt").returncode, 0)
        (self.root / "other.txt").write_text("other text\n")
        done = self.run_it("--text", "other.txt")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--output", done.stderr)

    def test_a_text_whose_size_has_changed_is_refused_before_any_work(self):
        self.assertEqual(self.run_it("--text", "text.txt").returncode, 0)
        (self.root / "text.txt").write_text("some more text\n")
        done = self.run_it("--text", "text.txt")
        self.assertEqual((done.returncode, self.log), (2, []))
        self.assertIn("text.txt, 10 bytes", done.stderr)
        self.assertIn("text.txt, 15 bytes", done.stderr)

    def test_fewer_texts_or_the_default_text_are_not_mixed_with_others(self):
        (self.root / "other.txt").write_text("other text\n")
        self.assertEqual(self.run_it("--text", "text.txt", "other.txt").returncode, 0)
        done = self.run_it("--text", "text.txt")
        self.assertEqual(done.returncode, 2)
        self.assertIn("'no more text'", done.stderr)
        done = self.run_it("--output", "b", RECUA_QUICKSTART_TEXT_BYTES="50000")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = self.run_it("--output", "b", "--text", "text.txt")
        self.assertEqual(done.returncode, 2)
        self.assertIn("'text of this machine'", done.stderr)

    def test_another_model_in_the_same_directory_is_refused(self):
        self.assertEqual(self.run_it("--text", "text.txt", "--output", "a").returncode, 0)
        done = self.run_it("--output", "a", "--model", "small")
        self.assertEqual((done.returncode, self.log), (2, []))
        self.assertIn("'model tiny', not for 'model small'", done.stderr)
        (self.root / "jobs/runs/tiny.yaml").write_text(RUN_FILE.replace("512", "640"))
        done = self.run_it("--output", "a")
        self.assertEqual(done.returncode, 2)
        self.assertIn("'vocabulary 512', not for 'vocabulary 640'", done.stderr)

    def test_a_small_text_has_a_smaller_vocabulary_in_every_command(self):
        for _ in range(2):  # the second time it is known from what stands
            done = self.run_it("--text", "text.txt", MOST="333", STOP_AT="20")
            self.assertEqual(done.returncode, 75, done.stderr)
            asked = [line for line in self.log if line.split()[:2] in (["recua", "plan"],
                                                                      ["recua", "pretrain"])]
            self.assertEqual(len(asked), 2)
            self.assertTrue(all("--set model.vocabulary=333" in line for line in asked), asked)
        self.assertEqual(self.run_it("--text", "text.txt").returncode, 0)

    def test_a_text_too_small_for_any_vocabulary_is_refused(self):
        done = self.run_it("--text", "text.txt", MOST="299")
        self.assertEqual(done.returncode, 2)
        self.assertIn("gives a vocabulary of 299, 300 is the least", done.stderr)

    def test_two_percent_are_held_out(self):
        self.run_it("--text", "text.txt")
        self.assertTrue(any("data prepare" in line and "--heldout 0.02" in line
                            for line in self.log))

    def test_more_ranks_than_samples_are_refused_before_any_work(self):
        done = self.run_it("--text", "text.txt", "--ranks", "9")
        self.assertEqual((done.returncode, self.log), (2, []))
        self.assertIn("at most 8", done.stderr)
        self.assertEqual(self.run_it("--text", "text.txt", "--ranks", "8").returncode, 0)

    def test_fewer_steps_than_are_done_train_nothing_and_say_so(self):
        self.assertEqual(self.run_it("--text", "text.txt").returncode, 0)
        done = self.run_it("--steps", "20")
        self.assertEqual((done.returncode, self.trainings()), (0, []), done.stderr)
        self.assertIn("100 steps are done already, more than the 20 asked for", done.stdout)

    def interrupt(self, *signals):
        """Start it, and send these while it trains; what it leaves with and says."""
        (self.root / "log").write_text("")
        env = os.environ | {"PATH": f"{self.root}/stub:{os.environ['PATH']}", "STOP_AT": "",
                            "LOG": f"{self.root}/log", "FAIL_WITH": "", "CMAKE_FAILS": "",
                            "RECUA_NO_INSTALL": "1", "HANG": "1"}
        with subprocess.Popen(["jobs/quickstart", "--text", "text.txt"], cwd=self.root, env=env,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True) as run:
            for _ in range(600):
                if "training" in (self.root / "log").read_text().splitlines():
                    break
                time.sleep(0.05)
            for one in signals:
                run.send_signal(one)
            _, said = run.communicate(timeout=30)
        return run.returncode, said

    def test_term_and_hangup_let_the_ranks_save_and_the_same_command_goes_on(self):
        for one in (signal.SIGTERM, signal.SIGHUP):
            code, said = self.interrupt(one)
            self.assertEqual(code, 75, said)
            self.assertIn(f"stopped by {one.name} after a checkpoint; the same command goes on",
                          said)
        self.assertTrue((self.root / "runs/quickstart/checkpoints/step-00000007").is_dir())

    def test_an_interrupt_ends_the_ranks_at_once(self):
        code, said = self.interrupt(signal.SIGINT)
        self.assertEqual(code, 130, said)
        self.assertIn("stopped by SIGINT; the same command goes on", said)

    def test_places_that_are_not_there_are_passed_over(self):
        (self.root / "docs").mkdir()
        (self.root / "docs/a").write_text("text\n")
        done = self.run_it(RECUA_QUICKSTART_PLACES=f"/nowhere {self.root}/docs")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((self.root / "runs/quickstart/data/inputs.txt").read_text(),
                         f"{self.root}/docs/a\n")
        done = self.run_it("--output", "b", RECUA_QUICKSTART_PLACES="/nowhere")
        self.assertEqual(done.returncode, 3)
        self.assertIn("no text in /nowhere", done.stderr)

    def test_the_default_text_is_sorted_limited_and_text(self):
        self.assertEqual(self.run_it(RECUA_QUICKSTART_TEXT_BYTES="200000").returncode, 0)
        files = (self.root / "runs/quickstart/data/inputs.txt").read_text().splitlines()
        self.assertGreater(len(files), 3)
        self.assertEqual(files, sorted(files))
        self.assertLessEqual(sum(os.path.getsize(f) for f in files), 200000)
        for name in files:
            data = pathlib.Path(name).read_bytes()
            self.assertNotIn(0, data, name)
            data.decode()

    def test_it_may_be_started_from_any_directory(self):
        inside = self.root / "inside"
        inside.mkdir()
        (inside / "mine.txt").write_text("text\n")
        env = os.environ | {"PATH": f"{self.root}/stub:{os.environ['PATH']}", "STOP_AT": "",
                            "LOG": f"{self.root}/log", "FAIL_WITH": "", "CMAKE_FAILS": "",
                            "HANG": "", "MOST": ""}
        done = subprocess.run(["../jobs/quickstart", "--text", "mine.txt", "--output", "out"],
                              cwd=inside, env=env, capture_output=True, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((inside / "out/data/inputs.txt").read_text(), f"{inside}/mine.txt\n")

    def test_a_broken_build_shows_its_log_and_leaves_with_1(self):
        done = self.run_it("--text", "text.txt", CMAKE_FAILS="1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("a compiler error", done.stderr)

    def test_wrong_usage_leaves_with_2_and_names_the_option(self):
        for arguments, named in ((["--ranks", "0"], "--ranks"), (["--ranks"], "--ranks"),
                                 (["--steps", "x"], "--steps"), (["--steps", "1"], "--steps"),
                                 (["--model", "7b"], "--model"), (["--txet", "a"], "--txet"),
                                 (["--text"], "--text")):
            done = self.run_it(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn(named, done.stderr)

    def test_a_text_file_that_is_not_there_leaves_with_3(self):
        done = self.run_it("--text", "nothing.txt")
        self.assertEqual(done.returncode, 3)
        self.assertIn("nothing.txt", done.stderr)

    def test_a_directory_that_cannot_be_made_is_named(self):
        (self.root / "file").write_text("")
        done = self.run_it("--output", "file/run")
        self.assertEqual(done.returncode, 1)
        self.assertIn("file/run", done.stderr)


unittest.main(verbosity=1)
