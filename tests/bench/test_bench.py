#!/usr/bin/env python3
"""recua-bench from the outside: tables, JSON with units in its keys, exit codes, one and two ranks.

    test_bench.py SOURCE BUILD
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

BUILD = pathlib.Path(sys.argv.pop(2)).resolve()
SOURCE = pathlib.Path(sys.argv.pop(1)).resolve()
BENCH = BUILD / "bin/recua-bench"

RUN_FILE = """\
model: {layers: 2, dim: 64, heads: 4, kv_heads: 2, ffn_dim: 128, vocabulary: 256, context: 32}
data: {file: none.h5, tokenizer: none.model}
batch: {global_sequences: 8, micro_sequences: 2}
steps: 4
output: nowhere
compute: fp32
"""
SECONDS = {"gather_s", "forward_s", "backward_s", "reduce_s", "optimizer_s", "data_s", "other_s"}


def run(*arguments, ranks=0):
    command = [str(BENCH), *map(str, arguments)]
    if ranks:
        command = [str(SOURCE / "tests/mpirun"), str(ranks), *command]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)


class Usage(unittest.TestCase):
    def test_help_and_version_leave_with_0(self):
        for option in ("--help", "--version", "--usage"):
            done = run(option)
            self.assertEqual(done.returncode, 0)
            self.assertIn("recua-bench", done.stdout)

    def test_no_command_and_an_unknown_one_leave_with_2(self):
        self.assertEqual(run().returncode, 2)
        done = run("setp")
        self.assertEqual(done.returncode, 2)
        self.assertIn("setp", done.stderr)

    def test_commands_that_are_not_built_yet_leave_with_3_and_say_so(self):
        for command in ("io", "power"):
            done = run(command)
            self.assertEqual(done.returncode, 3)
            self.assertIn("not built yet", done.stderr)


class Step(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)
        self.run_file = self.path / "run.yaml"
        self.run_file.write_text(RUN_FILE)

    def measure(self, *arguments, ranks=0):
        out = self.path / "step.json"
        done = run("step", self.run_file, "--steps", 3, "--warmup", 1, "--json", out, *arguments,
                   ranks=ranks)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(out.read_text()), done.stdout

    def check_figures(self, figures, ranks):
        self.assertEqual(figures["ranks"], ranks)
        self.assertEqual(figures["tokens_per_step"], 8 * 32)
        self.assertEqual(figures["steps"], len(figures["step_each_s"]))
        # dim 64: qkv 64x128, out 64x64, gate and up 64x128 each, down 128x64; the head 64x256
        matmul = 2 * (64 * 128 + 64 * 64 + 3 * 64 * 128) + 64 * 256
        self.assertEqual(figures["matmul_parameters"], matmul)
        self.assertEqual(figures["flops_per_token"], 6 * matmul + 12 * 2 * 64 * 32)
        self.assertAlmostEqual(figures["tokens_per_s"] * figures["step_s"], 256, delta=1e-3)
        self.assertAlmostEqual(
            figures["mfu"], figures["tokens_per_s"] * figures["flops_per_token"] /
            figures["peak_flops_per_s"], delta=1e-6)
        self.assertEqual(figures["peak_flops_per_s"], max(figures["peak_before_flops_per_s"],
                                                          figures["peak_after_flops_per_s"]))
        self.assertEqual(figures["peak_source"], "measured")
        self.assertTrue(0 < figures["mfu"] < 1)
        self.assertTrue(figures["step_min_s"] <= figures["step_s"] <= figures["step_max_s"])
        self.assertLessEqual(SECONDS, set(figures["phases"]))
        self.assertGreater(figures["phases"]["forward_s"], 0)
        self.assertGreater(figures["phases"]["backward_s"], 0)
        self.assertGreater(figures["planned_bytes"], 0)
        self.assertGreater(figures["measured_peak_bytes"], 0)

    def test_one_and_two_ranks_agree_and_leave_nothing_behind(self):
        output = ("--set", f"output={self.path}/run")
        one, text = self.measure(*output)
        two, _ = self.measure(*output, ranks=2)
        self.check_figures(one, 1)
        self.check_figures(two, 2)
        self.assertIn("MFU", text)
        self.assertIn("6 * matmul_parameters", text)
        self.assertAlmostEqual(one["loss_last"], two["loss_last"], delta=2e-6 * one["loss_last"])
        self.assertFalse((self.path / "run").exists())

    def test_bf16_through_set(self):
        figures, _ = self.measure("--set", "compute=bf16", ranks=2)
        self.check_figures(figures, 2)
        self.assertEqual(figures["compute"], "bf16")

    def test_wrong_options_and_files_leave_with_their_code(self):
        self.assertEqual(run("step").returncode, 2)
        self.assertEqual(run("step", self.run_file, "--steps", "0").returncode, 2)
        self.assertEqual(run("step", self.run_file, "--steps", "many").returncode, 2)
        self.assertEqual(run("step", self.path / "nothing.yaml").returncode, 3)
        done = run("step", self.run_file, "--set", "stpes=3")
        self.assertEqual(done.returncode, 2)
        self.assertIn("steps", done.stderr)

    def test_json_that_cannot_be_written_is_named(self):
        done = run("step", self.run_file, "--steps", 1, "--json", "/nowhere/x.json")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nowhere/x.json", done.stderr)


unittest.main(verbosity=1)
