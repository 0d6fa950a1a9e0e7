#!/usr/bin/env python3
"""Refuse an #include or a link that goes up or sideways; the tables are the architecture.

    check_layers.py ROOT    prints each breach with its file and line; exit 1 if there is one
"""
import pathlib
import re
import sys

MAY_INCLUDE = {                # folder: folders of ours it may include and link
    "runtime":    [],
    "comm":       ["runtime"],
    "model":      ["runtime"],
    "optim":      ["runtime"],
    "shard":      ["runtime", "comm"],
    "checkpoint": ["runtime", "comm", "shard"],
    "jobs":       ["runtime", "comm", "model", "optim", "shard", "checkpoint"],
    "bench":      ["runtime", "comm", "model", "optim", "shard", "checkpoint", "jobs"],
    "tests":      ["runtime", "comm", "model", "optim", "shard", "checkpoint", "jobs", "bench"],
}
# A part of a folder that the rest of it does not include: runtime/data stands on runtime.
PART_OF = {"runtime/data": "runtime"}

# Headers of others: where they may appear (a path's beginning, or a suffix that starts with a
# dot). The tests of a folder, tests/FOLDER/, may use what the folder may.
ONLY_IN = {
    r"mpi\.h":                 ["comm/"],
    r"(hdf5|H5\w+|hdf5_hl)\.h": ["checkpoint/", "runtime/data/"],
    r"cu(da|blas|dnn|rand).*|nv\w+\.h": ["runtime/device_cuda.", "runtime/cuda/", ".cu"],
    r"(oneapi/)?(dnnl/)?dnnl.*": ["model/"],
    r"sentencepiece.*":        ["runtime/data/tokenizer.cc"],
    r"(simgrid|smpi)/.*":      ["bench/simulate/"],
    r"(cyaml/.*|c?yaml\.h)":   ["jobs/"],
}
LINKED_ONLY_IN = {             # library: CMake files that may name it, by their path's beginning
    "MPI::MPI_C": "comm/", "recua::hdf5": ("checkpoint/", "runtime/data/"),
    "recua::dnnl": "model/", "recua::sentencepiece": "runtime/data/",
    "recua::cyaml": "jobs/", "recua::yaml": "jobs/",
}
CXX_ONLY_IN = ["runtime/data/tokenizer.cc", "bench/simulate/platform.cpp"]
SUFFIXES = {".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".hh", ".cu", ".cuh", ".inc"}
CXX_SUFFIXES = {".cc", ".cpp", ".cxx", ".hpp", ".hh"}

INCLUDE = re.compile(r'\s*#\s*include\s*(?:([<"])([^>"]+)|(\S+))')


def part_of(path):
    """The part that a path lies in, or None: runtime/data/x.h -> runtime/data."""
    return next((p for p in PART_OF if path.startswith(p + "/")), None)


def ours_is_allowed(rel, home, header):
    if not any(header.startswith(f + "/") for f in [home, *MAY_INCLUDE[home]]):
        return False
    part = part_of(header)  # the folder itself does not look into its part
    return part is None or PART_OF[part] != home or part_of(rel) == part


def others_is_allowed(rel, header):
    place = re.sub(r"^tests/data/", "runtime/data/", rel)
    place = place.removeprefix("tests/")
    return all(any(place.endswith(w) if w == ".cu" else place.startswith(w) for w in where)
               for name, where in ONLY_IN.items() if re.fullmatch(name, header))


def check_source(root, rel, home, complain):
    if pathlib.PurePath(rel).suffix in CXX_SUFFIXES and rel not in CXX_ONLY_IN:
        complain(rel, 1, f"C++ stands only in {' '.join(CXX_ONLY_IN)}")
    # Comments go, their lines stay; an include may go on after a backslash.
    text = (root / rel).read_text(errors="replace")
    text = re.sub(r"(#\s*include\s*)\\\n", r"\1", text)
    text = re.sub(r"/\*.*?\*/", lambda m: " " + "\n" * m[0].count("\n"), text, flags=re.S)
    for line, one in enumerate(text.splitlines(), 1):
        m = INCLUDE.match(one)
        if not m:
            continue
        header = m[2] or m[3]
        if m[3]:
            complain(rel, line, f"an include names its file, not the macro {header}")
        elif ".." in header.split("/"):
            complain(rel, line, f"an include starts at the top folder: {header}")
        elif not others_is_allowed(rel, header):
            complain(rel, line, f"{home} may not include {header}")
        elif (m[1] == '"' or header.split("/")[0] in MAY_INCLUDE) and \
                not ours_is_allowed(rel, home, header):
            complain(rel, line, f"{home} may not include {header}")


def check_links(root, rel, home, complain):
    """What CMake links must be the map: add_layer's USES all of it, other commands part of it."""
    text = re.sub(r"#[^\n]*", "", (root / rel).read_text())
    for m in re.finditer(r"(\w+)\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)", text):
        command, words = m[1].lower(), m[2].split()
        line = text.count("\n", 0, m.start()) + 1
        linked = [w for w in words[1:] if w in MAY_INCLUDE]
        if command not in ("add_layer", "target_link_libraries"):
            continue
        for layer in linked:
            if layer not in MAY_INCLUDE[home] and layer != home:
                complain(rel, line, f"{home} may not link {layer}")
        for word in words:
            if word in LINKED_ONLY_IN and not rel.startswith(LINKED_ONLY_IN[word]):
                complain(rel, line, f"{home} may not link {word}")
        if command == "add_layer":
            if words[0] != home:
                complain(rel, line, f"the layer of {home} is called {words[0]}")
            for layer in MAY_INCLUDE[home]:
                if layer not in linked:
                    complain(rel, line, f"{home} may include {layer} but does not link it (USES)")


def check_tree(root):
    bad = []

    def complain(rel, line, what):
        bad.append(f"{rel}:{line}: {what}")

    for home in MAY_INCLUDE:
        for path in sorted(p for p in (root / home).rglob("*") if p.is_file()):
            rel = path.relative_to(root).as_posix()
            if path.suffix in SUFFIXES:
                check_source(root, rel, home, complain)
            elif path.name == "CMakeLists.txt" or path.suffix == ".cmake":
                if home != "tests":
                    check_links(root, rel, home, complain)
    return bad


if __name__ == "__main__":
    breaches = check_tree(pathlib.Path(sys.argv[1]))
    print("\n".join(breaches) or "every include and every link goes down")
    sys.exit(1 if breaches else 0)
