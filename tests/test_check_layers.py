#!/usr/bin/env python3
"""tests/check_layers.py and check_style.py refuse what they are for: planted into a copy, seen.

    test_check_layers.py ROOT
"""
import pathlib
import shutil
import sys
import tempfile
import unittest

import check_layers
import check_style

ROOT = pathlib.Path(sys.argv.pop(1))

# (file, what is planted at its end, what the complaint names)
PLANTED = [
    ("runtime/log.c", '#include "comm/comm.h"', "runtime may not include comm/comm.h"),
    ("runtime/log.c", '#include "runtime/data/tokens.h"', "may not include runtime/data/tokens.h"),
    ("runtime/log.c", "#include <hdf5.h>", "runtime may not include hdf5.h"),
    ("runtime/log.c", "#include <cuda_runtime.h>", "may not include cuda_runtime.h"),
    ("runtime/data/tokens.h", "#include <sentencepiece_processor.h>", "may not include sentence"),
    ("comm/comm.h", '#include "model/model.h"', "comm may not include model/model.h"),
    ("model/model.h", '  #  include   "comm/comm.h"', "model may not include comm/comm.h"),
    ("model/model.h", "#include <comm/comm.h>", "model may not include comm/comm.h"),
    ("model/model.h", "#include \\\n <mpi.h>", "model may not include mpi.h"),
    ("model/model.h", '#include "model/../comm/comm.h"', "starts at the top folder"),
    ("model/model.h", '#include "comm.h"', "model may not include comm.h"),
    ("model/model.h", "#include HEADER", "names its file, not the macro HEADER"),
    ("optim/optim.h", '#include "model/model.h"', "optim may not include model/model.h"),
    ("optim/optim.h", "#include <oneapi/dnnl/dnnl.h>", "may not include oneapi/dnnl/dnnl.h"),
    ("shard/shard.h", '#include "model/model.h"', "shard may not include model/model.h"),
    ("checkpoint/checkpoint.h", '#include "optim/optim.h"', "may not include optim/optim.h"),
    ("checkpoint/checkpoint.h", "#include <yaml.h>", "checkpoint may not include yaml.h"),
    ("jobs/train/train.h", '#include "bench/bench.h"', "jobs may not include bench/bench.h"),
    ("jobs/train/train.h", "#include <mpi.h>", "jobs may not include mpi.h"),
    ("jobs/train/train.h", '#include "tests/check.h"', "jobs may not include tests/check.h"),
    ("tests/check.h", "#include <hdf5.h>", "tests may not include hdf5.h"),
    ("model/more.cc", "int x;", "C++ stands only in"),
    ("model/CMakeLists.txt", "target_link_libraries(model PRIVATE comm)", "may not link comm"),
    ("model/CMakeLists.txt", "target_link_libraries(model MPI::MPI_C)", "may not link MPI::MPI_C"),
    ("runtime/data/sources.cmake", "target_link_libraries(runtime recua::dnnl)", "recua::dnnl"),
    ("shard/CMakeLists.txt", "add_layer(shard SOURCES a.c USES comm)", "does not link it (USES)"),
]
ALLOWED = [
    ("runtime/data/tokens.h", '#include "runtime/status.h"'),
    ("runtime/device_cuda.h", "#include <cuda_runtime.h>"),
    ("model/gelu.cu", "#include <cublasLt.h>"),
    ("comm/comm.h", "#include <mpi.h>"),
    ("tests/comm/test_more.c", "#include <mpi.h>"),
    ("tests/data/test_more.c", "#include <hdf5.h>"),
    ("tests/data/test_more.c", '#include "bench/bench.h"'),
    ("model/model.h", '/*\n#include "comm/comm.h"\n*/'),
    ("bench/more.h", '#include "jobs/train/train.h"'),
]


def function(lines):
    return "\nint f(int a)\n{\n" + "    a += '}' + \"{\"[0]; /* { */\n" * (lines - 4) + \
           "    return a;\n}\n"


STYLE_REFUSED = [
    ("model/long.c", "\n" * 501, "501 lines, at most 500"),
    ("jobs/long", "#!/bin/sh\n" + "\n" * 500, "501 lines, at most 500"),
    ("runtime/data/tokenizer.cc", "\n" * 151, "at most 150"),
    ("model/f.c", function(61), "model/f.c:2: a function of 61 lines, at most 60"),
    ("model/f.h", 'extern "C" {' + function(61) + "}\n", "a function of 61 lines"),
    ("common/x.c", "int x;\n", "nothing new grows at the top level"),
    ("NOTES.txt", "\n", "nothing new grows at the top level"),
]
STYLE_ALLOWED = [
    ("model/long.c", "\n" * 500),
    ("model/f.c", function(60) * 3),
    ("model/f.c", "static const int t[] = {\n" + "1,\n" * 80 + "};\n" + function(60)),
    ("model/f.c", "struct line {\n" + "int a;\n" * 80 + "};\n" + function(60)),
    ("tests/model/fixtures/x.c", "\n" * 900),
    (".editorconfig", "\n"),
]


class Planted(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="recua-layers-"))
        self.addCleanup(shutil.rmtree, self.root)
        self.before = {}
        for name in check_style.files_of(ROOT):
            if check_style.is_code(ROOT / name):
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, self.root / name)

    def complaints(self, check, name, text):
        """Those that the planted text adds; the copy is as before afterwards."""
        if check not in self.before:
            self.before[check] = set(check(self.root))
        path = self.root / name
        kept = path.read_text() if path.exists() else None
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((kept or "") + "\n" + text + "\n" if check is check_layers.check_tree
                        else text)
        added = set(check(self.root)) - self.before[check]
        path.write_text(kept) if kept is not None else path.unlink()
        return added

    def test_includes_and_links_that_break_the_map_are_refused(self):
        for name, text, want in PLANTED:
            with self.subTest(name=name, text=text):
                added = self.complaints(check_layers.check_tree, name, text)
                self.assertTrue(any(want in a and a.startswith(name) for a in added), added)

    def test_includes_that_go_down_are_allowed(self):
        for name, text in ALLOWED:
            with self.subTest(name=name, text=text):
                self.assertEqual(self.complaints(check_layers.check_tree, name, text), set())

    def test_length_and_strangers_are_refused(self):
        for name, text, want in STYLE_REFUSED:
            with self.subTest(name=name):
                added = self.complaints(check_style.check_tree, name, text)
                self.assertTrue(any(want in a for a in added), added)

    def test_what_is_short_enough_is_allowed(self):
        for name, text in STYLE_ALLOWED:
            with self.subTest(name=name):
                self.assertEqual(self.complaints(check_style.check_tree, name, text), set())

    def test_the_line_of_a_breach_is_right(self):
        path = self.root / "model/where.c"
        path.write_text('/* a\n b */\n#define X \\\n  1\n#include "comm/comm.h"\n')
        self.assertIn("model/where.c:5: model may not include comm/comm.h",
                      check_layers.check_tree(self.root))


if __name__ == "__main__":
    unittest.main()
