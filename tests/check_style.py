#!/usr/bin/env python3
"""Refuse what makes a tree hard to read: long files, long functions, new top-level entries.

    check_style.py ROOT    prints each breach with its file and line; exit 1 if there is one
"""
import pathlib
import re
import subprocess
import sys

FILE_LINES, FUNCTION_LINES, SHIM_LINES = 500, 60, 150
SHIM = "runtime/data/tokenizer.cc"
TOP = {"runtime", "comm", "shard", "model", "optim", "checkpoint", "bench", "jobs", "tests", "docs",
       "CMakeLists.txt", "CMakePresets.json", "README.md", "LICENSE"}  # and dot files
C_SUFFIXES = {".c", ".h", ".cc", ".cpp", ".cu"}
# Functions stand in these braces as they do outside of them; bare() leaves "" of extern "C".
SCOPE = re.compile(r'(\bextern\s*""|\bnamespace(\s+[\w:]+)?)\s*$')
CODE_SUFFIXES = C_SUFFIXES | {".py", ".sh", ".cmake", ".yaml"}


def files_of(root):
    """What git has or would take; without git all but builds, runs and caches."""
    try:
        out = subprocess.run(["git", "-C", str(root), "ls-files", "-z", "--cached", "--others",
                              "--exclude-standard"], capture_output=True, check=True).stdout
        names = {n for n in out.decode().split("\0") if n}
    except (OSError, subprocess.CalledProcessError):
        names = {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}
        names = {n for n in names
                 if not re.match(r"build[^/]*/|runs/|\.git/", n) and "__pycache__" not in n}
    return sorted(n for n in names if (root / n).is_file())


def is_code(path):
    if path.suffix in CODE_SUFFIXES or path.name == "CMakeLists.txt":
        return True
    if path.suffix:
        return False
    with path.open("rb") as f:
        return f.read(2) == b"#!"


def bare(text):
    """The text without what could hold a brace that is none; every line stays a line."""
    def blank(m):
        return ('""' if m[0][0] in "\"'" else " ") + "\n" * m[0].count("\n")
    return re.sub(r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'"""
                  r"|^[ \t]*\#(?:\\\n|[^\n])*", blank, text, flags=re.S | re.M)


def functions(text):
    """(first line, last line) of each function, its head included."""
    text = bare(text)
    depth, scopes, start = 0, 0, None
    head = line = 1  # head: the line on which the current declaration began
    last = ""        # the last character that is no space, at depth 0; "" between declarations
    for i, c in enumerate(text):
        if c == "\n":
            line += 1
        elif c.isspace() or (depth > 0 and c not in "{}"):
            continue
        elif c == "{" and depth == 0 and SCOPE.search(text, max(0, i - 80), i):
            scopes, last = scopes + 1, ""
        elif c == "{":
            if depth == 0:
                start = head if last == ")" else None
            depth += 1
        elif c == "}" and depth == 0:
            scopes, last = max(0, scopes - 1), ""
        elif c == "}":
            depth -= 1
            if depth == 0:
                last = ""
                if start is not None:
                    yield start, line
        else:
            if last in ("", ";"):
                head = line
            last = c


def check_file(root, name, complain):
    path = root / name
    if "/fixtures/" in name or not is_code(path):
        return
    text = path.read_text(errors="replace")
    lines, most = text.count("\n"), SHIM_LINES if name == SHIM else FILE_LINES
    if lines > most:
        complain(name, most + 1, f"{lines} lines, at most {most}: split it by subject")
    if path.suffix not in C_SUFFIXES:
        return
    for first, last in functions(text):
        if last - first + 1 > FUNCTION_LINES:
            complain(name, first, f"a function of {last - first + 1} lines, at most {FUNCTION_LINES}")


def check_tree(root):
    bad = []

    def complain(name, line, what):
        bad.append(f"{name}:{line}: {what}")

    names = files_of(root)
    for top in sorted({n.split("/")[0] for n in names}):
        if top not in TOP and not top.startswith("."):
            complain(top, 1, "nothing new grows at the top level")
    for name in names:
        check_file(root, name, complain)
    return bad


if __name__ == "__main__":
    breaches = check_tree(pathlib.Path(sys.argv[1]))
    print("\n".join(breaches) or "files and functions are short, the top level is as designed")
    sys.exit(1 if breaches else 0)
