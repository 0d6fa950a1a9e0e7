#!/usr/bin/env python3
"""recua-bench comm from the outside: complete rows, right data, exit codes, files, on 1 to 4 ranks.

No assertion is about speed. Sizes are tiny.

    test_comm_bench.py SOURCE BUILD
"""
import csv
import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

BUILD = pathlib.Path(sys.argv.pop(2)).resolve()
SOURCE = pathlib.Path(sys.argv.pop(1)).resolve()
BENCH = BUILD / "bin/recua-bench"

KEYS = {"op", "algo", "ranks", "nodes", "bytes", "dtype", "wire", "time_s_median", "time_s_low",
        "time_s_high", "algbw_gbyte_per_s", "busbw_gbyte_per_s", "wrong", "expected_gbyte_per_s"}
QUICK = ("--repetitions", 6, "--max-seconds", 30)
FACTOR = {"all-gather": lambda p: (p - 1) / p, "reduce-scatter": lambda p: (p - 1) / p,
          "all-reduce": lambda p: 2 * (p - 1) / p}


def run(ranks, *arguments, environment=None, timeout=120):
    import os
    launcher = [str(SOURCE / "tests/mpirun"), str(ranks)] if ranks else []
    settings = dict(os.environ, OMP_NUM_THREADS="1", **(environment or {}))
    return subprocess.run([*launcher, str(BENCH), "comm", *map(str, arguments)], text=True,
                          capture_output=True, stdin=subprocess.DEVNULL, env=settings,
                          timeout=timeout)


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)

    def measure(self, ranks, *arguments, code=0, environment=None):
        out = self.path / "out.json"
        done = run(ranks, *arguments, *QUICK, "--json", out, environment=environment)
        self.assertEqual(done.returncode, code, done.stdout[-2000:] + done.stderr[-2000:])
        return json.loads(out.read_text()), done.stdout

    def check_row(self, row, ranks):
        self.assertLessEqual(KEYS, set(row))
        self.assertEqual(row["ranks"], ranks)
        self.assertGreater(row["bytes"], 0)
        self.assertGreater(row["time_s_median"], 0)
        if row["time_s_low"] is not None:
            self.assertLessEqual(row["time_s_low"], row["time_s_median"])
            self.assertLessEqual(row["time_s_median"], row["time_s_high"])
        self.assertEqual(row["wrong"], None if row["algo"] == "bound" else 0, row)
        algbw = row["bytes"] / row["time_s_median"] / 1e9
        self.assertAlmostEqual(row["algbw_gbyte_per_s"] / algbw, 1, delta=1e-6)
        if row["op"] in FACTOR:
            self.assertAlmostEqual(row["busbw_gbyte_per_s"],
                                   row["algbw_gbyte_per_s"] * FACTOR[row["op"]](ranks), delta=1e-6)


