#!/usr/bin/env python3
"""jobs/packages.txt: complete, well formed, the same as CMake and docs/install.md say, and refused
politely where nothing may be installed.

    test_packages.py SOURCE
"""
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(sys.argv.pop(1)).resolve()


def listed():
    """{debian: (section, spack, epel, probe, what for)}"""
    section, found = None, {}
    for line in (SOURCE / "jobs/packages.txt").read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            debian, *rest = [field.strip() for field in line.split("|")]
            found[debian] = (section, *rest)
    return found


def wanted_by_cmake():
    """(debian, spack, epel) of each recua_library and recua_missing of dependencies.cmake."""
    text = (SOURCE / ".cmake/dependencies.cmake").read_text()
    calls = re.findall(r"^\s*(recua_library|recua_missing)\(([^)$]*)\)", text, re.M)
    return [shlex.split(arguments)[-3:] for _, arguments in calls]


def install(command, path=None, **environment):
    """Run a piece of jobs/install.sh; path: the only folder of programs."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("RECUA_NO")} | environment
    if path is not None:
        env["PATH"] = str(path)
    return subprocess.run(["/bin/bash", "-euo", "pipefail", "-c", f". jobs/install.sh; {command}"],
                          cwd=SOURCE, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True)


class Packages(unittest.TestCase):
    def test_every_line_has_five_fields_in_a_known_section(self):
        for debian, fields in listed().items():
            self.assertEqual(len(fields), 5, debian)
            self.assertIn(fields[0], ("run", "test", "simulate"))
            self.assertTrue(all(fields), debian)

    def test_every_library_that_cmake_wants_is_listed_to_run(self):
        wanted = wanted_by_cmake()
        self.assertLessEqual({"libhdf5-dev", "libdnnl-dev"}, {debian for debian, *_ in wanted})
        for debian, spack, epel in wanted:
            self.assertEqual(listed()[debian][:3], ("run", spack, epel), debian)

    def test_the_manual_names_every_package_to_run(self):
        manual = (SOURCE / "docs/install.md").read_text()
        for debian, (section, spack, epel, *_) in listed().items():
            if section == "run":
                for name in (debian, spack, epel):
                    self.assertIn(name, manual)

    def test_nothing_is_done_where_all_is_there(self):
        done = install("install_packages run", RECUA_NO_INSTALL="1")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))


class Refusal(unittest.TestCase):
    """A machine with the shell's helpers alone: neither dpkg nor apt nor the libraries' programs."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)
        for name in ("awk", "dirname", "head", "tail", "id", "mktemp", "rm", "env", "cat"):
            found = subprocess.run(["bash", "-c", f"command -v {name}"], capture_output=True,
                                   text=True, check=True).stdout.strip()
            self.program(name, f'exec {found} "$@"\n')  # no link: nothing real can be overwritten

    def program(self, name, text):
        (self.path / name).write_text("#!/bin/bash\n" + text)
        (self.path / name).chmod(0o755)

    def test_without_apt_all_three_names_are_listed_and_the_code_is_3(self):
        done = install("install_packages run", self.path)
        self.assertEqual(done.returncode, 3)
        self.assertIn("no apt", done.stderr)
        self.assertRegex(done.stderr, r"cmake +cmake +cmake")
        self.assertRegex(done.stderr, r"libopenmpi-dev +openmpi +openmpi-devel")

    def test_without_the_right_to_install_nothing_is_installed(self):
        self.program("apt-get", f"touch {self.path}/apt-ran\n")
        self.program("id", "echo 1000\n")
        self.program("sudo", "exit 1\n")
        done = install("install_packages run", self.path)
        self.assertEqual(done.returncode, 3)
        self.assertIn("you may not install packages here", done.stderr)
        self.assertFalse((self.path / "apt-ran").exists())

    def test_no_install_is_obeyed_even_by_root(self):
        self.program("apt-get", f"touch {self.path}/apt-ran\n")
        self.program("id", "echo 0\n")
        done = install("install_packages run", self.path, RECUA_NO_INSTALL="1")
        self.assertEqual(done.returncode, 3)
        self.assertFalse((self.path / "apt-ran").exists())

    def test_root_installs_what_is_missing_and_says_so(self):
        self.program("apt-get", f'echo "$@" >>{self.path}/apt-ran\n')
        self.program("id", "echo 0\n")
        done = install("install_packages run", self.path)
        self.assertEqual(done.returncode, 0, done.stderr)
        ran = (self.path / "apt-ran").read_text().splitlines()
        self.assertTrue(ran[0].endswith("update"))
        self.assertIn("cmake", ran[1].split())
        self.assertIn("installing:", done.stdout)

    def test_sudo_is_used_and_announced(self):
        self.program("apt-get", f'echo "$@" >>{self.path}/apt-ran\n')
        self.program("id", "echo 1000\n")
        self.program("sudo", 'shift\nexec "$@"\n')
        self.program("true", "exit 0\n")
        done = install("install_packages run", self.path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("using sudo", done.stdout)
        self.assertTrue((self.path / "apt-ran").exists())

    def test_another_apt_is_waited_for_and_old_lists_will_do(self):
        self.program("apt-get", f'echo "$@" >>{self.path}/apt-ran\n[ "${{@: -1}}" != update ]\n')
        self.program("id", "echo 0\n")
        done = install("install_packages run", self.path)
        self.assertNotIn("apt-get failed", done.stderr)
        ran = (self.path / "apt-ran").read_text().splitlines()
        self.assertEqual(len(ran), 2)
        self.assertTrue(all("DPkg::Lock::Timeout=300" in line for line in ran))

    def test_what_a_killed_dpkg_left_is_put_right_first(self):
        self.program("apt-get", f'echo "$@" >>{self.path}/apt-ran\n')
        self.program("dpkg", 'if [ "$1" = --audit ]; then echo half; exit; fi\n'
                             f'echo "$@" >>{self.path}/apt-ran\n')
        self.program("id", "echo 0\n")
        done = install("install_packages run", self.path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((self.path / "apt-ran").read_text().splitlines()[0], "--configure -a")

    def test_no_log_is_left_behind_however_it_ends(self):
        self.program("id", "echo 0\n")
        for text in ("exit 0\n", "exit 100\n", "kill -TERM $PPID\n"):
            self.program("apt-get", text)
            folder = self.temporary()
            install("install_packages run", self.path, TMPDIR=folder)
            self.assertEqual(os.listdir(folder), [], text)

    def temporary(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return folder.name

    def test_an_apt_that_fails_lists_what_is_missing(self):
        self.program("apt-get", 'echo "E: no such mirror" >&2\nexit 100\n')
        self.program("id", "echo 0\n")
        done = install("install_packages run", self.path)
        self.assertEqual(done.returncode, 3)
        self.assertIn("E: no such mirror", done.stderr)
        self.assertIn("apt-get failed", done.stderr)


unittest.main(verbosity=1)
