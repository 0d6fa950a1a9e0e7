#!/usr/bin/env python3
"""Recua's engine on clusters simulated by SimGrid, held against formulas, our own flow solver and
whole steps.

    test_simgrid.py SOURCE BUILD [--long]    --long: the slow ones too (a flat ring of 2048 ranks)

Exit 77 (skipped) only where SimGrid is not to be had: no smpicc, and nothing built with it.
"""
import csv
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

LONG = "--long" in sys.argv
SOURCE, BUILD = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
sys.argv[1:] = [a for a in sys.argv[3:] if a != "--long"]
SIMULATE = BUILD / "bin/recua-simulate"
SMPI = BUILD / "simulate"
RUN = SOURCE / "bench/simulate/run"
WHOLE = 1 << 32  # bytes of a chunk: blocks are not cut
NETWORK = ["--cfg=smpi/simulate-computation:no", "--cfg=smpi/bw-factor:0:1",
           "--cfg=smpi/lat-factor:0:1", "--cfg=network/crosstraffic:0",
           "--cfg=smpi/shared-malloc:local", "--cfg=smpi/test:0", "--cfg=smpi/wtime:0",
           "--cfg=contexts/stack-size:512", "--log=root.thresh:warning", "-no-privatize"]


def smpirun(fabric, ranks, per_node, *arguments):
    """What the program under SimGrid prints."""
    with tempfile.TemporaryDirectory() as scratch:
        hosts = pathlib.Path(scratch, "hosts")
        hosts.write_text("".join(f"n{i}\n" for i in range(ranks)))
        env = os.environ | {"RECUA_FABRIC": fabric, "RECUA_RANKS": str(ranks),
                            "RECUA_PER_NODE": str(per_node), "TMPDIR": scratch}
        done = subprocess.run(["smpirun", "-np", str(ranks), "-platform", str(SMPI / "platform.so"),
                               "-hostfile", str(hosts), *NETWORK, str(SMPI / "simulate.so"),
                               *map(str, arguments)], env=env, capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"smpirun ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def simgrid(fabric, ranks, per_node, *collectives, chunk=WHOLE, depth=1):
    """Seconds of each OP:ALGORITHM:ELEMENTS."""
    text = smpirun(fabric, ranks, per_node, "collectives", "f", 1, per_node, "fp32", chunk, depth,
                   *collectives)
    return [float(row[8]) for row in csv.reader(text.splitlines())]


def flows(fabric, ranks, per_node, *collectives):
    done = subprocess.run([SIMULATE, "flows", "--fabric", f"f={fabric}", "--ranks", str(ranks),
                           "--per-node", str(per_node), *collectives], capture_output=True,
                          text=True, check=True)
    return [float(row["seconds"]) for row in csv.DictReader(done.stdout.splitlines())]


def both(algorithm, elements):
    return f"gather:{algorithm}:{elements}", f"reduce:{algorithm}:{elements}"


class Formulas(unittest.TestCase):
    """Nodes of one GPU: a NIC of 25 GB/s, 0.5 us a link, 2 links on a leaf of 32 and 4 beyond."""

    def near(self, value, formula, share):
        self.assertLess(abs(value / formula - 1), share, f"{value} s, the formula says {formula}")

    def ring(self, ranks, slice_elements):
        gather, reduce = simgrid("dmodk", ranks, 1, *both("ring", ranks * slice_elements))
        far = 2e-6 if ranks > 32 else 1e-6
        self.near(gather, (ranks - 1) * (far + 2 * slice_elements / 25e9), 0.01)
        self.near(reduce, (ranks - 1) * (far + 4 * slice_elements / 25e9), 0.01)

    def doubling(self, ranks, slice_elements):
        gather, reduce = simgrid("dmodk", ranks, 1, *both("doubling", ranks * slice_elements))
        hops = int(math.log2(ranks))
        alphas = min(hops, 5) * 1e-6 + max(hops - 5, 0) * 2e-6
        self.near(gather, alphas + (ranks - 1) * 2 * slice_elements / 25e9, 0.01)
        self.near(reduce, alphas + (ranks - 1) * 4 * slice_elements / 25e9, 0.01)

    def test_rings_take_what_their_formula_says(self):
        self.ring(64, 1 << 19)
        self.ring(512, 1 << 17)

    def test_doubling_takes_what_its_formula_says_up_to_2048_ranks(self):
        for ranks in (64, 512, 2048):
            self.doubling(ranks, 1 << 17)

    @unittest.skipUnless(LONG, "minutes: --long")
    def test_a_ring_of_2048_ranks(self):
        self.ring(2048, 1 << 17)


class Flows(unittest.TestCase):
    def test_both_solvers_agree_where_nothing_collides(self):
        wanted = [*both("two-level-ring", 1 << 25), *both("two-level-doubling", 1 << 25),
                  *both("doubling", 1 << 25)]
        for fabric in ("dmodk+rail", "ideal"):
            for name, a, b in zip(wanted, simgrid(fabric, 64, 8, *wanted),
                                  flows(fabric, 64, 8, *wanted)):
                self.assertLess(abs(a / b - 1), 0.01, (fabric, name, a, b))

    def test_where_flows_collide_our_solver_is_the_upper_bound(self):
        """Ranks that are ahead begin their next round early in SimGrid, never in ours."""
        for seed in (1, 2):
            fabric = f"ecmp+seed={seed}"
            for name, a, b in zip(both("doubling", 1 << 25),
                                  simgrid(fabric, 128, 8, *both("doubling", 1 << 25)),
                                  flows(fabric, 128, 8, *both("doubling", 1 << 25))):
                self.assertLess(a, b * 1.01, (fabric, name))
                self.assertGreater(a, b * 0.5, (fabric, name))


class Engine(unittest.TestCase):
    def test_2048_ranks_run_the_engine_on_two_levels(self):
        """256 nodes: through each NIC 255 of 2048 slices, inside the node 7 of 8 of the unit."""
        unit = 2 * (1 << 28)
        gather, = simgrid("dmodk", 2048, 8, f"gather:two-level-doubling:{1 << 28}")
        bound = unit * 255 / 2048 / 25e9 + unit * 7 / 8 / 450e9
        self.assertGreater(gather, bound)
        self.assertLess(gather, bound * 1.02)

    def test_chunks_of_one_operation_overlap_their_rounds(self):
        """Of the NICs and of the links inside nodes the slower bounds it, not their sum."""
        unit = 2 * (1 << 28)
        gather, = simgrid("dmodk", 64, 8, f"gather:two-level-doubling:{1 << 28}", chunk=0, depth=0)
        nic, node = unit * 7 / 64 / 25e9, unit * 7 / 8 / 450e9
        self.assertGreater(gather, nic)
        self.assertLess(gather, nic + 0.4 * node)


    def test_no_state_of_a_rank_is_global(self):
        """All ranks are one process: only the log's own state may be written outside of handles."""
        table = subprocess.run(["objdump", "-t", SMPI / "simulate.so"], capture_output=True,
                               text=True, check=True).stdout
        written = set(re.findall(r" O \.(?:data|bss)\t\w+ +(?:\.hidden )?(\S+)$", table, re.M))
        of_the_compiler = {n for n in written if n.startswith(("__", "completed."))}
        self.assertEqual(written - of_the_compiler, {"self"})


class Steps(unittest.TestCase):
    """A step put together from collectives simulated at two sizes, against the step as a whole."""

    def difference(self, ranks, layers, algorithm, fabric="dmodk", **models):
        sizes = 131072000, 268435456
        with tempfile.TemporaryDirectory() as scratch:
            step, rows = pathlib.Path(scratch, "step"), pathlib.Path(scratch, "rows")
            step.write_text(subprocess.run(
                [SIMULATE, "units", SOURCE / "jobs/runs/7b.yaml", "--ranks", str(ranks), "--set",
                 f"batch.global_sequences={ranks}", "--set", f"model.layers={layers}"],
                capture_output=True, text=True, check=True).stdout)
            rows.write_text(smpirun(fabric, ranks, 8, "collectives", "f", 1, 8, "fp32", 0, 0,
                                    *(one for size in sizes for one in both(algorithm, size))))
            composed = subprocess.run([SIMULATE, "compose", step, rows, "f", str(ranks), algorithm,
                                       algorithm, "fp32"], capture_output=True, text=True,
                                      check=True).stdout
            whole = smpirun(fabric, ranks, 8, "step", "f", 1, 8, "fp32", 0, 0, algorithm, algorithm,
                            step)
        return float(composed.split()[1]) / float(whole.split()[-1]) - 1

    def test_composed_and_whole_steps_agree_on_16_ranks(self):
        for algorithm in ("two-level-doubling", "ring"):
            self.assertLess(abs(self.difference(16, 4, algorithm)), 0.02, algorithm)

    def test_composed_and_whole_steps_agree_on_64_ranks(self):
        self.assertLess(abs(self.difference(64, 3, "two-level-doubling")), 0.02)

    @unittest.skipUnless(LONG, "minutes: --long")
    def test_a_step_of_7b_with_all_its_layers_agrees_on_64_ranks(self):
        self.assertLess(abs(self.difference(64, 32, "two-level-doubling")), 0.02)
        self.assertLess(abs(self.difference(64, 32, "two-level-ring", "ecmp+rail")), 0.02)


class Run(unittest.TestCase):
    def run_it(self, *arguments):
        return subprocess.run([RUN, "--built", BUILD, *arguments], capture_output=True, text=True)

    def test_the_table_its_csv_and_its_picture(self):
        with tempfile.TemporaryDirectory() as output:
            wanted = ["--ranks", "8,64", "--models", "7b", "--fabric", "ib=dmodk", "--fabric",
                      "roce=ecmp+rail", "--algorithms", "doubling,two-level-doubling", "--jobs",
                      "1", "--output", output]
            done = self.run_it(*wanted)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(len(re.findall(r"^7b +(?:8|64) ", done.stdout, re.M)), 4, done.stdout)
            text = pathlib.Path(output, "table.csv").read_text()
            cells = list(csv.DictReader(text.splitlines()))
            sets = {"chosen", "best", "openmpi", "doubling", "two-level-doubling"}
            self.assertEqual({c["set"] for c in cells}, sets)
            for c in cells:
                step, compute, comm = (float(c[k]) for k in ("step_s", "compute_s", "comm_s"))
                self.assertLessEqual(compute, step)
                self.assertLessEqual(step, (compute + comm) * (1 + 1e-9))
                self.assertTrue(0 <= float(c["hidden"]) <= 1)
            picture = xml.etree.ElementTree.parse(f"{output}/table.svg").getroot()
            self.assertEqual(len(picture.findall("{*}polyline")), 4)
            again = self.run_it(*wanted)  # nothing is simulated twice
            self.assertEqual((again.stdout, again.stderr), (done.stdout, ""))

    def test_bad_usage_is_refused_before_any_work(self):
        for wrong, says in ((["--ranks", "12"], "multiple of 8"), (["--ranks", "x"], "whole number"),
                            (["--models", "9b"], "9b.yaml"), (["--wire", "fp8"], "fp32 or bf16"),
                            (["--algorithms", "magic"], "no algorithm 'magic'"),
                            (["--fabric", "dmodk"], "NAME=SPEC"),
                            (["--fabric", "a b=dmodk"], "NAME=SPEC"),
                            (["--speed", "1"], "--speed"),
                            (["--seeds"], "wants a value")):
            done = self.run_it(*wrong)
            self.assertEqual(done.returncode, 2, wrong)
            self.assertIn(says, done.stderr)

    def test_a_fabric_that_is_none_fails_and_says_why(self):
        with tempfile.TemporaryDirectory() as output:
            done = self.run_it("--ranks", "8", "--fabric", "x=warp", "--output", output)
            self.assertEqual(done.returncode, 1)
            self.assertIn("no routing 'warp'", done.stderr)


if __name__ == "__main__":
    if not (SMPI / "simulate.so").exists() and shutil.which("smpicc") is None:
        print("skipped: SimGrid is not here (jobs/packages.txt, section simulate)")
        sys.exit(77)
    unittest.main(verbosity=2)
