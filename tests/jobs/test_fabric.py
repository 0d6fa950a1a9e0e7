#!/usr/bin/env python3
"""`recua fabric` from the outside: its pages, its JSON, what it refuses.

    test_fabric.py SOURCE BUILD
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

SOURCE, BUILD = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
FIXTURES = SOURCE / "tests/comm/fabric/fixtures"


def unpack(name, folder):
    """The tree of a fixture as real files (its form: tests/comm/fabric/tree.h)."""
    text = (FIXTURES / f"{name}.txt").read_text(encoding="latin-1")
    base = ""
    for line in text.split("[tree]\n")[1].split("\n[expect]")[0].splitlines():
        path, tab, content = line.partition("\t")
        if path == "@":
            base = content + "/"
        if not tab or path == "@" or content.startswith("!E"):
            continue
        target = folder / (base + path).lstrip("/")
        if path.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        raw = re.sub(r"\\x(..)", lambda m: chr(int(m[1], 16)), content.replace("\\n", "\n"))
        target.write_bytes(raw.encode("latin-1"))


def fabric(*args, **env):
    keep = {k: v for k, v in os.environ.items()
            if not k.startswith(("UCX_", "OMPI_", "SLURM_", "RECUA_NIC", "PMI"))}
    return subprocess.run([BUILD / "bin/recua", "fabric", *args], capture_output=True, text=True,
                          env=keep | env, timeout=60)


class Fabric(unittest.TestCase):
    def test_this_machine_has_a_page(self):
        done = fabric("--ranks", "4", "--per-node", "2")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("interface", done.stdout)
        page = json.loads(fabric("--json").stdout)
        self.assertIn("lo", [i["name"] for i in page["interfaces"]])
        self.assertIsNone(page["ranks"])

    def test_four_rails_of_roce(self):
        with tempfile.TemporaryDirectory() as name:
            unpack("roce-v2-four-rails", pathlib.Path(name))
            done = fabric("--sysfs-root", name, "--ranks", "2048", "--per-node", "8", "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            page = json.loads(done.stdout)
            self.assertEqual((page["kind"], page["node"], page["rdma"]), ("RoCE v2", "g3", True))
            self.assertEqual(page["nics_of_local_rank"],
                             [[f"mlx5_{r // 2}:1"] for r in range(8)])
            port = page["rdma_ports"][1]
            self.assertEqual((port["rate_gbit_per_s"], port["mtu_bytes"], port["gid_index"],
                              port["lid"]), (200, 4096, 3, None))
            self.assertEqual((port["vendor"], port["ecn_priorities"]), ("NVIDIA", [3]))
            settings = {s["name"]: s["value"] for s in page["settings"]}
            self.assertEqual(settings["UCX_NET_DEVICES"], "mlx5_0:1")
            self.assertEqual(settings["UCX_RC_MLX5_MAX_NUM_EPS"], "inf")
            done = fabric("--sysfs-root", name, "--ranks", "16", "--per-node", "8", UCX_TLS="rc")
            self.assertIn("  0 to 1: mlx5_0:1\n  2 to 3: mlx5_1:1\n", done.stdout)
            self.assertIn("  UCX_TLS=rc\n      kept: the user's\n", done.stdout)
            self.assertNotIn("UCX_RC_MLX5_MAX_NUM_EPS", done.stdout)

    def test_warnings_are_shown(self):
        with tempfile.TemporaryDirectory() as name:
            unpack("rail-down", pathlib.Path(name))
            done = fabric("--sysfs-root", name)
            self.assertIn("port-down: mlx5_2 port 1 is not up: DOWN", done.stdout)

    def test_what_is_wrong_is_refused(self):
        with tempfile.TemporaryDirectory() as name:
            unpack("rail-down", pathlib.Path(name))
            for args, env, wanted in [
                    (["--sysfs-root", name], {"RECUA_NIC": "mlx5_9"},
                     "it has: mlx5_0:1 mlx5_1:1 mlx5_2:1 mlx5_3:1 eth0 lo"),
                    (["--sysfs-root", name], {"RECUA_NIC": "mlx5_2"}, "is not up: DOWN"),
                    (["--sysfs-root", name], {"UCX_NET_DEVICES": "mlx5_9:1"}, "UCX_NET_DEVICES"),
                    (["--sysfs-root", f"{name}/sys"], {}, "no folder sys"),
                    (["--ranks", "2", "--per-node", "4"], {}, "--per-node is 4"),
                    (["--ranks", "0"], {}, "whole number from 1"),
                    (["mlx5_0"], {}, "no argument")]:
                done = fabric(*args, **env)
                self.assertEqual(done.returncode, 2, args)
                self.assertIn(wanted, done.stderr)
                self.assertEqual(done.stdout, "")


unittest.main(argv=sys.argv[:1])
