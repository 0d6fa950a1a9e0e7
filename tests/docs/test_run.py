#!/usr/bin/env python3
"""tests/run's own decisions, with stand-ins for cmake, ctest and the format programs: --only in
every build, together with what a build leaves out.

    test_run.py SOURCE
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(sys.argv.pop(1)).resolve()

# ctest: -N lists what -R and -E leave of these tests, else "runs" them; -R must be given once.
CTEST = r"""#!/bin/bash
echo "$*" >>"$LOG"
list=no with=. without=^$
while [ $# -gt 0 ]; do
    case $1 in
    -N) list=yes ;;
    -R) with=$2; shift ;;
    -E) without=$2; shift ;;
    esac
    shift
done
names=$(printf '%s\n' docs_page loader.np2 model test_comm.np2 test_comm.np7 \
    test_command.np1 | grep -E "$with" | grep -vE "$without")
if [ $list = yes ]; then
    i=0
    for name in $names; do echo "  Test #$((++i)): $name"; done
    echo "Total Tests: $i"
else
    n=$(wc -w <<<"$names")
    echo "100% tests passed, 0 tests failed out of $n"
fi
"""


class Run(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for name in ("tests/run", "jobs/install.sh"):
            (self.root / name).parent.mkdir(exist_ok=True)
            shutil.copy2(SOURCE / name, self.root / name)
        (self.root / "jobs/packages.txt").write_text("[run]\n[test]\n")
        (self.root / "stub").mkdir()
        for name in ("cmake", "git", "clang-format-14", "clang-format", "shellcheck"):
            self.program(name, "#!/bin/bash\n")
        self.program("ctest", CTEST)

    def program(self, name, text):
        (self.root / "stub" / name).write_text(text)
        (self.root / "stub" / name).chmod(0o755)

    def only(self, expression, *more):
        """(exit code, the last line, {build: how many tests ran})."""
        (self.root / "log").write_text("")
        env = os.environ | {"PATH": f"{self.root}/stub:{os.environ['PATH']}",
                            "LOG": f"{self.root}/log"}
        done = subprocess.run(["tests/run", "--only", expression, *more], cwd=self.root, env=env,
                              text=True, capture_output=True)
        builds = [line.split()[1] for line in (self.root / "log").read_text().splitlines()
                  if " -N" not in line]
        return done.returncode, done.stdout.splitlines()[-1], builds

    def test_a_name_that_a_build_leaves_out_runs_in_the_others_only(self):
        # two format checks and five builds pass, and the test once
        self.assertEqual(self.only("docs"), (0, "8 passed, 0 failed", ["build"]))

    def test_a_part_of_a_build_is_narrowed_not_widened(self):
        code, last, builds = self.only("model")
        self.assertEqual((code, builds), (0, ["build", "build-clang", "build-asan"]))
        self.assertEqual(last, "10 passed, 0 failed")
        self.assertEqual(self.only("loader[.]np")[1:], ("11 passed, 0 failed", [
            "build", "build-clang", "build-asan", "build-tsan"]))

    def test_mpich_runs_what_meets_between_ranks_but_not_on_seven(self):
        code, last, builds = self.only("test_comm")
        self.assertEqual((code, builds), (0, ["build", "build-clang", "build-mpich", "build-asan"]))
        self.assertEqual(last, "17 passed, 0 failed")  # 3 in each of three builds and 1

    def test_a_name_that_no_build_has_is_one_failure(self):
        code, last, builds = self.only("nothing")
        self.assertEqual((code, last, builds), (1, "7 passed, 1 failed", []))
        self.assertEqual(self.only("nothing", "--quick")[1], "3 passed, 1 failed")


unittest.main(verbosity=1)
