#!/usr/bin/env python3
"""Run every command that README.md and docs/*.md show, in order, in a scratch copy of the tree.

A command is a ```sh block. A block that cannot run here has the line
    <!-- not run: REASON -->
right before it; nothing else is left out. Settings make quickstart small. It comes first and builds
in the copy, as for a stranger.

    run_docs.py SOURCE [--list]
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"(?P<before>[^\n]*)\n```sh\n(?P<text>.*?)```", re.S)
SKIP = re.compile(r"<!-- not run: \S.*-->")
LIMIT_S = 900
SMALL = {
    "RECUA_QUICKSTART_STEPS": "8",
    "RECUA_QUICKSTART_TEXT_BYTES": "3000000",
    "RECUA_NO_INSTALL": "1",
    "OMP_NUM_THREADS": "1",
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_hwloc_base_binding_policy": "none",
    "OMPI_MCA_mpi_yield_when_idle": "1",
    "OMPI_MCA_plm_rsh_agent": "false",
}


def pages(source):
    return [source / "README.md", *sorted((source / "docs").glob("*.md"))]


def blocks(page):
    """(text, skipped) of each sh block of a page."""
    text = page.read_text()
    found = [(m["text"], bool(SKIP.fullmatch(m["before"].strip()))) for m in BLOCK.finditer(text)]
    fences = len(re.findall(r"^```sh", text, re.M))
    if len(found) != fences:
        sys.exit(f"{page}: {fences} sh blocks, but only {len(found)} could be read")
    return found


def copy_tree(source, scratch):
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=source,
        check=True, capture_output=True).stdout.decode().split("\0")
    for name in filter(None, listed):
        if (source / name).is_file():
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, scratch / name)


def run(page, text, scratch):
    # The Python that runs this test is the one that has the modules.
    path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", text], cwd=scratch,
                          env=os.environ | SMALL | {"PATH": path}, stdin=subprocess.DEVNULL, timeout=LIMIT_S,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace")
    if done.returncode != 0:
        print(done.stdout[-6000:])
        sys.exit(f"{page.name}: this leaves with {done.returncode}:\n{text}")


def main():
    source = pathlib.Path(sys.argv[1]).resolve()
    ran = 0
    with tempfile.TemporaryDirectory(prefix="recua-docs-") as name:
        scratch = pathlib.Path(name)
        if "--list" not in sys.argv:
            copy_tree(source, scratch)
        for page in pages(source):
            for text, skipped in blocks(page):
                print(f"{page.name}{' (not run)' if skipped else ''}:\n{text}", flush=True)
                if skipped or "--list" in sys.argv:
                    continue
                run(page, text, scratch)
                ran += 1
    if "--list" not in sys.argv and ran < 5:
        sys.exit(f"only {ran} blocks ran")


main()