class Rows(Case):
    def test_every_operation_and_algorithm_on_pretended_nodes(self):
        ops = {"all-gather", "reduce-scatter", "all-reduce", "ring", "pairs", "bisection",
               "incast", "overlap", "scalars"}
        for ranks in (2, 3, 4):
            data, text = self.measure(ranks, "--op", "all", "--algo", "all", "--pretend", 1,
                                      "--sizes", "1K,9999", "--compute-ms", 0.5)
            self.assertEqual({row["op"] for row in data["rows"]}, ops)
            for row in data["rows"]:
                self.check_row(row, ranks)
            algorithms = {row["algo"] for row in data["rows"] if row["op"] == "all-gather"}
            self.assertLessEqual({"auto", "direct", "ring", "doubling", "bruck"}, algorithms)
            self.assertIn("# Out of bounds values : 0 OK", text)
            self.assertEqual(len(data["pairs"]), ranks * (ranks - 1) // 2)
            self.assertTrue(all(p["gbyte_per_s"] > 0 for p in data["pairs"]))
            self.assertEqual(len(data["hosts"]), ranks)

    def test_beside_mpi_in_one_window(self):
        for ranks in (1, 2, 4):
            data, text = self.measure(ranks, "--baseline", "mpi", "--sizes", "4K")
            for row in data["rows"]:
                self.check_row(row, ranks)
            for op in FACTOR:
                names = {row["algo"] for row in data["rows"] if row["op"] == op}
                self.assertLessEqual({"auto", "mpi", "bound"}, names)
            bounded = [r for r in data["rows"] if r["algo"] == "auto"]
            if ranks > 1:  # one rank has no bus
                self.assertTrue(all(r["expected_gbyte_per_s"] > 0 for r in bounded))
            self.assertIn("ours against the best of MPI's algorithms", text)

    def test_flat_layout_runs_two_level_algorithms(self):
        data, _ = self.measure(4, "--layout", "flat", "--pretend", 2, "--algo", "all", "--sizes",
                               "8K")
        names = {row["algo"] for row in data["rows"]}
        self.assertLessEqual({"two-level-ring", "two-level-direct"}, names)
        for row in data["rows"]:
            self.check_row(row, 4)

    def test_types_on_the_wire(self):
        for arguments in (("--dtype", "fp32"), ("--wire", "bf16"), ("--dtype", "fp32", "--wire",
                                                                   "bf16")):
            data, _ = self.measure(3, "--pretend", 1, "--algo", "all", "--sizes", "6000",
                                   "--baseline", "mpi", *arguments)
            for row in data["rows"]:
                self.check_row(row, 3)
            if "bf16" in arguments:  # a ring of bf16 sums is not there
                self.assertFalse([r for r in data["rows"] if r["algo"] == "ring" and
                                  r["op"] != "all-gather"])

    def test_lanes_of_split(self):
        data, _ = self.measure(4, "--pretend", 2, "--split", "--op", "all-gather,ring,pairs",
                               "--sizes", "4K")
        self.assertEqual(data["lanes"], 2)
        for row in data["rows"]:
            self.check_row(row, 2)

    def test_sizes_are_totals_and_ascend_by_the_factor(self):
        data, _ = self.measure(2, "--op", "all-gather", "--sizes", "1K:64K:4")
        self.assertEqual([r["bytes"] for r in data["rows"] if r["algo"] == "auto"],
                         [1024, 4096, 16384, 65536])

    def test_check_off_says_null(self):
        data, text = self.measure(2, "--op", "all-gather", "--sizes", "1K", "--check", "off")
        self.assertIsNone(data["rows"][0]["wrong"])
        self.assertIn("NOT CHECKED", text)


class Exits(Case):
    def test_damaged_data_is_4(self):
        for arguments in (("--op", "all-gather"), ("--op", "reduce-scatter"),
                          ("--op", "all-reduce"), ("--op", "ring"), ("--op", "pairs"),
                          ("--op", "all-gather", "--baseline", "mpi", "--algo", "direct")):
            data, text = self.measure(2, *arguments, "--pretend", 1, "--sizes", "4K", code=4,
                                      environment={"RECUA_BENCH_FLIP": "1"})
            self.assertGreater(sum(row["wrong"] or 0 for row in data["rows"]), 0)
            self.assertIn("FAILED", text)

    def test_below_the_expectation_is_70(self):
        _, _ = self.measure(2, "--pretend", 1, "--sizes", "64K", "--op", "all-gather,ring",
                            "--rate", 1e6, "--expect", 0.9, code=70)
        data, _ = self.measure(2, "--pretend", 1, "--sizes", "64K", "--op", "all-gather,ring",
                               "--rate", 1e-6, "--expect", 0.9)
        self.assertTrue(all(r["of_expected"] > 0.9 for r in data["rows"]))

    def test_an_expectation_without_a_rate_is_refused(self):
        done = run(2, "--pretend", 1, "--sizes", "4K", "--expect", 0.85)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--rate", done.stderr)
        done = run(2, "--op", "ring", "--sizes", "4K", "--expect", 0.85)
        self.assertEqual(done.returncode, 2)
        self.assertIn("ring", done.stderr)

    def test_more_than_memory_is_refused(self):
        done = run(2, "--sizes", "32T")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"want [0-9.]+ GB of memory .* GB are free")

    def test_wrong_usage_is_2_and_names_what_there_is(self):
        for arguments, said in ((("--op", "all-to-all"), "all-gather"),
                                (("--algo", "rign"), "ring"),
                                (("--sizes", "1K:2"), "before"), (("--sizes", "0"), "1 byte"),
                                (("--sizes", "4K,1K"), "ascend"), (("--sizes", ""), "--sizes"),
                                (("--sizes", "1K:4K:1"), "factor"),
                                (("--dtype", "fp16"), "bf16 or fp32"),
                                (("--shape", "8b"), "70b"),
                                (("--shape", "7b", "--sizes", "1K"), "two ways"),
                                (("--repetitions", "0"), "--repetitions"),
                                (("--baseline", "nccl"), "mpi"), (("--expect", "x"), "--expect"),
                                (("extra",), "not expected")):
            done = run(0, *arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn(said, done.stderr)

    def test_an_algorithm_that_does_not_fit_is_refused(self):
        done = run(2, "--pretend", 1, "--algo", "two-level-ring", "--sizes", "4K")
        self.assertEqual(done.returncode, 2)
        self.assertIn("flat", done.stderr)
        done = run(2, "--pretend", 1, "--algo", "ring", "--wire", "bf16", "--op",
                   "reduce-scatter", "--sizes", "4K")
        self.assertEqual(done.returncode, 2)

    def test_files_that_cannot_be_written_are_named_before_the_work(self):
        for option in ("--json", "--csv", "--tune"):
            done = run(2, f"{option}=/nowhere/x", "--sizes", "1K")
            self.assertEqual(done.returncode, 1)
            self.assertIn("/nowhere/x", done.stderr)
            self.assertEqual(done.stdout, "")


class Files(Case):
    def test_csv_has_the_rows_of_the_json(self):
        data, _ = self.measure(2, "--pretend", 1, "--sizes", "1K,4K", "--csv",
                               self.path / "out.csv")
        with (self.path / "out.csv").open() as f:
            rows = list(csv.DictReader(f))
        self.assertEqual(len(rows), len(data["rows"]))
        for text, row in zip(rows, data["rows"]):
            self.assertLessEqual(KEYS, set(text))
            self.assertEqual(text["op"], row["op"])
            self.assertEqual(int(text["bytes"]), row["bytes"])
            self.assertAlmostEqual(float(text["time_s_median"]) / row["time_s_median"], 1,
                                   delta=1e-6)
            self.assertEqual(text["expected_gbyte_per_s"], "")  # unknown, not 0

    def test_pictures_are_well_formed_and_show_all(self):
        self.measure(3, "--op", "all-gather,pairs", "--pretend", 1, "--algo", "all", "--sizes",
                     "1K,4K,16K", "--svg", self.path / "p")
        name = "{http://www.w3.org/2000/svg}"
        curves = xml.etree.ElementTree.parse(self.path / "p-bandwidth.svg").getroot()
        lines = [c for c in curves.iter(name + "polyline")]
        self.assertGreaterEqual(len(lines), 6)
        for line in lines:
            points = line.get("points").split()
            self.assertEqual(len(points), 3)
            self.assertTrue(all(math.isfinite(float(v)) for p in points for v in p.split(",")))
        pairs = xml.etree.ElementTree.parse(self.path / "p-pairs.svg").getroot()
        cells = [r for r in pairs.iter(name + "rect") if r.find(name + "title") is not None]
        self.assertEqual(len(cells), 6)

    def test_the_header_tells_no_secrets(self):
        data, _ = self.measure(2, "--op", "scalars", environment={
            "RECUA_TEST_TOKEN_": "x", "MY_SECRET": "hunter2", "SLURM_JWT": "hunter2",
            "UCX_LOG_LEVEL": "warn"})
        self.assertNotIn("hunter2", json.dumps(data))
        self.assertEqual(data["environment"]["UCX_LOG_LEVEL"], "warn")
        self.assertEqual(data["benchmark"], "comm")
        self.assertRegex(data["date"], r"^\d{4}-\d\d-\d\dT")

    def test_leaves_come_from_slurm(self):
        data, _ = self.measure(2, "--op", "scalars",
                               environment={"SLURM_TOPOLOGY_ADDR": "spine0.leaf3.node17",
                                            "SLURM_TOPOLOGY_ADDR_PATTERN": "switch.switch.node"})
        self.assertEqual({h["leaf"] for h in data["hosts"]}, {"leaf3"})


class Shapes(Case):
    def test_units_are_those_of_the_run_files(self):
        text = (SOURCE / "bench/comm/sizes.c").read_text()
        for name in ("7b", "13b", "34b", "70b"):
            run_file = (SOURCE / f"jobs/runs/{name}.yaml").read_text()
            numbers = [re.search(rf"^  {key}: (\d+)$", run_file, re.M).group(1) for key in
                       ("layers", "dim", "heads", "kv_heads", "ffn_dim", "vocabulary", "context")]
            self.assertIn(f'{{"{name}", {{{", ".join(numbers)}, 10000, 1e-5}}}}', text)

    def test_the_units_of_a_model_are_rows(self):
        """7b wants a GB or so; where that is not there, it is refused."""
        done = run(2, "--shape", "7b", "--op", "all-gather", "--repetitions", 1, timeout=240)
        if done.returncode == 1:
            self.assertIn("GB are free", done.stderr)
            return
        self.assertEqual(done.returncode, 0)
        for unit in ("embedding", "block", "head"):
            self.assertIn(f"7b {unit}", done.stdout)


class Tuning(Case):
    def tune(self):
        path = self.path / "t.json"
        done = run(4, "--pretend", 2, f"--tune={path}", "--sizes", "1K,64K", *QUICK)
        self.assertEqual(done.returncode, 0, done.stderr)
        return path

    def explain(self, path):
        done = run(4, "--pretend", 2, f"--tuning={path}", "--sizes", "8K", "--explain",
                   "--repetitions", 1)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def test_a_file_is_written_and_read_again(self):
        path = self.tune()
        data = json.loads(path.read_text())
        self.assertEqual(data["recua_tuning"], 1)
        self.assertTrue(all(v > 0 for v in data["costs"]["alpha_s"].values()))
        self.assertTrue(all(v > 0 for v in data["costs"]["beta_s_per_byte"].values()))
        self.assertIn(data["chunk_bytes"], (1 << 18, 1 << 20, 1 << 22))
        ours = {r["algorithm"] for r in data["rows"] if r["op"] == "reduce-scatter"}
        self.assertLessEqual({"direct", "ring", "doubling"}, ours)
        self.assertEqual(list(self.path.glob("*.tmp")), [])
        said = self.explain(path)
        self.assertIn("measured: ", said.stdout)
        self.assertNotIn("ignored", said.stderr)

    def test_rules_for_open_mpi_lie_beside_it(self):
        path = self.tune()
        rules = self.path / "t.json.ompi-rules"
        if not any(r["algorithm"].startswith("mpi:") for r in json.loads(path.read_text())["rows"]):
            self.assertFalse(rules.exists())  # another MPI: said on stderr
            return
        numbers = [int(w) for line in rules.read_text().splitlines()
                   for w in line.split("#")[0].split()]
        self.assertEqual(numbers[:5], [4, 0, 1, 4, numbers[4]])
        self.assertEqual(numbers[5], 0)  # the first size

    def test_a_file_that_does_not_fit_is_ignored_with_a_warning(self):
        path = self.tune()
        text = path.read_text()
        for changed in (text[:len(text) // 2], text.replace('"recua_tuning": 1',
                                                            '"recua_tuning": 9'),
                        text.replace('"machine": "', '"machine": "another ')):
            path.write_text(changed)
            said = self.explain(path)
            self.assertIn("ignored as tuning", said.stderr)
            self.assertIn("model: ", said.stdout)
        path.unlink()
        self.assertIn("ignored as tuning", self.explain(path).stderr)


unittest.main(verbosity=1)
